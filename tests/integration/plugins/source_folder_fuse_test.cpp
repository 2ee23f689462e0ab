// The folder source on a mount that really hangs: a FUSE file system that answers its first greeting and nothing more, as a dead server behind a
// mount does. In a mount namespace of the test's own; skipped where that is not allowed.
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "unit/plugins/source_rig.hpp"

using namespace picket::plugin_tests;

namespace {

class HungMount {
 public:
  // Empty: it is mounted.
  std::string begin(const std::filesystem::path& where) {
    fd_ = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd_ < 0) return "no /dev/fuse";
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "no mount namespace of one's own";
    const std::string options = "fd=" + std::to_string(fd_) + ",rootmode=40000,user_id=" + std::to_string(::geteuid()) + ",group_id=" + std::to_string(::getegid());
    if (::mount("picket-hung", where.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) return std::string("mount: ") + std::strerror(errno);
    where_ = where;
    return greet();
  }
  // Somebody waits for an answer of this file system.
  [[nodiscard]] bool is_asked() const {
    pollfd wanted{fd_, POLLIN, 0};
    return ::poll(&wanted, 1, 10'000) == 1;
  }
  // The kernel then fails whatever waits.
  void end() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    if (!where_.empty()) ::umount2(where_.c_str(), MNT_DETACH);
    where_.clear();
  }
  ~HungMount() { end(); }

 private:
  std::string greet() const {
    std::array<char, 1 << 16> request{};
    const ssize_t got = ::read(fd_, request.data(), request.size());
    if (got < static_cast<ssize_t>(sizeof(fuse_in_header))) return "the kernel does not greet";
    fuse_in_header head{};
    std::memcpy(&head, request.data(), sizeof head);
    if (head.opcode != FUSE_INIT) return "another greeting than was expected";
    struct {
      fuse_out_header head{};
      fuse_init_out body{};
    } reply;
    reply.head.len = sizeof reply;
    reply.head.unique = head.unique;
    reply.body.major = FUSE_KERNEL_VERSION;
    reply.body.minor = FUSE_KERNEL_MINOR_VERSION;
    reply.body.max_write = 4096;
    return ::write(fd_, &reply, sizeof reply) == static_cast<ssize_t>(sizeof reply) ? "" : "the kernel does not take the answer";
  }
  int fd_ = -1;
  std::filesystem::path where_;
};

class SourceFolderOnHungMount : public SourceRig {};

TEST_F(SourceFolderOnHungMount, serves_other_folders_and_stops_in_bounded_time) {
  TemporaryFolder hung, good;
  good.write("targets/f", "good");
  HungMount mount;
  if (const auto why = mount.begin(hung.path()); !why.empty()) GTEST_SKIP() << why;
  load(PICKET_TEST_LIBRARY, "org.picket.source-folder", "{}");
  std::uint64_t waits = 0;
  for (int i = 0; i < 5; ++i) waits = ask(fetch_of(hung.path().string(), "targets/f"), 1000);  // more than it reads at the same time
  ASSERT_TRUE(mount.is_asked());
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(fetch(fetch_of(good.path().string(), "targets/f")).answer.stream, "good");
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(20)) << "the plugin waited for the hung mount";
  EXPECT_FALSE(host_.answer(waits).done);

  EXPECT_EQ(host_.stop(), PICKET_E_INTERNAL);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(40));
  EXPECT_NE(host_.error().find("does not answer (a dead mount or server?)"), std::string::npos) << host_.error();
  EXPECT_EQ(host_.answer(waits).status, PICKET_E_UNAVAILABLE);
  mount.end();
}

}  // namespace
