#include "plugin_host/plugin_storage.hpp"

#include <algorithm>
#include <system_error>

#include "base/files.hpp"

namespace picket::plugin_host {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t max_keys = 4096;
}

PluginStorage::PluginStorage(fs::path folder, std::uint64_t limit_bytes) : folder_(std::move(folder)), limit_(limit_bytes) {}

bool PluginStorage::is_key(std::string_view key) {
  return !key.empty() && key.size() <= 128 && key[0] != '.' && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

Result<> PluginStorage::look() {
  if (has_looked_) return {};
  std::error_code error;
  for (auto it = fs::directory_iterator(folder_, error); !error && it != fs::directory_iterator(); it.increment(error)) {
    const auto name = it->path().filename().native();
    std::error_code no_size;
    const auto size = it->file_size(no_size);
    if (!is_key(name) || no_size) continue;
    sizes_[name] = size;
    used_ += size;
  }
  if (error && error != std::errc::no_such_file_or_directory) return fail(Code::io, cat("read folder ", folder_.native(), ": ", error.message()));
  has_looked_ = true;
  return {};
}

Result<std::string> PluginStorage::get(std::string_view key) {
  if (!is_key(key)) return fail(Code::invalid, "not a storage key");
  const std::lock_guard lock(mutex_);
  return read_file(folder_ / key, limit_);
}

Result<> PluginStorage::put(std::string_view key, std::string_view value) {
  if (!is_key(key)) return fail(Code::invalid, "not a storage key");
  const std::lock_guard lock(mutex_);
  PICKET_TRY(look());
  const auto old = sizes_.find(key);
  const auto rest = used_ - (old == sizes_.end() ? 0 : old->second);
  if (value.size() > limit_ || rest > limit_ - value.size())
    return fail(Code::no_space, cat("the limit of ", std::to_string(limit_), " bytes would be passed"));
  if (old == sizes_.end() && sizes_.size() == max_keys) return fail(Code::no_space, cat("there are ", std::to_string(max_keys), " keys already"));
  PICKET_TRY(make_folders(folder_, 0700));
  PICKET_TRY(write_file_atomic(folder_ / key, value, 0600));
  sizes_[std::string(key)] = value.size();
  used_ = rest + value.size();
  return {};
}

Result<> PluginStorage::remove(std::string_view key) {
  if (!is_key(key)) return fail(Code::invalid, "not a storage key");
  const std::lock_guard lock(mutex_);
  PICKET_TRY(look());
  const auto old = sizes_.find(key);
  if (old == sizes_.end()) return {};
  PICKET_TRY(remove_file(folder_ / key));
  used_ -= old->second;
  sizes_.erase(old);
  return {};
}

Result<> PluginStorage::list(const std::function<void(std::string_view)>& key) {
  std::vector<std::string> names;
  {
    const std::lock_guard lock(mutex_);
    PICKET_TRY(look());
    for (const auto& [name, size] : sizes_) names.push_back(name);
  }
  for (const auto& name : names) key(name);
  return {};
}

}  // namespace picket::plugin_host
