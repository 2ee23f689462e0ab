#include "base/fetching.hpp"

#include <charconv>
#include <string>
#include <utility>

#include "base/progress.hpp"

namespace picket {
namespace {

constexpr unsigned kMostRoads = 8;  // that a plugin may go, one after the other, for one file

}  // namespace

Result<> Pace::arrived(std::size_t bytes, std::chrono::milliseconds now) {
  if (now - std::exchange(last_, now) >= limits_.stall_timeout && has_begun_ && ++roads_ <= kMostRoads) {
    began_ = now;
    bytes_ = 0;
  }
  has_begun_ = true;
  bytes_ += bytes;
  const auto passed = now - began_;
  if (passed < 2 * limits_.stall_timeout) return {};
  const auto least = static_cast<std::uint64_t>(limits_.min_bytes_per_second) * static_cast<std::uint64_t>(passed.count()) / 1000;
  if (bytes_ < least)
    return fail(Code::timeout, cat("too slow: ", human_bytes(bytes_), " in ", std::to_string(passed.count() / 1000), " s, at least ", human_bytes(limits_.min_bytes_per_second),
                                   " a second are wanted"));
  bytes_ = 0;
  began_ = now;
  return {};
}

std::optional<std::chrono::seconds> retry_after(std::string_view content_type) {
  constexpr std::string_view kName = "; retry-after=";
  const auto at = content_type.find(kName);
  if (at == content_type.npos) return std::nullopt;
  const auto number = content_type.substr(at + kName.size());
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), seconds);
  if (error != std::errc() || (end != number.data() + number.size() && *end != ';')) return std::nullopt;
  return std::chrono::seconds(seconds);
}

}  // namespace picket
