#include "bandwidth.hpp"

#include <algorithm>

namespace distribution_point {
namespace {

// What an idle range may send at once, and the least that is worth a system call.
double burst_of(std::uint64_t rate) { return std::max<double>(static_cast<double>(rate) / 5, 16'384); }
constexpr double kLeast = 4096;

}  // namespace

bool Window::contains(int day, int minute) const {
  const auto on = [&](int which) { return (days >> ((which + 7) % 7) & 1u) != 0; };
  if (from < to) return on(day) && minute >= from && minute < to;
  return (on(day) && minute >= from) || (on(day - 1) && minute < to);
}

picket::Result<int> parse_minutes(std::string_view text) {
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  if (text.size() == 5 && text[2] == ':' && digit(0) && digit(1) && digit(3) && digit(4)) {
    const int hours = (text[0] - '0') * 10 + text[1] - '0', minutes = (text[3] - '0') * 10 + text[4] - '0';
    if (hours < 24 && minutes < 60) return hours * 60 + minutes;
  }
  return picket::fail(picket::Code::invalid, picket::cat("'", text.substr(0, 20), "' is no time of day such as 08:30"));
}

Bandwidth::Bandwidth(std::vector<BandwidthRule> rules) : rules_(std::move(rules)), buckets_(rules_.size()) {}

std::optional<std::size_t> Bandwidth::rule_for(const picket::Address& address, int day, int minute) const {
  for (std::size_t i = 0; i < rules_.size(); ++i)
    if (rules_[i].range.contains(address) && rules_[i].window.contains(day, minute)) return i;
  return std::nullopt;
}

std::uint64_t Bandwidth::take(std::size_t rule, std::uint64_t wanted, Clock::time_point now, Clock::time_point& later) {
  const auto rate = static_cast<double>(rules_[rule].bytes_per_second);
  const double burst = burst_of(rules_[rule].bytes_per_second);
  const std::lock_guard lock(mutex_);
  auto& bucket = buckets_[rule];
  if (bucket.filled == Clock::time_point{}) bucket = {burst, now};
  if (now > bucket.filled) {
    bucket.bytes = std::min(burst, bucket.bytes + rate * std::chrono::duration<double>(now - bucket.filled).count());
    bucket.filled = now;
  }
  const double least = std::min(kLeast, static_cast<double>(wanted));
  if (bucket.bytes < least) {
    later = now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>((least - bucket.bytes) / rate)) + std::chrono::milliseconds(1);
    return 0;
  }
  const auto given = std::min(wanted, static_cast<std::uint64_t>(bucket.bytes));
  bucket.bytes -= static_cast<double>(given);
  return given;
}

void Bandwidth::give_back(std::size_t rule, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  buckets_[rule].bytes += static_cast<double>(bytes);
}

}  // namespace distribution_point
