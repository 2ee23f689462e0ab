#include "trust/held_back.hpp"

#include <gtest/gtest.h>

namespace picket::trust {
namespace {

TEST(HeldBack, comes_back_as_it_was_written) {
  const HeldBack held{{"mail-filter", {1}}, {"yara-rules", {7, 8}}};
  EXPECT_EQ(write_held_back(held), R"({"held":{"mail-filter":[1],"yara-rules":[7,8]}})");
  const auto read = parse_held_back(write_held_back(held));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, held);
  EXPECT_TRUE(holds_back(*read, "yara-rules", 8));
  EXPECT_FALSE(holds_back(*read, "yara-rules", 9));
  EXPECT_FALSE(holds_back(*read, "rules", 7));
}

TEST(HeldBack, takes_nothing_that_it_does_not_know) {
  for (const char* bad : {"", "[]", "{}", R"({"held":[]})", R"({"held":{"Up There":[1]}})", R"({"held":{"rules":1}})", R"({"held":{"rules":["1"]}})", R"({"held":{"rules":[0]}})",
                          R"({"held":{"rules":[1.5]}})", R"({"held":{"rules":[1]}} )" "x"})
    EXPECT_FALSE(parse_held_back(bad)) << bad;
  EXPECT_EQ(parse_held_back(std::string(kMostHeldBack + 1, ' ')).error().code, Code::too_large);
}

}  // namespace
}  // namespace picket::trust
