#include "well.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
// Good: memory that has the form of a file, a file that is only read, the place where nothing is kept, and a thread's name that another one gives it.
class Good : public Well {
 public:
  using Well::Well;
  void on_request(std::uint64_t id, const Message& request) {
    const int memory = ::memfd_create("scratch", MFD_CLOEXEC);
    const int again = ::open(("/proc/self/fd/" + std::to_string(memory)).c_str(), O_RDWR | O_CLOEXEC);
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC), read = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    const bool good = memory >= 0 && again >= 0 && null >= 0 && read >= 0 && ::ftruncate(again, 100) == 0 && ::fchmod(memory, 0600) == 0;
    for (const int fd : {memory, again, null, read}) ::close(fd);
    std::thread named([] {});
    (void)::pthread_setname_np(named.native_handle(), "bad-worker");
    named.join();
    if (good) Well::on_request(id, request);
    else host_.refuse(id, PICKET_E_IO, "cannot do what writes nothing");
  }
};
PICKET_PLUGIN("test.bad.plugin", Good)
