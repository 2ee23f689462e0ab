#include "policy/compose.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace picket::policy {
namespace {

constexpr std::string_view schema_text = R"({"type":"object","additionalProperties":false,"properties":{
  "port":{"type":"integer","maximum":65535,"default":80},
  "limits":{"type":"object","properties":{"cpu":{"type":"integer","default":50},"io":{"type":"integer","maximum":100}}},
  "list":{"type":"array","items":{"type":"integer"}}}})";

struct Given {
  std::string policy = "{}", local = "{}";
  std::vector<Path> locked{};
  bool everything = false;
};

PluginPolicy policy_of(const Given& given) {
  PluginPolicy out;
  out.settings = json::parse(given.policy).get_object();
  out.locks.paths = given.locked;
  out.locks.everything = given.everything;
  return out;
}
LocalFile local_of(const Given& given) { return {"/etc/picket/settings/x.json", json::parse(given.local).get_object(), {}}; }

std::string result(const Given& given) {
  const auto schema = CompiledSchema::compile(schema_text);
  const auto policy = policy_of(given);
  const auto composed = compose("x", *schema, &policy, local_of(given));
  if (!composed) return composed.error().message;
  return json::serialize(composed->settings) + composed->local_problem;
}

TEST(Compose, later_layers_win) {
  EXPECT_EQ(result({}), R"({"port":80,"limits":{"cpu":50}})");
  EXPECT_EQ(result({.policy = R"({"port":1})"}), R"({"port":1,"limits":{"cpu":50}})");
  EXPECT_EQ(result({.policy = R"({"port":1})", .local = R"({"port":2})"}), R"({"port":2,"limits":{"cpu":50}})");
  EXPECT_EQ(result({.policy = R"({"port":1})", .local = R"({"port":2})", .locked = {{"port"}}}), R"({"port":1,"limits":{"cpu":50}})");
  EXPECT_EQ(result({.policy = R"({"list":[1,2]})", .local = R"({"list":[3]})"}), R"({"list":[3],"port":80,"limits":{"cpu":50}})");
}

TEST(Compose, a_lock_without_a_value_locks_the_default) {
  EXPECT_EQ(result({.local = R"({"port":2,"limits":{"cpu":9,"io":5}})", .locked = {{"port"}, {"limits", "cpu"}}}), R"({"limits":{"io":5,"cpu":50},"port":80})");
  EXPECT_EQ(result({.policy = R"({"port":7})", .local = R"({"port":2,"limits":{"io":5}})", .everything = true}), R"({"port":7,"limits":{"cpu":50}})");
}

TEST(Compose, names_the_layer_of_a_bad_value) {
  EXPECT_EQ(result({.policy = R"({"port":70000})"}), R"(x: setting port: 70000 breaks the rule "maximum": 65535 (from the policy))");
  EXPECT_EQ(result({.policy = R"({"port":70000})", .locked = {{"port"}}}), R"(x: setting port: 70000 breaks the rule "maximum": 65535 (from the locked policy))");
  EXPECT_EQ(result({.policy = R"({"limits":{"io":101}})"}), R"(x: setting limits.io: 101 breaks the rule "maximum": 100 (from the policy))");
  EXPECT_EQ(result({.policy = R"({"list":["a"]})"}), R"(x: setting list.[0]: "a" breaks the rule "type": "integer" (from the policy))");
  EXPECT_EQ(result({.policy = R"({"typo":1})"}), "x: setting typo: is unknown (from the policy)");
}

TEST(Compose, says_it_in_one_line) {
  EXPECT_EQ(result({.policy = R"({"a\nb":1})"}), "x: setting a\\nb: is unknown (from the policy)");
  EXPECT_EQ(CompiledSchema::compile(R"({"$ref":"a\nb"})").error().message.find('\n'), std::string::npos);
}

TEST(Compose, leaves_out_a_bad_local_file_and_says_why) {
  EXPECT_EQ(result({.policy = R"({"port":5})", .local = R"({"port":70000,"limits":{"io":3}})"}),
            R"({"port":5,"limits":{"cpu":50}}x: setting port: 70000 breaks the rule "maximum": 65535 (from the local file /etc/picket/settings/x.json))");
}

TEST(Compose, a_local_mistake_under_a_lock_harms_nothing) {
  EXPECT_EQ(result({.policy = R"({"port":5})", .local = R"({"port":70000,"limits":{"io":3}})", .locked = {{"port"}}}), R"({"limits":{"io":3,"cpu":50},"port":5})");
}

TEST(Explain, shows_each_layer_and_who_won) {
  const auto schema = CompiledSchema::compile(schema_text);
  const Given given{.policy = R"({"port":1,"limits":{"io":5}})", .local = R"({"port":2,"limits":{"io":6}})", .locked = {{"port"}}};
  const auto policy = policy_of(given);
  const auto explained = explain_settings("x", *schema, &policy, local_of(given), "port");
  ASSERT_TRUE(explained);
  ASSERT_EQ(explained->size(), 1U);
  const auto& port = explained->front();
  EXPECT_EQ(port.value_json, "1");
  ASSERT_EQ(port.layers.size(), 4U);
  const auto layer = [&](std::size_t i) { return port.layers[i].name + "=" + port.layers[i].value_json + (port.layers[i].wins ? "!" : ""); };
  EXPECT_EQ(layer(0), "default=80");
  EXPECT_EQ(layer(1), "policy=");
  EXPECT_EQ(layer(2), "local=2");
  EXPECT_EQ(layer(3), "locked policy=1!");

  const auto below = explain_settings("x", *schema, &policy, local_of(given), "limits");
  ASSERT_EQ(below->size(), 2U);
  EXPECT_EQ((*below)[0].setting, "limits.io");
  EXPECT_EQ((*below)[0].layers[2].value_json, "6");
  EXPECT_TRUE((*below)[0].layers[2].wins);
  EXPECT_EQ((*below)[1].setting, "limits.cpu");
  EXPECT_TRUE((*below)[1].layers[0].wins);
  EXPECT_EQ(explain_settings("x", *schema, nullptr, local_of({}), "nothing").error().code, Code::not_found);
  EXPECT_EQ(explain_settings("x", *schema, nullptr, local_of({}), "a..b").error().code, Code::invalid);
}

TEST(Explain, shows_an_ignored_local_file) {
  const auto schema = CompiledSchema::compile(schema_text);
  const auto explained = explain_settings("x", *schema, nullptr, local_of({.local = R"({"port":70000})"}), "port");
  ASSERT_TRUE(explained);
  EXPECT_EQ(explained->front().value_json, "80");
  EXPECT_EQ(explained->front().layers[2].name, "local, ignored");
  EXPECT_FALSE(explained->front().layers[2].wins);
}

}  // namespace
}  // namespace picket::policy
