#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/folder_lock.hpp"
#include "storage/space.hpp"
#include "support/leftovers.hpp"
#include "support/temporary_folder.hpp"

namespace picket::storage {
namespace {


TEST(FolderLock, the_second_is_told_who_holds_it) {
  const support::TemporaryFolder folder;
  {
    const auto first = FolderLock::take(folder.path());
    ASSERT_TRUE(first) << first.error().message;
    const auto second = FolderLock::take(folder.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::busy);
    EXPECT_NE(second.error().message.find(folder.path().native()), std::string::npos);
    EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
  }
  EXPECT_TRUE(FolderLock::take(folder.path()));
}

TEST(FolderLock, begins_without_what_a_killed_holder_left_and_touches_nothing_of_one_that_lives) {
  const support::TemporaryFolder folder;
  const auto left = support::leave_cut_off_write(folder / "journal");
  const auto first = FolderLock::take(folder.path());
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_FALSE(std::filesystem::exists(left));
  const auto being_written = support::leave_cut_off_write(folder / "journal");
  EXPECT_FALSE(FolderLock::take(folder.path()));
  EXPECT_TRUE(std::filesystem::exists(being_written));
}

TEST(FolderLock, ends_with_a_killed_process) {
  const support::TemporaryFolder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto lock = FolderLock::take(folder.path());
    const char word = lock ? 'y' : 'n';
    (void)!::write(ready[1], &word, 1);
    ::pause();
    ::_exit(0);
  }
  char word = 0;
  ASSERT_EQ(::read(ready[0], &word, 1), 1);
  EXPECT_EQ(word, 'y');
  EXPECT_FALSE(FolderLock::take(folder.path()));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(FolderLock::take(folder.path()));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(Space, says_how_much_is_missing) {
  const support::TemporaryFolder folder;
  EXPECT_GT(free_bytes(folder.path()).value(), 0u);
  EXPECT_TRUE(require_space(folder.path(), 1, "a byte"));
  const auto refused = require_space(folder.path(), std::uint64_t{1} << 60, "download rules 7");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::no_space);
  EXPECT_EQ(refused.error().message.find("download rules 7 needs "), 0u) << refused.error().message;
}

}  // namespace
}  // namespace picket::storage
