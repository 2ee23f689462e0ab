// What is kept over restarts: the plugin's storage in the host, a map in tests. Called on the plugin's threads; may wait for the disk.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace ksn_client {

struct Keep {
  // Code::not_found: nothing is kept. Any other: what is kept cannot be read now.
  std::function<picket::Result<std::string>(std::string_view key)> load;
  std::function<bool(std::string_view key, std::string_view value)> store;  // false: not stored
  std::function<bool(std::string_view key)> forget = [](std::string_view) { return false; };  // false: it may still be there
};

}  // namespace ksn_client
