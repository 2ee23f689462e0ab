// KB/s per address range, always or in a window of time. Only bulk transfers ask; what is small passes.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "address_range.hpp"

namespace distribution_point {

// Of the local week. from >= to: over midnight; from == to: a whole day from there on. The days are those on which it begins.
struct Window {
  unsigned days = 0x7f;     // bit 0: Sunday
  int from = 0, to = 0;     // minutes of the day
  [[nodiscard]] bool contains(int day, int minute) const;
};
[[nodiscard]] picket::Result<int> parse_minutes(std::string_view text);  // "08:30"

struct BandwidthRule {
  picket::AddressRange range;
  std::uint64_t bytes_per_second = 0;   // > 0; all of the range together
  Window window;
};

class Bandwidth {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Bandwidth(std::vector<BandwidthRule> rules);

  // The first rule that is for this address now; nullopt: no limit.
  [[nodiscard]] std::optional<std::size_t> rule_for(const picket::Address& address, int day, int minute) const;
  // How many of `wanted` bytes may go now. 0: come again at `later`.
  [[nodiscard]] std::uint64_t take(std::size_t rule, std::uint64_t wanted, Clock::time_point now, Clock::time_point& later);
  void give_back(std::size_t rule, std::uint64_t bytes);  // taken and not sent
  [[nodiscard]] bool has_rules() const { return !rules_.empty(); }

 private:
  struct Bucket {
    double bytes = 0;
    Clock::time_point filled{};
  };
  const std::vector<BandwidthRule> rules_;
  std::mutex mutex_;
  std::vector<Bucket> buckets_;
};

}  // namespace distribution_point
