#include "base/folders.hpp"

#include <cstdlib>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.hpp"
#include "support/temporary_folder.hpp"

namespace picket {
namespace {

namespace fs = std::filesystem;

class Folders : public ::testing::Test {
 protected:
  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
};

TEST_F(Folders, a_file_is_copied_whole_and_never_over_another) {
  const std::string bytes(3u << 20, 'x');
  temporary_.write("a", bytes);
  ASSERT_TRUE(copy_whole_file(root_ / "a", root_ / "b"));
  EXPECT_EQ(read_file(root_ / "b", 4u << 20).value(), bytes);
  EXPECT_FALSE(copy_whole_file(root_ / "a", root_ / "b")) << "it is there already";
  EXPECT_EQ(copy_whole_file(root_ / "none", root_ / "c").error().code, Code::not_found);
}

TEST_F(Folders, only_regular_files_are_copied) {
  temporary_.write("a", "a");
  fs::create_symlink(root_ / "a", root_ / "link");
  EXPECT_FALSE(copy_whole_file(root_ / "link", root_ / "b"));
  EXPECT_FALSE(copy_whole_file(root_, root_ / "c"));
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
  EXPECT_FALSE(copy_whole_file(root_ / "fifo", root_ / "d")) << "and does not wait for a writer";
}

TEST_F(Folders, files_of_a_group_are_written_together_or_not_at_all) {
  temporary_.write("a", "old");
  fs::create_directory(root_ / "sub");
  const std::vector<NewFile> both = {{root_ / "a", "new a"}, {root_ / "sub" / "b", "new b"}};
  ASSERT_TRUE(write_files_atomic(both, 0600));
  EXPECT_EQ(read_file(root_ / "a", 100).value(), "new a");
  EXPECT_EQ(read_file(root_ / "sub" / "b", 100).value(), "new b");
  EXPECT_EQ(fs::status(root_ / "a").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const std::vector<NewFile> one_cannot = {{root_ / "a", "newer"}, {root_ / "none" / "c", "c"}};
  const auto failed = write_files_atomic(one_cannot);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("none"), std::string::npos) << failed.error().message;
  EXPECT_EQ(read_file(root_ / "a", 100).value(), "new a") << "the one that could be written waits for the one that cannot";
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 2) << "no temporary file is left";
}

TEST_F(Folders, one_takes_the_place_of_another) {
  temporary_.write("fresh/sub/new", "new");
  ASSERT_TRUE(sync_tree(root_ / "fresh"));
  ASSERT_TRUE(replace_folder(root_ / "fresh", root_ / "place")) << "there was none";
  EXPECT_FALSE(fs::exists(root_ / "fresh"));
  temporary_.write("fresh/newer", "newer");
  ASSERT_TRUE(replace_folder(root_ / "fresh", root_ / "place"));
  EXPECT_TRUE(fs::exists(root_ / "place" / "newer"));
  EXPECT_FALSE(fs::exists(root_ / "place" / "sub"));
  EXPECT_FALSE(fs::exists(root_ / "fresh")) << "what was there is gone";
}

TEST_F(Folders, what_cannot_be_replaced_stays) {
  temporary_.write("place/old", "old");
  EXPECT_FALSE(replace_folder(root_ / "none", root_ / "place"));
  EXPECT_TRUE(fs::exists(root_ / "place" / "old"));
}

}  // namespace
}  // namespace picket
