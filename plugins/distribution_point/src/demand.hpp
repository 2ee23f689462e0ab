// Who asked for what: the devices in scope, over the point's API. Bounded, and forgotten when a device is not heard of for long. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "settings.hpp"

namespace distribution_point {

// What one device said: {"device":"ID","components":[{"component":"yara-rules","variants":["full"]}]}
struct Announcement {
  std::string device;
  std::set<ComponentVariant> wants;
};
// Of bytes from anybody. The error is for the device: one line.
[[nodiscard]] picket::Result<Announcement> parse_announcement(std::string_view json);

class DemandBook {
 public:
  static constexpr std::size_t kMostWants = 256;   // of one device

  // Where it is kept over a restart. A damaged file counts as none: devices say it again.
  explicit DemandBook(std::filesystem::path file) : file_(std::move(file)) {}
  void set_limits(std::size_t most_devices, std::chrono::seconds lasts);
  // False where there was one that cannot be read.
  bool load(std::int64_t now);
  [[nodiscard]] picket::Result<> save();           // nothing when nothing changed

  // Replaces what this device said before. Code::too_large: too many devices.
  [[nodiscard]] picket::Result<> announce(Announcement announcement, std::int64_t now);
  // Of all devices that are not forgotten: who wants it.
  [[nodiscard]] std::map<ComponentVariant, std::vector<std::string>> wants(std::int64_t now);
  [[nodiscard]] std::size_t devices() const;

 private:
  struct Device {
    std::set<ComponentVariant> wants;
    std::int64_t heard = 0;
  };
  void forget_old(std::int64_t now);

  const std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::map<std::string, Device, std::less<>> devices_;
  std::size_t most_devices_ = 10'000;
  std::int64_t lasts_ = 7 * 86'400;
  bool changed_ = false;
};

}  // namespace distribution_point
