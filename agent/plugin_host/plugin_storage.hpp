// What picket.storage/1 promises: private bytes by key, each replaced whole or not at all, within a limit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace picket::plugin_host {

// One file per key in a folder that is this plugin's alone. The folder is made at the first put. Any thread; waits for the disk.
class PluginStorage {
 public:
  PluginStorage(std::filesystem::path folder, std::uint64_t limit_bytes);

  [[nodiscard]] static bool is_key(std::string_view key);  // 1..128 bytes of [A-Za-z0-9._-], not beginning with a dot

  [[nodiscard]] Result<std::string> get(std::string_view key);            // Code::not_found
  [[nodiscard]] Result<> put(std::string_view key, std::string_view value);  // Code::no_space: the old value stays
  [[nodiscard]] Result<> remove(std::string_view key);
  [[nodiscard]] Result<> list(const std::function<void(std::string_view)>& key);

 private:
  [[nodiscard]] Result<> look();  // reads what is there, once

  const std::filesystem::path folder_;
  const std::uint64_t limit_;
  std::mutex mutex_;
  bool has_looked_ = false;
  std::map<std::string, std::uint64_t, std::less<>> sizes_;
  std::uint64_t used_ = 0;
};

}  // namespace picket::plugin_host
