#include "selfupdate/choices.hpp"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "selfupdate/plugin_sets.hpp"
#include "support/leftovers.hpp"
#include "support/temporary_folder.hpp"

namespace picket::selfupdate {
namespace {

namespace fs = std::filesystem;
using plugin_host::Place;

class ChoicesTest : public ::testing::Test {
 protected:
  [[nodiscard]] Choices open() {
    problem_.clear();
    return Choices::open(root_ / "self" / "plugins", problem_);
  }
  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
  std::string problem_;
};

TEST_F(ChoicesTest, are_there_after_a_restart) {
  auto choices = open();
  EXPECT_TRUE(choices.all().empty());
  ASSERT_TRUE(choices.put("picket-plugins", {{"org.example.a", "1.2.0", "/sets/3"}, {"org.example.b", "2.0.0-beta.1", "/sets/3"}}));
  ASSERT_TRUE(choices.put("more", {{"org.example.c", "1.0.0", "/sets/1"}}));
  support::leave_cut_off_write(root_ / "self" / "plugins");
  const auto again = open();
  EXPECT_EQ(problem_, "");
  EXPECT_EQ(support::leftovers_below(root_ / "self"), "");
  ASSERT_EQ(again.all().size(), 3u);
  ASSERT_EQ(again.of("picket-plugins").size(), 2u);
  EXPECT_EQ(again.of("picket-plugins")[1].version, "2.0.0-beta.1");
  EXPECT_EQ(again.of("picket-plugins")[1].root, "/sets/3");
  ASSERT_TRUE(choices.put("picket-plugins", {}));
  EXPECT_TRUE(open().of("picket-plugins").empty());
  EXPECT_EQ(open().all().size(), 1u);
}

TEST_F(ChoicesTest, that_are_damaged_are_none_and_that_is_said) {
  auto choices = open();
  ASSERT_TRUE(choices.put("picket-plugins", {{"org.example.a", "1.2.0", "/sets/3"}}));
  const auto text = read_file(root_ / "self" / "plugins", 10'000).value();
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    ASSERT_TRUE(write_file_atomic(root_ / "self" / "plugins", damaged));
    ASSERT_TRUE(open().all().empty()) << at;
    ASSERT_NE(problem_.find("damaged"), std::string::npos) << problem_;
  }
}

TEST_F(ChoicesTest, that_cannot_be_written_are_as_before) {
  auto choices = open();
  ASSERT_TRUE(choices.put("picket-plugins", {{"org.example.a", "1.2.0", "/sets/3"}}));
  fs::remove_all(root_ / "self");
  ASSERT_TRUE(write_file_atomic(root_ / "self", "a file where the folder belongs"));
  EXPECT_FALSE(choices.put("picket-plugins", {{"org.example.a", "1.3.0", "/sets/4"}}));
  EXPECT_EQ(choices.of("picket-plugins")[0].version, "1.2.0");
}

TEST_F(ChoicesTest, packages_of_a_set_are_found_by_their_names) {
  const auto set = root_ / "set";
  fs::create_directories(set / "org.example.a" / "1.2.0");
  fs::create_directories(set / "org.example.b" / "0.1.0");
  const auto found = packages_in(set);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].id, "org.example.a");
  EXPECT_EQ((*found)[0].version, "1.2.0");
  EXPECT_EQ((*found)[0].root, set);
}

TEST_F(ChoicesTest, a_set_that_holds_something_else_is_refused_by_name) {
  const auto refused = [&](const fs::path& folder, std::string_view said) {
    const auto set = root_ / "set";
    fs::remove_all(set);
    fs::create_directories(set / "org.example.a" / "1.2.0");
    fs::create_directories(set / folder);
    const auto found = packages_in(set);
    ASSERT_FALSE(found) << folder;
    EXPECT_NE(found.error().message.find(said), std::string::npos) << found.error().message;
  };
  refused("readme", "'readme'");
  refused("org.example.a/1.3.0", "org.example.a: holds 2 entries");
  refused("org.example.b/latest", "org.example.b: holds 'latest'");
  refused("org.example.b", "org.example.b: holds 0 entries");
  fs::create_directories(root_ / "empty");
  EXPECT_FALSE(packages_in(root_ / "empty"));
  EXPECT_FALSE(packages_in(root_ / "nowhere"));
}

}  // namespace
}  // namespace picket::selfupdate
