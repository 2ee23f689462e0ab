// The command line of picket-plugin-check.
#pragma once

#include <string>

#include "check/fuzz.hpp"

namespace picket::check {

extern const char* const usage;

struct Arguments {
  std::string command, only;
  SubjectOptions subject;
  std::chrono::seconds timeout{20};
  FuzzOptions fuzz;
  bool in_process = false, json = false;
};
[[nodiscard]] Result<Arguments> parse_arguments(int argc, char** argv);

}  // namespace picket::check
