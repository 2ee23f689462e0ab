// A seccomp filter on the thread of the work, and a listener on ours: the kernel halts each call of the list until we let it go on. The listener is in the
// same process, so no descriptor has to travel and memory may be read without privileges; our own calls are not filtered.
#include "check/write_watch.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <future>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/files.hpp"

namespace picket::check {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t architecture = 0;
#endif

constexpr int none = -1;
constexpr std::uint32_t writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;

// Which of its arguments say what. One that changes two places has two lines.
struct Call {
  int number;
  const char* name;
  int folder;        // a descriptor; the path is seen from there
  int path;          // none: what the descriptor is
  int flags = none;  // of open: halted only when they say `writing`
};
constexpr Call calls[] = {
    {SYS_openat, "openat", 0, 1, 2},
    {SYS_openat2, "openat2", 0, 1},
    {SYS_mkdirat, "mkdirat", 0, 1},
    {SYS_mknodat, "mknodat", 0, 1},
    {SYS_unlinkat, "unlinkat", 0, 1},
#ifdef SYS_renameat
    {SYS_renameat, "renameat", 0, 1},
    {SYS_renameat, "renameat", 2, 3},
#endif
    {SYS_renameat2, "renameat2", 0, 1},
    {SYS_renameat2, "renameat2", 2, 3},
    {SYS_linkat, "linkat", 2, 3},
    {SYS_symlinkat, "symlinkat", 1, 2},
    {SYS_truncate, "truncate", none, 0},
    {SYS_fchmodat, "fchmodat", 0, 1},
    {SYS_fchownat, "fchownat", 0, 1},
    {SYS_fchmod, "fchmod", 0, none},
    {SYS_fchown, "fchown", 0, none},
    {SYS_utimensat, "utimensat", 0, 1},
    {SYS_setxattr, "setxattr", none, 0},
    {SYS_lsetxattr, "lsetxattr", none, 0},
    {SYS_fsetxattr, "fsetxattr", 0, none},
    {SYS_removexattr, "removexattr", none, 0},
    {SYS_lremovexattr, "lremovexattr", none, 0},
    {SYS_fremovexattr, "fremovexattr", 0, none},
    {SYS_bind, "bind", none, 1},
    // Of Linux 6.6 and 6.13, which many headers do not name yet; later calls have one number on all processors.
    {452, "fchmodat2", 0, 1},
    {463, "setxattrat", 0, 1},
    {466, "removexattrat", 0, 1},
#ifdef SYS_open  // what later processors have only with a folder
    {SYS_open, "open", none, 0, 1},
    {SYS_creat, "creat", none, 0},
    {SYS_mkdir, "mkdir", none, 0},
    {SYS_mknod, "mknod", none, 0},
    {SYS_unlink, "unlink", none, 0},
    {SYS_rmdir, "rmdir", none, 0},
    {SYS_rename, "rename", none, 0},
    {SYS_rename, "rename", none, 1},
    {SYS_link, "link", none, 1},
    {SYS_symlink, "symlink", none, 1},
    {SYS_chmod, "chmod", none, 0},
    {SYS_chown, "chown", none, 0},
    {SYS_lchown, "lchown", none, 0},
    {SYS_utime, "utime", none, 0},
    {SYS_utimes, "utimes", none, 0},
    {SYS_futimesat, "futimesat", 0, 1},
#endif
};

std::vector<sock_filter> make_filter() {
  std::vector<sock_filter> out;
  const auto load = [&](std::size_t at) { out.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(at)}); };
  const auto skip_unless_equal = [&](std::uint32_t value, std::uint8_t skipped) { out.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, skipped, value}); };
  const auto end = [&](std::uint32_t action) { out.push_back({BPF_RET | BPF_K, 0, 0, action}); };
  load(offsetof(seccomp_data, arch));
  out.push_back({BPF_JMP | BPF_JEQ | BPF_K, 1, 0, architecture});
  end(SECCOMP_RET_ALLOW);
  load(offsetof(seccomp_data, nr));
  for (const auto& call : calls) {
    skip_unless_equal(static_cast<std::uint32_t>(call.number), call.flags == none ? 1 : 4);
    if (call.flags != none) {
      load(offsetof(seccomp_data, args) + sizeof(std::uint64_t) * static_cast<std::size_t>(call.flags));  // the low half: little-endian
      out.push_back({BPF_JMP | BPF_JSET | BPF_K, 1, 0, writing});
      end(SECCOMP_RET_ALLOW);
    }
    end(SECCOMP_RET_USER_NOTIF);
  }
  end(SECCOMP_RET_ALLOW);
  return out;
}

// For this thread and those that it starts: the listener, or a negative errno.
int filter_this_thread() {
  auto program = make_filter();
  const sock_fprog given{static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
  const long listener = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &given);
  return listener < 0 ? -errno : static_cast<int>(listener);
}

// What one halted call is about. Its thread may have been killed meanwhile: then nothing can be read.
class Halted {
 public:
  explicit Halted(const seccomp_notif& asked) : asked_(asked), place_(cat("/proc/", std::to_string(asked.pid))) {}

  void tell(std::vector<Write>& writes) const {
    constexpr std::size_t most = 1000;
    for (const auto& call : calls) {
      if (call.number != asked_.data.nr || (call.number == SYS_openat2 && !opens_for_writing())) continue;
      const auto path = path_of(call);
      if (path.empty()) continue;
      const Write write{call.name, path};
      if (writes.size() < most && std::find(writes.begin(), writes.end(), write) == writes.end()) writes.push_back(write);
    }
  }

 private:
  [[nodiscard]] std::uint64_t argument(int index) const { return asked_.data.args[index]; }

  // Less at the end of what is mapped; nothing when it cannot be read.
  [[nodiscard]] std::string memory(std::uint64_t address, std::size_t bytes) const {
    std::string out(bytes, '\0');
    const UniqueFd fd(::open((place_ + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
    const ssize_t got = fd ? ::pread(fd.get(), out.data(), out.size(), static_cast<off_t>(address)) : 0;
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return out;
  }
  // Its flags are the first member of what its third argument points to.
  [[nodiscard]] bool opens_for_writing() const {
    std::uint64_t flags = 0;
    const auto bytes = memory(argument(2), sizeof flags);
    if (bytes.size() != sizeof flags) return true;
    std::memcpy(&flags, bytes.data(), sizeof flags);
    return (flags & writing) != 0;
  }

  [[nodiscard]] std::filesystem::path link(std::string_view name) const {
    std::error_code error;
    return std::filesystem::read_symlink(cat(place_, "/", name), error);
  }
  [[nodiscard]] std::filesystem::path folder_of(const Call& call) const {
    const int fd = call.folder == none ? AT_FDCWD : static_cast<int>(argument(call.folder));
    return fd == AT_FDCWD ? link("cwd") : link(cat("fd/", std::to_string(fd)));
  }
  // Empty: no file, as a socket that has no name.
  [[nodiscard]] std::string path_of(const Call& call) const {
    if (call.path == none || argument(call.path) == 0) return folder_of(call).native();
    auto bytes = memory(argument(call.path), call.number == SYS_bind ? std::min<std::uint64_t>(argument(2), 110) : PATH_MAX);
    if (call.number == SYS_bind) {
      sa_family_t family = AF_UNSPEC;
      if (bytes.size() > sizeof family) std::memcpy(&family, bytes.data(), sizeof family);
      if (family != AF_UNIX || bytes[sizeof family] == '\0') return {};
      bytes.erase(0, sizeof family);
    } else if (bytes.empty()) {
      return "(a path that cannot be read)";
    }
    bytes.resize(std::strlen(bytes.c_str()));
    if (bytes.empty()) return folder_of(call).native();
    const auto path = (bytes.front() == '/' ? std::filesystem::path(bytes) : folder_of(call) / bytes).lexically_normal();
    // What is opened anew through a descriptor is the file behind it.
    const auto folder = path.parent_path();
    const bool is_descriptor = folder == "/proc/self/fd" || folder == "/proc/thread-self/fd" || folder == "/dev/fd";
    const auto behind = is_descriptor ? link(cat("fd/", path.filename().native())) : std::filesystem::path();
    return behind.empty() ? path.native() : behind.native();
  }

  const seccomp_notif& asked_;
  const std::string place_;
};

Result<> take_one(int listener, std::vector<Write>& writes) {
  seccomp_notif asked{};
  // ENOENT: it was interrupted, and asks anew if it still wants to.
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) return errno == ENOENT || errno == EINTR ? Result<>() : fail_errno("seccomp listener");
  Halted(asked).tell(writes);
  seccomp_notif_resp go_on{};
  go_on.id = asked.id;
  go_on.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;  // what it does may differ from what we read: this watches, it does not guard
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &go_on) != 0 && errno != ENOENT)
    return errno == EINVAL ? fail(Code::unsupported, "its seccomp lets no call go on that it has shown (Linux 5.5 does)") : fail_errno("seccomp listener");
  return {};
}

Result<> take_all(int listener, int done, std::vector<Write>& writes) {
  for (;;) {
    std::array<pollfd, 2> ready{pollfd{listener, POLLIN, 0}, pollfd{done, POLLIN, 0}};
    if (::poll(ready.data(), ready.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return fail_errno("poll");
    }
    if ((ready[0].revents & POLLIN) != 0) PICKET_TRY(take_one(listener, writes));
    else if (ready[1].revents != 0) return {};
  }
}

}  // namespace

Result<std::vector<Write>> watch_writes(const std::function<void()>& work) {
  if (architecture == 0) return fail(Code::unsupported, "the system calls of this processor are not known here");
  const UniqueFd done(::eventfd(0, EFD_CLOEXEC));
  if (!done) return fail_errno("eventfd");
  std::promise<int> made;
  std::thread filtered([&] {
    const int fd = filter_this_thread();
    made.set_value(fd);
    // One more thread, so that what the work leaves for a thread's end is seen too.
    if (fd >= 0) std::thread(work).join();
    const std::uint64_t one = 1;
    (void)!::write(done.get(), &one, sizeof one);
  });
  const int fd = made.get_future().get();
  UniqueFd listener(fd);
  std::vector<Write> writes;
  const auto watched = fd < 0 ? Result<>() : take_all(fd, done.get(), writes);
  listener.reset();  // who is halted still must not wait for ever: its call fails
  filtered.join();
  if (fd < 0) return fail_errno("the kernel refuses a seccomp listener", -fd);
  if (!watched) return fail(watched.error());
  return writes;
}

}  // namespace picket::check
