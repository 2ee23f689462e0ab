#include "update/what_is_sent.hpp"

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "support/temporary_folder.hpp"

namespace picket::update {
namespace {

TEST(InstallationId, is_drawn_once_on_each_machine) {
  const support::TemporaryFolder folder;
  const auto first = installation_id(folder.path(), "machine-a");
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(installation_id(folder.path(), "machine-a"), first);
  EXPECT_EQ(installation_id(folder.path(), ""), first);  // its mark cannot be read now
  const auto copied = installation_id(folder.path(), "machine-b");
  EXPECT_NE(copied, first);
  EXPECT_EQ(installation_id(folder.path(), "machine-b"), copied);
}

TEST(InstallationId, of_a_version_that_did_not_say_whose_it_is_is_taken_over) {
  const support::TemporaryFolder folder;
  const std::string id(32, 'a');
  ASSERT_TRUE(write_file_atomic(folder.path() / "installation-id", id));
  EXPECT_EQ(installation_id(folder.path(), "machine-a"), id);
  EXPECT_NE(installation_id(folder.path(), "machine-b"), id);
}

TEST(InstallationId, that_is_damaged_is_drawn_anew) {
  const support::TemporaryFolder folder;
  for (const auto& text : {std::string(), std::string("short"), std::string(32, 'x'), std::string(500, 'a')}) {
    ASSERT_TRUE(write_file_atomic(folder.path() / "installation-id", text));
    const auto id = installation_id(folder.path(), "machine-a");
    EXPECT_EQ(id.size(), 32u);
    EXPECT_EQ(installation_id(folder.path(), "machine-a"), id);
  }
}

}  // namespace
}  // namespace picket::update
