// The points that are known, and what is remembered of each: how near it is, and how well it did. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "scope.hpp"

namespace source_distribution_point {

struct Point {
  std::string name, url, ca_file;
  Scope scope;
};

class Points {
 public:
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;

  // Those whose scope contains the device: healthy before resting ones, then the nearest first; those not measured yet keep the order of the
  // settings, behind the measured. A point whose rest is over is healthy again.
  [[nodiscard]] std::vector<Point> order(std::vector<Point> all, const Device& device, Clock::time_point now) const;
  // The same ranking for candidates by URL.
  [[nodiscard]] bool comes_before(const std::string& a, const std::string& b, Clock::time_point now) const;

  void measured(const std::string& url, std::optional<Milliseconds> connect, Clock::time_point now);   // nullopt: not reached
  void worked(const std::string& url, Clock::time_point now);
  void failed(const std::string& url, Clock::time_point now);     // rests a while, longer each time in a row
  [[nodiscard]] bool rests(const std::string& url, Clock::time_point now) const;
  [[nodiscard]] bool wants_measuring(const std::vector<std::string>& urls, Clock::time_point now) const;
  [[nodiscard]] std::optional<Milliseconds> distance(const std::string& url) const;

 private:
  struct Known {
    std::optional<Milliseconds> connect;
    Clock::time_point measured_at{}, rests_until{};
    unsigned failures = 0;
  };
  [[nodiscard]] Known known(const std::string& url) const;
  [[nodiscard]] bool comes_before_locked(const std::string& a, const std::string& b, Clock::time_point now) const;

  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;
};

}  // namespace source_distribution_point
