#include "package/pattern.hpp"

#include <regex>
#include <string>

#include <gtest/gtest.h>

namespace picket::package {
namespace {

TEST(Pattern, agrees_with_std_regex) {
  const std::vector<std::string> patterns{
      "^[a-z]+$", "a|b|", "(ab)*c", "^(?:a|bc){2,3}$", "[^0-9]x?", "\\d{3}-\\w+", "^\\s*$", "a{0}b", "x+y*z?", "[\\]\\-a]", "^(a(b(c)?)*)+$", "a.c", "[a-c-]+$", "^$", "\\.", "(a|)(b|)c",
      "[\\dx]+$", "^[^\\s]+$", "a{2}", "a{2,}", "(a{2}){2}", "\\x41\\u0042"};
  const std::vector<std::string> texts{"", "a", "b", "ab", "abc", "abab c", "ababc", "aabc", "bcbc", "bca", "123-abc", "x", "9x", "  ", "a\nc", "a-c", "a]c", "aaaa", "aa", "aaa", "AB", "xyz", "yz", "1", "x1x", "."};
  for (const auto& pattern : patterns) {
    auto ours = Pattern::compile(pattern);
    ASSERT_TRUE(ours) << pattern << ": " << ours.error().message;
    const std::regex theirs(pattern);
    for (const auto& text : texts) EXPECT_EQ(ours->matches(text), std::regex_search(text, theirs)) << "'" << pattern << "' on '" << text << "'";
  }
}

TEST(Pattern, counts_code_points_and_inverts_classes) {
  EXPECT_TRUE(Pattern::compile("^.{3}$")->matches("aé漢"));
  EXPECT_TRUE(Pattern::compile("^[а-я]+$")->matches("привет"));
  EXPECT_FALSE(Pattern::compile("^[\\D]+$")->matches("a1"));
  EXPECT_TRUE(Pattern::compile("^[\\W\\d]+$")->matches("1 -"));
}

TEST(Pattern, takes_linear_time_for_what_makes_backtracking_explode) {
  const auto nested = Pattern::compile("^(a+)+$");
  ASSERT_TRUE(nested);
  EXPECT_FALSE(nested->matches(std::string(4000, 'a') + "!"));
  const auto many = Pattern::compile("^(.*)(.*)(.*)(.*)(.*)(.*)x$");
  ASSERT_TRUE(many);
  EXPECT_FALSE(many->matches(std::string(4000, 'a')));
}

TEST(Pattern, refuses_what_is_too_large_once_written_out) {
  for (const std::string& pattern : {std::string("((((a{100}){100}){100}){100})"), std::string(1025, 'a'), std::string(40, '(') + std::string(40, ')'), std::string("a{1001}")}) {
    const auto compiled = Pattern::compile(pattern);
    ASSERT_FALSE(compiled) << pattern;
    EXPECT_EQ(compiled.error().code, Code::too_large) << pattern;
  }
  std::string nested = "a";
  for (int i = 0; i < 31; ++i) nested = "(" + nested + ")?";
  EXPECT_TRUE(Pattern::compile(nested)) << "nesting alone costs nothing";
  EXPECT_FALSE(Pattern::compile("a")->matches(std::string(70000, 'a'))) << "texts over 64 KiB never match";
}

TEST(Pattern, refuses_what_it_does_not_know) {
  for (const std::string pattern : {"(?=a)", "(?!a)", "(a)\\1", "\\bword\\b", "\\k<x>", "(?<name>a)"}) {
    const auto compiled = Pattern::compile(pattern);
    ASSERT_FALSE(compiled) << pattern;
    EXPECT_EQ(compiled.error().code, Code::unsupported) << pattern;
  }
  for (const std::string pattern : {"(", ")", "[", "[a", "a**", "*", "+a", "a{", "a{2,1}", "\\", "[z-a]", "[\\d-z]", "\\x4", "^*", "{2}"}) {
    const auto compiled = Pattern::compile(pattern);
    ASSERT_FALSE(compiled) << pattern;
    EXPECT_EQ(compiled.error().code, Code::invalid) << pattern;
  }
}

}  // namespace
}  // namespace picket::package
