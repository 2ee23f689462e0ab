// What is kept over restarts: the plugin's storage in the host, a map in tests. Called on the plugin's threads; may wait for the disk.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ksn_client {

struct Keep {
  std::function<std::optional<std::string>(std::string_view key)> load;
  std::function<bool(std::string_view key, std::string_view value)> store;  // false: not stored
  std::function<bool(std::string_view key)> forget = [](std::string_view) { return false; };  // false: it may still be there
};

}  // namespace ksn_client
