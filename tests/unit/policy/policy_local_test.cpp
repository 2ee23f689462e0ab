// Local files: under locks, broken, and edited while running.
#include "policy_fixture.hpp"

namespace picket::policy::test {
namespace {

class PolicyLocal : public PolicyTest {};

TEST_F(PolicyLocal, wins_over_the_policy_unless_locked) {
  local("org.picket.scanner", R"({"mode":"deep","max_mb":9,"limits":{"cpu":1}})");
  open_and_start();
  EXPECT_EQ(effective(), R"({"mode":"deep","max_mb":9,"limits":{"cpu":1,"io":10},"skip":[]})");
  ASSERT_TRUE(policy->apply(signed_document(1, scanner(R"({"mode":"fast","max_mb":3,"limits":{"cpu":2}})", R"(["mode","limits"])")), consumers).applied);
  EXPECT_EQ(json::parse(effective()), json::parse(R"({"mode":"fast","max_mb":9,"limits":{"cpu":2,"io":10},"skip":[]})"));
}

TEST_F(PolicyLocal, a_broken_file_is_left_out_loudly) {
  local("org.picket.scanner", R"({"mode":"deep",})");
  open();
  const auto settings = policy->effective("org.picket.scanner", scanner_schema);
  ASSERT_TRUE(settings) << "the plugin still starts";
  EXPECT_NE(settings->json.find("fast"), std::string::npos);
  ASSERT_EQ(settings->warnings.size(), 1U);
  EXPECT_NE(settings->warnings[0].find("org.picket.scanner.json: not acceptable JSON at line 1"), std::string::npos) << settings->warnings[0];
  EXPECT_NE(policy->shown().text.find("local settings of org.picket.scanner are ignored"), std::string::npos);
}

TEST_F(PolicyLocal, a_value_against_the_schema_is_left_out_loudly) {
  local("org.picket.scanner", R"({"max_mb":0})");
  open_and_start();
  EXPECT_NE(policy->shown().text.find(R"(setting max_mb: 0 breaks the rule "minimum": 1 (from the local file )"), std::string::npos) << policy->shown().text;
  EXPECT_TRUE(policy->apply(signed_document(1, scanner(R"({"mode":"deep"})")), consumers).applied) << "and does not stand in the way of a policy";
}

TEST_F(PolicyLocal, reload_offers_what_changed) {
  open_and_start();
  local("org.picket.scanner", R"({"mode":"deep"})");
  EXPECT_NE(effective().find("fast"), std::string::npos) << "not before it is asked for";
  const auto result = policy->reload_local(consumers);
  ASSERT_TRUE(result.applied) << result.text;
  ASSERT_EQ(consumers.applied.size(), 1U);
  EXPECT_NE(effective().find("deep"), std::string::npos);
}

TEST_F(PolicyLocal, reload_refuses_bad_files_and_keeps_what_is) {
  local("org.picket.scanner", R"({"mode":"deep"})");
  open_and_start();
  const auto before = effective();
  local("org.picket.scanner", R"({"mode":"other"})");
  auto result = policy->reload_local(consumers);
  EXPECT_FALSE(result.applied);
  EXPECT_NE(result.text.find("enum"), std::string::npos) << result.text;
  EXPECT_EQ(policy->shown().problems, std::vector<std::string>{cat("last reload, ", trust::format_time(clock.now), ": ", result.text)});
  local("org.picket.scanner", "[");
  result = policy->reload_local(consumers);
  EXPECT_FALSE(result.applied);
  EXPECT_TRUE(consumers.applied.empty());
  EXPECT_EQ(effective(), before);
  EXPECT_NE(policy->shown().text.find("not acceptable JSON"), std::string::npos) << policy->shown().text;
  local("org.picket.scanner", R"({"mode":"fast"})");
  ASSERT_TRUE(policy->reload_local(consumers).applied);
  EXPECT_EQ(policy->shown().text, "");
}

TEST_F(PolicyLocal, reload_goes_back_when_a_plugin_refuses) {
  open_and_start();
  local("org.picket.scanner", R"({"mode":"deep"})");
  consumers.on_apply = [](const std::string& id, const Effective& settings) {
    const bool bad = settings.json.find("deep") != std::string::npos;
    return Outcome{id, settings.revision, settings.revision, !bad, bad ? "failed" : "healthy", bad ? "too deep" : ""};
  };
  EXPECT_FALSE(policy->reload_local(consumers).applied);
  EXPECT_NE(policy->shown().text.find("too deep"), std::string::npos) << policy->shown().text;
  EXPECT_NE(effective().find("fast"), std::string::npos);
  EXPECT_NE(consumers.last("org.picket.scanner").find("fast"), std::string::npos);
}

TEST_F(PolicyLocal, an_id_cannot_lead_out_of_the_folder) {
  ASSERT_TRUE(write_file_atomic(folder / "outside.json", R"({"mode":"deep"})"));
  open();
  EXPECT_NE(effective("../outside").find("fast"), std::string::npos);
}

TEST_F(PolicyLocal, hides_no_mistake_of_a_policy) {
  local("org.picket.scanner", R"({"max_mb":2,"limits":{"cpu":1}})");
  open_and_start();
  const auto refused = [&](std::string_view settings, std::string_view why) {
    const auto result = policy->apply(signed_document(1, scanner(settings)), consumers);
    EXPECT_FALSE(result.applied) << settings;
    EXPECT_NE(result.text.find(why), std::string::npos) << result.text;
  };
  refused(R"({"max_mb":"many"})", R"(org.picket.scanner: setting max_mb: "many" breaks the rule "type": "integer" (from the policy))");
  refused(R"({"limits":{"cpu":101}})", R"(setting limits.cpu: 101 breaks the rule "maximum": 100 (from the policy))");
  EXPECT_TRUE(consumers.applied.empty());
}

TEST_F(PolicyLocal, may_give_what_a_policy_leaves_out) {
  consumers.all = {{"org.picket.scanner", R"({"type":"object","required":["place"],"properties":{"place":{"type":"string"},"port":{"type":"integer"}}})"}};
  local("org.picket.scanner", R"({"place":"here"})");
  open_and_start();
  const auto result = policy->apply(signed_document(1, scanner(R"({"port":1})")), consumers);
  EXPECT_TRUE(result.applied) << result.text;
}

TEST_F(PolicyLocal, a_lock_on_a_setting_that_does_not_exist_is_refused) {
  local("org.picket.scanner", R"({"max_mb":9})");
  open_and_start();
  for (const auto* name : {"max_bm", "max_mb.all", "skip.[0]"}) {
    const auto result = policy->apply(signed_document(1, scanner("{}", cat("[\"mode\",\"", name, "\"]"))), consumers);
    EXPECT_FALSE(result.applied) << name;
    EXPECT_NE(result.text.find(cat("refused: org.picket.scanner: locked: setting ", name, " is unknown")), std::string::npos) << result.text;
  }
  const auto result = policy->apply(signed_document(1, scanner("{}", R"(["mode","limits.cpu","limits.of_tomorrow"])")), consumers);
  EXPECT_TRUE(result.applied) << "limits takes any member: " << result.text;
}

TEST_F(PolicyLocal, explains_with_the_policy_in_force) {
  local("org.picket.scanner", R"({"max_mb":9})");
  open_and_start();
  ASSERT_TRUE(policy->apply(signed_document(1, scanner(R"({"max_mb":3})", "true")), consumers).applied);
  const auto explained = policy->explain("org.picket.scanner", scanner_schema, "max_mb");
  ASSERT_TRUE(explained);
  EXPECT_EQ(explained->front().value_json, "3");
  EXPECT_EQ(explained->front().layers[2].value_json, "9");
  EXPECT_TRUE(explained->front().layers[3].wins);
}

}  // namespace
}  // namespace picket::policy::test
