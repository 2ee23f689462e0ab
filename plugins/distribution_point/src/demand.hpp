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
#include "record_log.hpp"
#include "settings.hpp"

namespace distribution_point {

// What one device said: {"device":"ID","components":[{"component":"yara-rules","variants":["full"]}]}
struct Announcement {
  std::string device;
  std::set<ComponentVariant> wants;
};
// Of bytes from anybody. The error is for the device: one line.
[[nodiscard]] picket::Result<Announcement> parse_announcement(std::string_view json);

// Each wish is in the file before its device hears that it was accepted. The book's time passes only while a point runs: a wall clock that jumps makes
// nobody forgotten, and while it was off it could hear nobody. So `now` is of clock(): seconds that only grow, from anywhere.
class DemandBook {
 public:
  static constexpr std::size_t kMostWants = 256;   // of one device
  static constexpr std::string_view kLost = "(a damaged record)";   // stands for devices whose wishes were lost; no device can be called so
  [[nodiscard]] static std::int64_t clock();

  explicit DemandBook(std::filesystem::path file) : log_(std::move(file)) {}
  void set_limits(std::size_t most_devices, std::chrono::seconds lasts);
  // Once, at first. False: there is no file, or records of it are lost; the others are kept.
  bool load(std::int64_t now);
  // After a load that was false: somebody's wishes are lost, so these count until all devices have had the time to say theirs again.
  void adopt(const std::set<ComponentVariant>& wants, std::int64_t now);
  // Now and then, and at the end: keeps the time, makes a long file short. The error is of what could not be written since; it is tried again.
  [[nodiscard]] picket::Result<> keep(std::int64_t now);

  // Replaces what this device said before. Code::too_large: too many devices. After any error the device should say it again.
  [[nodiscard]] picket::Result<> announce(Announcement announcement, std::int64_t now);
  // Of all devices that are not forgotten: who wants it.
  [[nodiscard]] std::map<ComponentVariant, std::vector<std::string>> wants(std::int64_t now);
  [[nodiscard]] std::size_t devices() const;

 private:
  struct Device {
    std::set<ComponentVariant> wants;
    std::int64_t heard = 0, kept = 0;    // kept: `heard` as it is in the file
  };
  [[nodiscard]] std::int64_t time(std::int64_t now);
  void forget_old(std::int64_t time);
  void take_record(std::string_view record);
  [[nodiscard]] picket::Result<std::uint64_t> append(const std::string& record);
  [[nodiscard]] picket::Result<> rewrite();

  RecordLog log_;
  mutable std::mutex mutex_;
  std::map<std::string, Device, std::less<>> devices_;
  std::size_t most_devices_ = 10'000;
  std::int64_t lasts_ = 7 * 86'400;
  std::int64_t time_ = 0, kept_time_ = 0, last_now_ = 0;
  std::uint64_t short_size_ = 0;         // of the file when it was last written anew
  bool must_rewrite_ = false;
  picket::Result<> trouble_{};           // of the last attempt to write
};

}  // namespace distribution_point
