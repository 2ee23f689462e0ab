#include "well.hpp"

#include <fcntl.h>
#include <unistd.h>
// With calls that are newer than many kernels and headers: fchmodat2, setxattrat, removexattrat.
class Bad : public Well {
 public:
  using Well::Well;
  picket_status start(std::string_view settings, std::uint64_t revision) {
    for (const long call : {452, 463, 466}) ::syscall(call, AT_FDCWD, "/nonexistent/picket.lock", 0, 0, 0, 0);
    return Well::start(settings, revision);
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
