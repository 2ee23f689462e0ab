// How fast a plugin is, in this process and through its C table, on a host in memory.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "check/case.hpp"

namespace picket::check {

struct Measured {
  std::string what;  // "start", "stop", "message TOPIC", "request TOPIC": the last until its answer is there
  std::uint64_t calls = 0;
  double per_second = 0, p50_us = 0, p99_us = 0;
};

struct Bench {
  Verdict verdict;  // a warning: a call took longer than the manifest's limits.callback_ms
  std::vector<Measured> measured;
};
// In a child.
[[nodiscard]] Bench bench(const Subject& subject, std::chrono::seconds limit);

}  // namespace picket::check
