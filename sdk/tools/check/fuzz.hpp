// Everything that a host may say, at random, until something breaks.
#pragma once

#include <chrono>
#include <cstdint>

#include "check/case.hpp"

namespace picket::check {

struct FuzzOptions {
  std::chrono::seconds time{10};
  std::uint64_t iterations = 0;         // not 0: one life of so many, however long it takes
  std::chrono::seconds call_limit{20};  // what takes longer hangs
  bool in_process = false;              // one life; no limit
};

// One child after another leads an instance from create to destroy, the first with the subject's seed, each next one with the next seed. What one
// hears follows from its seed, and from what the plugin says itself. A failure's text names the seed and the iterations that bring it back.
[[nodiscard]] Verdict fuzz(const Subject& subject, const FuzzOptions& options);

}  // namespace picket::check
