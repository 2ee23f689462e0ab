#include "policy/layers.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace picket::policy {
namespace {

json::value parse(std::string_view text) { return json::parse(text); }

TEST(Layers, merge_objects_by_member_and_replace_the_rest) {
  auto under = parse(R"({"a":{"x":1,"y":[1,2]},"b":1,"c":{"d":1}})");
  merge(under, parse(R"({"a":{"y":[3],"z":null},"b":{"new":true},"c":5})"));
  EXPECT_EQ(under, parse(R"({"a":{"x":1,"y":[3],"z":null},"b":{"new":true},"c":5})"));
}

TEST(Layers, split_a_policy_at_its_locks) {
  const auto settings = parse(R"({"a":{"x":1,"y":2},"b":3,"c":{"d":{}}})");
  Locks locks;
  locks.paths = {{"a", "x"}, {"c"}};
  const auto parts = split(settings.get_object(), locks);
  EXPECT_EQ(json::value(parts.locked), parse(R"({"a":{"x":1},"c":{"d":{}}})"));
  EXPECT_EQ(json::value(parts.unlocked), parse(R"({"a":{"y":2},"b":3})"));
  locks.everything = true;
  EXPECT_EQ(json::value(split(settings.get_object(), locks).locked), settings);
}

TEST(Layers, local_values_lose_what_is_locked_and_what_would_replace_it) {
  const auto local = parse(R"({"a":{"x":9,"y":8},"b":7,"c":5})");
  Locks locks;
  locks.paths = {{"a", "x"}, {"c", "d"}};  // local c is a number: it would wipe out c.d
  EXPECT_EQ(json::value(without_locked(local.get_object(), locks)), parse(R"({"a":{"y":8},"b":7})"));
  locks.everything = true;
  EXPECT_TRUE(without_locked(local.get_object(), locks).empty());
}

TEST(Layers, leaves_are_scalars_arrays_and_empty_objects) {
  std::vector<std::string> names;
  for_each_leaf(parse(R"({"a":{"b":1,"c":{}},"d":[{"e":1}]})"), [&](const Path& path, const json::value&) { names.push_back(format_name(path)); });
  EXPECT_EQ(names, (std::vector<std::string>{"a.b", "a.c", "d"}));
}

TEST(Layers, find_does_not_walk_through_scalars) {
  const auto tree = parse(R"({"a":{"b":1}})");
  EXPECT_NE(find(tree, {"a", "b"}), nullptr);
  EXPECT_EQ(find(tree, {"a", "b", "c"}), nullptr);
  EXPECT_EQ(find(tree, {"x"}), nullptr);
}

}  // namespace
}  // namespace picket::policy
