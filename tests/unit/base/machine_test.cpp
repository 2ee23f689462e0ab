#include "base/machine.hpp"

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "support/temporary_folder.hpp"

namespace picket {
namespace {

TEST(Machine, is_marked_by_its_id_which_the_mark_does_not_tell) {
  const support::TemporaryFolder folder;
  const auto mark_of = [&](std::string_view id) {
    EXPECT_TRUE(write_file_atomic(folder.path() / "machine-id", id));
    return machine_mark(folder.path() / "machine-id");
  };
  const std::string id = "0123456789abcdef0123456789abcdef";
  const auto mark = mark_of(id + "\n");
  EXPECT_EQ(mark.size(), 16u);
  EXPECT_EQ(mark.find(id.substr(0, 8)), std::string::npos);
  EXPECT_EQ(mark_of(id), mark);
  EXPECT_NE(mark_of("fedcba9876543210fedcba9876543210\n"), mark);
  for (const auto* none : {"", "\n", "uninitialized\n"}) EXPECT_EQ(mark_of(none), "");
  EXPECT_EQ(machine_mark(folder.path() / "absent"), "");
}

TEST(Machine, is_another_one_only_when_both_marks_are_known_and_differ) {
  EXPECT_TRUE(is_of_this_machine("a", "a"));
  EXPECT_TRUE(is_of_this_machine("", "a"));
  EXPECT_TRUE(is_of_this_machine("a", ""));
  EXPECT_FALSE(is_of_this_machine("a", "b"));
}

}  // namespace
}  // namespace picket
