// Removable drives and shares, which cannot exchange two folders (exFAT, NTFS, NFS, SMB) nor copy within the kernel from another file system: the C
// library's renameat2 and copy_file_range are stood in for, in this whole program.
#include <cerrno>
#include <csignal>
#include <cstdio>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/folders.hpp"
#include "support/temporary_folder.hpp"

namespace {
bool is_drive = false;
}

extern "C" int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (is_drive && flags != 0 && ::access(to, F_OK) == 0) {
    errno = EINVAL;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

extern "C" ssize_t copy_file_range(int from, off64_t* at, int to, off64_t* to_at, std::size_t size, unsigned flags) {
  if (is_drive) {
    errno = EXDEV;
    return -1;
  }
  return ::syscall(SYS_copy_file_range, from, at, to, to_at, size, flags);
}

namespace picket {
namespace {

namespace fs = std::filesystem;

class FoldersOnDrives : public ::testing::Test {
 protected:
  FoldersOnDrives() { is_drive = true; }
  ~FoldersOnDrives() override { is_drive = false; }
  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
};

TEST_F(FoldersOnDrives, one_takes_the_place_of_another_and_somebodys_old_one_beside_it_stays) {
  temporary_.write("place.old/letter", "dear");
  temporary_.write("place/old", "old");
  temporary_.write("fresh/new", "new");
  ASSERT_TRUE(replace_folder(root_ / "fresh", root_ / "place"));
  EXPECT_TRUE(fs::exists(root_ / "place" / "new"));
  EXPECT_FALSE(fs::exists(root_ / "place" / "old"));
  EXPECT_EQ(read_file(root_ / "place.old" / "letter", 100).value(), "dear");
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 2) << "nothing is left of what was there";
}

TEST_F(FoldersOnDrives, a_file_that_does_not_fit_is_named) {
  temporary_.write("large", std::string(300'000, 'x'));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100'000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto copied = copy_whole_file(root_ / "large", root_ / "copy");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(copied);
  EXPECT_NE(copied.error().message.find((root_ / "copy").native()), std::string::npos) << copied.error().message;
}

}  // namespace
}  // namespace picket
