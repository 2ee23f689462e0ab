#include "points.hpp"

#include <algorithm>
#include <tuple>

namespace source_distribution_point {
namespace {

constexpr std::chrono::seconds kFirstRest(60), kLongestRest(900);
constexpr std::chrono::minutes kMeasureAgain(10);
constexpr std::size_t kMostKnown = 1024;

}  // namespace

Points::Known Points::known(const std::string& url) const {
  const auto found = known_.find(url);
  return found == known_.end() ? Known{} : found->second;
}

bool Points::comes_before_locked(const std::string& a, const std::string& b, Clock::time_point now) const {
  const auto rank = [&](const std::string& url) {
    const auto one = known(url);
    return std::tuple(one.rests_until > now, !one.connect.has_value(), one.connect.value_or(Milliseconds(0)));
  };
  return rank(a) < rank(b);
}

bool Points::comes_before(const std::string& a, const std::string& b, Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  return comes_before_locked(a, b, now);
}

std::vector<Point> Points::order(std::vector<Point> all, const Device& device, Clock::time_point now) const {
  std::erase_if(all, [&](const Point& point) { return !point.scope.contains(device); });
  const std::lock_guard lock(mutex_);
  std::ranges::stable_sort(all, [&](const Point& a, const Point& b) { return comes_before_locked(a.url, b.url, now); });
  return all;
}

void Points::measured(const std::string& url, std::optional<Milliseconds> connect, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMostKnown) known_.clear();  // settings that change without end
  auto& one = known_[url];
  one.connect = connect;
  one.measured_at = now;
}

void Points::worked(const std::string& url, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  auto& one = known_[url];
  one.failures = 0;
  one.rests_until = now;
}

void Points::failed(const std::string& url, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  auto& one = known_[url];
  const auto rest = std::min<std::chrono::seconds>(kFirstRest * (1u << std::min(one.failures, 4u)), kLongestRest);
  ++one.failures;
  one.rests_until = now + rest;
}

bool Points::rests(const std::string& url, Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  return known(url).rests_until > now;
}

bool Points::wants_measuring(const std::vector<std::string>& urls, Clock::time_point now) const {
  if (urls.size() < 2) return false;  // there is nothing to choose
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(urls, [&](const auto& url) {
    const auto one = known(url);
    return one.measured_at == Clock::time_point{} || now - one.measured_at >= kMeasureAgain;
  });
}

std::optional<Points::Milliseconds> Points::distance(const std::string& url) const {
  const std::lock_guard lock(mutex_);
  return known(url).connect;
}

}  // namespace source_distribution_point
