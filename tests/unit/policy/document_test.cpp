#include "policy/document.hpp"

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace picket::policy {
namespace {

constexpr std::string_view minimal = R"({"policy":1,"revision":3,"issued":"2026-01-01T00:00:00Z","expires":"2027-01-01T00:00:00Z"})";

std::string with(std::string_view member) { return cat(minimal.substr(0, minimal.size() - 1), ",", member, "}"); }
std::string why_not(std::string_view text) {
  const auto document = Document::parse(text);
  return document ? "" : document.error().message;
}

TEST(PolicyDocument, reads_all_parts) {
  const auto document = Document::parse(with(R"("audience":{"tenant":"t","groups":["g"],"devices":["d"]},
    "plugins":{"org.a":{"settings":{"x":0.5},"locked":["x","/a.b/c"],"topics":{"asks":["picket.*","org.a.b"],"publishes":[]}},"org.b":{"locked":true}},
    "host":{"in_process":["org.a"],"stand_in":["org.b"],"disabled":["org.c"]},"approvals":[{"component":"c","release":2,"state":"approved"}],"tasks":[{"id":"1","type":"scan","enabled":false}])"));
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(document->revision, 3U);
  EXPECT_EQ(document->issued, 1767225600);
  EXPECT_EQ(document->audience.groups, std::vector<std::string>{"g"});
  EXPECT_EQ(document->plugins.at("org.a").locks.paths, (std::vector<Path>{{"x"}, {"a.b", "c"}}));
  EXPECT_TRUE(document->plugins.at("org.b").locks.everything);
  const auto& topics = document->plugins.at("org.a").topics;
  EXPECT_EQ(topics.asks, (std::vector<std::string>{"picket.*", "org.a.b"}));
  EXPECT_EQ(topics.publishes, std::vector<std::string>());
  EXPECT_FALSE(topics.subscribes || topics.answers) << "not named: as the manifest says";
  EXPECT_EQ(json::serialize(document->plugins.at("org.picket.tasks").settings), R"({"tasks":{"1":{"enabled":false,"type":"scan"}}})");
  EXPECT_EQ(document->plugins.at("org.picket.tasks").locks.paths, (std::vector<Path>{{"tasks", "1"}}));
  EXPECT_EQ(json::serialize(document->plugins.at("org.picket.update").settings), R"({"approved":[{"component":"c","release":2}],"declined":[]})");
  EXPECT_EQ(document->plugins.at("org.picket.update").locks.paths, (std::vector<Path>{{"approved"}, {"declined"}}));
  EXPECT_EQ(document->host.stand_in, std::vector<std::string>{"org.b"});
  EXPECT_EQ(document->host.disabled, std::vector<std::string>{"org.c"});
  EXPECT_TRUE(Document::parse(minimal));
}

TEST(PolicyDocument, names_what_is_wrong) {
  EXPECT_NE(why_not("[]").find("not a JSON object"), std::string::npos);
  EXPECT_NE(why_not("{").find("line 1"), std::string::npos);
  EXPECT_NE(why_not(R"({"policy":2})").find("version 2"), std::string::npos);
  EXPECT_NE(why_not(R"({"policy":1})").find("expires: is required"), std::string::npos) << why_not(R"({"policy":1})");
  EXPECT_NE(why_not(with(R"("plugin":{})")).find("plugin: is unknown"), std::string::npos) << why_not(with(R"("plugin":{})"));
  EXPECT_NE(why_not(with(R"("plugins":{"org.a":{"lockd":[]}})")).find("lockd"), std::string::npos);
  EXPECT_NE(why_not(with(R"("plugins":{"../etc":{}})")).find("plugins"), std::string::npos);
  EXPECT_NE(why_not(with(R"("plugins":{"org.a":{"locked":["a..b"]}})")).find("locked of org.a"), std::string::npos);
  EXPECT_NE(why_not(with(R"("plugins":{"org.a":{"settings":[]}})")).find("/plugins/org.a/settings: []"), std::string::npos) << why_not(with(R"("plugins":{"org.a":{"settings":[]}})"));
  EXPECT_NE(why_not(R"({"policy":1,"revision":0,"issued":"2026-01-01T00:00:00Z","expires":"2027-01-01T00:00:00Z"})").find("minimum"), std::string::npos);
  EXPECT_NE(why_not(R"({"policy":1,"revision":1,"revision":2,"issued":"2026-01-01T00:00:00Z","expires":"2027-01-01T00:00:00Z"})").find("twice"), std::string::npos);
  EXPECT_NE(why_not(R"({"policy":1,"revision":1,"issued":"yesterday","expires":"2027-01-01T00:00:00Z"})").find("issued: not a time"), std::string::npos);
  EXPECT_NE(why_not(with(R"("plugins":{"org.a":{"topics":{"says":[]}}})")).find("says: is unknown"), std::string::npos);
  EXPECT_NE(why_not(with(R"("plugins":{"org.a":{"topics":{"asks":["bad filter!!"]}}})")).find("asks/[0]: \"bad filter!!\" breaks the rule \"pattern\""), std::string::npos)
      << why_not(with(R"("plugins":{"org.a":{"topics":{"asks":["bad filter!!"]}}})"));
  EXPECT_NE(why_not(with(R"("plugins":{"org.picket.update":{"topics":{}}})")).find("org.picket.update.topics: it is a part of the host"), std::string::npos);
  EXPECT_NE(why_not(with(R"("tasks":[{"id":"a"},{"id":"a"}])")).find("two tasks have the id 'a'"), std::string::npos);
  const auto approvals = [](std::string_view approved, std::string_view declined) {
    return why_not(with(cat(R"("approvals":[{"component":"c",)", approved, R"("state":"approved"},{"component":"c",)", declined, R"("state":"declined"}])")));
  };
  EXPECT_EQ(approvals("", ""), "policy: approvals: every release of 'c' is approved, and every release of 'c' is declined");
  EXPECT_EQ(approvals(R"("release":2,)", R"("release":2,)"), "policy: approvals: release 2 of 'c' is approved, and release 2 of 'c' is declined");
  EXPECT_EQ(approvals(R"("release":2,)", ""), "policy: approvals: release 2 of 'c' is approved, and every release of 'c' is declined");
  EXPECT_EQ(approvals("", R"("release":2,)"), "") << "all but one";
  EXPECT_EQ(approvals(R"("release":2,)", R"("release":3,)"), "");
  EXPECT_NE(why_not(with(R"("tasks":[{"id":"A b"}])")).find("tasks.[0].id"), std::string::npos) << why_not(with(R"("tasks":[{"id":"A b"}])"));
  EXPECT_EQ(why_not(with(R"("two\nlines\u001b":1)")), "policy: two\\nlines\\x1b: is unknown") << "one line, whatever a name holds";
  EXPECT_NE(why_not(std::string((4u << 20) + 1, ' ')).find("4 MiB"), std::string::npos);
}

TEST(PolicyAudience, is_a_tenant_and_any_of_groups_and_devices) {
  const Identity me{"acme", "pc-1", {"office", "floor-2"}};
  const auto fits = [&](Audience audience) { return audience.why_not_for(me).empty(); };
  EXPECT_TRUE(fits({"", {}, {}}));
  EXPECT_TRUE(fits({"acme", {}, {}}));
  EXPECT_FALSE(fits({"other", {}, {}}));
  EXPECT_TRUE(fits({"", {"floor-2", "x"}, {}}));
  EXPECT_FALSE(fits({"", {"lab"}, {}}));
  EXPECT_TRUE(fits({"", {"lab"}, {"pc-1"}}));
  EXPECT_FALSE(fits({"", {}, {"pc-2"}}));
  EXPECT_FALSE(fits({"other", {"office"}, {"pc-1"}}));
  EXPECT_NE((Audience{"other", {}, {}}).why_not_for({"", "x", {}}).find("this device is of none"), std::string::npos);
}

TEST(PolicyTimes, are_judged_with_ten_minutes_of_skew) {
  Document document;
  document.issued = 10'000;
  document.expires = 20'000;
  EXPECT_TRUE(check_times(document, 10'000 - 600));
  EXPECT_EQ(check_times(document, 10'000 - 601).error().code, Code::invalid);
  EXPECT_TRUE(check_times(document, 19'999));
  EXPECT_EQ(check_times(document, 20'000).error().code, Code::expired);
  document.expires = 10'000;
  EXPECT_EQ(check_times(document, 10'000).error().code, Code::invalid);
}

}  // namespace
}  // namespace picket::policy
