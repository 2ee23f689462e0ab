// The times of a file as one number, to see that it is still the same.
#pragma once

#include <ctime>

#include <cstdint>

namespace ksn_client {

[[nodiscard]] constexpr std::int64_t in_ns(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

}  // namespace ksn_client
