// How much each client may ask: a token bucket for each name. Any thread; bounded in memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ksn_service {

class Limiter {
 public:
  using Clock = std::chrono::steady_clock;
  // per_minute 0: no limit. A client that was quiet may ask `burst` at once.
  Limiter(std::uint64_t per_minute, std::uint64_t burst, std::size_t most_names = 100'000) : per_second_(static_cast<double>(per_minute) / 60), burst_(static_cast<double>(burst)), most_names_(most_names) {}

  // 0: go on. Else seconds until so many may be asked.
  [[nodiscard]] std::uint32_t take(std::string_view name, std::uint64_t count, Clock::time_point now);

 private:
  struct Bucket {
    double tokens;
    Clock::time_point filled;
  };
  void make_room(Clock::time_point now);

  double per_second_, burst_;
  std::size_t most_names_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace ksn_service
