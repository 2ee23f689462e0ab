#include "policy/names.hpp"

#include <gtest/gtest.h>

namespace picket::policy {
namespace {

TEST(SettingName, reads_dotted_names_and_pointers) {
  EXPECT_EQ(*parse_name("limits.max_bytes"), (Path{"limits", "max_bytes"}));
  EXPECT_EQ(*parse_name("/limits/max.bytes"), (Path{"limits", "max.bytes"}));
  EXPECT_EQ(*parse_name("/a~1b/c~0d"), (Path{"a/b", "c~d"}));
  EXPECT_EQ(*parse_name(""), Path{});
}

TEST(SettingName, refuses_what_is_ambiguous_or_too_long) {
  for (const std::string& bad : {std::string("a..b"), std::string(".a"), std::string("a."), std::string("/a~2"), std::string("/a~"), std::string(1025, 'a')}) {
    const auto path = parse_name(bad);
    ASSERT_FALSE(path) << bad;
    EXPECT_EQ(path.error().code, Code::invalid);
  }
  std::string deep = "a";
  for (int i = 0; i < 32; ++i) deep += ".a";
  EXPECT_FALSE(parse_name(deep));
}

TEST(SettingName, writes_what_it_reads_back) {
  for (const Path& path : {Path{"a"}, Path{"a", "b"}, Path{"a.b", "c"}, Path{"a/b", "~"}, Path{"/", "x"}, Path{""}}) EXPECT_EQ(*parse_name(format_name(path)), path) << format_name(path);
}

}  // namespace
}  // namespace picket::policy
