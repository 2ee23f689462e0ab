// What everybody who asks sources for files (picket.source.fetch) must look to: the least speed, and how long a source wants to be left alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace picket {

// Fails when fewer bytes than the least came within any one window of time. A plugin does the same within `stall_timeout`, and goes another road in
// the middle if it has one: the window here is twice as long, so that it finds out first, and a pause while it connects begins a new one.
class Pace {
 public:
  struct Limits {
    std::chrono::milliseconds stall_timeout{30'000};
    std::uint32_t min_bytes_per_second = 1;
  };
  // From the question on: what comes in one burst after a long wait was slow too. `now`: of a clock that only grows.
  Pace(const Limits& limits, std::chrono::milliseconds now) : limits_(limits), began_(now), last_(now) {}
  [[nodiscard]] Result<> arrived(std::size_t bytes, std::chrono::milliseconds now);

 private:
  Limits limits_;
  std::chrono::milliseconds began_, last_;
  std::uint64_t bytes_ = 0;
  unsigned roads_ = 0;
  bool has_begun_ = false;
};

// From an error's content type: "text/plain; retry-after=33" (source.proto).
[[nodiscard]] std::optional<std::chrono::seconds> retry_after(std::string_view content_type);

}  // namespace picket
