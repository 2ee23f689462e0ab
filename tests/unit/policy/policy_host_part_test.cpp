// A part of the host has rules that its schema cannot say, and starts whatever is set for it.
#include "policy_fixture.hpp"

namespace picket::policy::test {
namespace {

constexpr const char* part = "org.picket.update";
constexpr const char* hours_schema = R"({"type":"object","additionalProperties":false,"properties":{
  "warning":{"type":"integer","default":72},"critical":{"type":"integer","default":168},"place":{"type":"string","default":"none"}}})";

class PolicyHostPart : public PolicyTest {
 protected:
  void SetUp() override {
    PolicyTest::SetUp();
    consumers.all = {{part, hours_schema}};
    options.host_parts.emplace(part, [](std::string_view settings) -> Result<> {
      const auto hours = json::parse(settings).as_object();
      if (hours.at("warning").as_int64() >= hours.at("critical").as_int64()) return fail(Code::invalid, "critical: must be more than warning (ftp://me:4711@host/)");
      return {};
    });
  }
  static std::string of_policy(std::string_view settings) { return cat(R"({"plugins":{")", part, R"(":{"settings":)", settings, "}}}"); }
  std::string in_force() { return effective(part, consumers.all[0].schema_json); }
  void is_told(std::string_view what) { EXPECT_NE(policy->shown().text.find(what), std::string::npos) << policy->shown().text; }
};

TEST_F(PolicyHostPart, a_local_file_that_only_the_part_itself_refuses_is_left_out_loudly) {
  local(part, R"({"warning":200})");
  open();
  const auto settings = policy->effective(part, hours_schema);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(json::parse(settings->json), json::parse(R"({"warning":72,"critical":168,"place":"none"})"));
  const std::vector<std::string> expected{"local settings of org.picket.update are ignored: org.picket.update: critical: must be more than warning (ftp://***@host/)"};
  EXPECT_EQ(settings->warnings, expected) << "and no secret is said";
  EXPECT_EQ(policy->shown().problems, expected);
  local(part, R"({"warning":100})");
  ASSERT_TRUE(policy->reload_local(consumers).applied);
  EXPECT_EQ(policy->shown().text, "");
}

TEST_F(PolicyHostPart, a_reload_that_only_the_part_itself_refuses_is_offered_to_nobody) {
  open_and_start();
  const auto before = in_force();
  local(part, R"({"warning":200})");
  const auto result = policy->reload_local(consumers);
  EXPECT_FALSE(result.applied);
  EXPECT_NE(result.text.find("local values stay as they were: org.picket.update: critical: must be more than warning"), std::string::npos) << result.text;
  EXPECT_TRUE(consumers.applied.empty());
  EXPECT_EQ(in_force(), before);
}

TEST_F(PolicyHostPart, a_policy_that_only_the_part_itself_refuses_is_offered_to_nobody) {
  open_and_start();
  ASSERT_TRUE(policy->apply(signed_document(1, of_policy(R"({"warning":100})")), consumers).applied);
  consumers.applied.clear();
  const auto result = policy->apply(signed_document(2, of_policy(R"({"warning":200})")), consumers);
  EXPECT_FALSE(result.applied);
  EXPECT_NE(result.text.find("refused: org.picket.update: critical: must be more than warning"), std::string::npos) << result.text;
  EXPECT_TRUE(consumers.applied.empty());
  open();
  EXPECT_EQ(policy->shown().revision, 1U);
  EXPECT_NE(in_force().find(R"("warning":100)"), std::string::npos) << "the last known good one, also after a restart: " << in_force();
}

TEST_F(PolicyHostPart, a_policy_that_local_values_contradict_wins) {
  local(part, R"({"critical":150})");
  open_and_start();
  ASSERT_TRUE(policy->apply(signed_document(1, of_policy(R"({"warning":160})")), consumers).applied);
  is_told("local settings of org.picket.update are ignored");
  ASSERT_TRUE(policy->apply(signed_document(2, of_policy(R"({"warning":140})")), consumers).applied);
  EXPECT_EQ(policy->shown().text, "") << "they fit again";
  EXPECT_NE(in_force().find(R"("critical":150)"), std::string::npos) << in_force();
}

TEST_F(PolicyHostPart, a_stored_policy_that_fitted_only_beside_local_values_that_are_gone_gives_what_fits_of_it) {
  local(part, R"({"critical":400})");
  open_and_start();
  ASSERT_TRUE(policy->apply(signed_document(1, of_policy(R"({"warning":300,"place":"here"})")), consumers).applied);
  std::filesystem::remove(options.local_dir / cat(part, ".json"));
  open_and_start();
  EXPECT_EQ(json::parse(in_force()), json::parse(R"({"warning":72,"critical":168,"place":"here"})"));
  is_told("the policy's setting warning is ignored: org.picket.update: critical: must be more than warning");
  EXPECT_EQ(policy->shown().revision, 1U) << "it stays in force";
  const auto explained = policy->explain(part, hours_schema, "warning");
  ASSERT_TRUE(explained) << explained.error().message;
  EXPECT_EQ(explained->front().value_json, "72");

  local(part, R"({"critical":500})");
  ASSERT_TRUE(policy->reload_local(consumers).applied);
  EXPECT_NE(in_force().find(R"("warning":300)"), std::string::npos) << in_force();
  EXPECT_EQ(policy->shown().text, "");
}

TEST_F(PolicyHostPart, a_stored_policy_against_the_schema_of_another_version_gives_what_fits_of_it) {
  open_and_start();
  ASSERT_TRUE(policy->apply(signed_document(1, of_policy(R"({"warning":200,"place":"here","critical":300})")), consumers).applied);
  open();
  consumers.all[0].schema_json = R"({"type":"object","additionalProperties":false,"properties":{"warning":{"type":"integer","default":72},"critical":{"type":"integer","default":168}}})";
  EXPECT_EQ(json::parse(in_force()), json::parse(R"({"warning":200,"critical":300})")) << "also what fits only beside a later one";
  is_told("the policy's setting place is ignored: org.picket.update: setting place: is unknown (from the policy)");
  EXPECT_FALSE(policy->apply(signed_document(2, of_policy(R"({"place":"there"})")), consumers).applied) << "a new one is judged as a whole";
  EXPECT_TRUE(policy->apply(signed_document(3, of_policy(R"({"warning":1})")), consumers).applied);
  EXPECT_EQ(policy->shown().text, "");
}

}  // namespace
}  // namespace picket::policy::test
