// Runs a program of this computer and takes what it says. No shell, nothing of our environment and descriptors, and bounds for everything.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace ksn_client {

struct ChildBounds {
  std::chrono::milliseconds time{10'000};
  std::size_t output = 16u << 20;
};
struct ChildSaid {
  int status = 0;           // exit status; 128 and the signal that ended it
  std::string output, error;  // error: its first 4 KiB
};

// argv[0] is an absolute path. Waits. Code::not_found: there is no such program; timeout, too_large: it was ended.
[[nodiscard]] picket::Result<ChildSaid> run_child(const std::vector<std::string>& argv, const ChildBounds& bounds = {});

}  // namespace ksn_client
