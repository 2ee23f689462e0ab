#include "limiter.hpp"

#include <algorithm>
#include <cmath>

namespace ksn_service {

// Whose bucket is full again is as good as unknown. When all are busy some go all the same: to be forgotten is a client's gain, never its loss.
void Limiter::make_room(Clock::time_point now) {
  std::erase_if(buckets_, [&](const auto& one) { return one.second.tokens + std::chrono::duration<double>(now - one.second.filled).count() * per_second_ >= burst_; });
  // Many of them at once: to look at all is not to be done for each request of who makes names up.
  for (const auto stay = most_names_ - most_names_ / 8; buckets_.size() >= stay;) buckets_.erase(buckets_.begin());
}

std::uint32_t Limiter::take(std::string_view name, std::uint64_t count, Clock::time_point now) {
  if (per_second_ <= 0) return 0;
  const std::lock_guard lock(mutex_);
  auto found = buckets_.find(std::string(name));
  if (found == buckets_.end()) {
    if (buckets_.size() >= most_names_) make_room(now);
    found = buckets_.emplace(std::string(name), Bucket{burst_, now}).first;
  }
  auto& bucket = found->second;
  bucket.tokens = std::min(burst_, bucket.tokens + std::max(0.0, std::chrono::duration<double>(now - bucket.filled).count()) * per_second_);
  bucket.filled = now;
  // More than a bucket holds is let through when it is full: else it would never be.
  const auto wanted = std::min(static_cast<double>(count), burst_);
  if (bucket.tokens < wanted) return static_cast<std::uint32_t>(std::clamp(std::ceil((wanted - bucket.tokens) / per_second_), 1.0, 3600.0));
  bucket.tokens -= static_cast<double>(count);
  return 0;
}

}  // namespace ksn_service
