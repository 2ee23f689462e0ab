#include "base/output.hpp"

#include <cstdio>

namespace picket {

int status_of_output(const char* program, int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  std::fprintf(stderr, "%s: cannot write the output\n", program);
  return status != 0 ? status : 1;
}

}  // namespace picket
