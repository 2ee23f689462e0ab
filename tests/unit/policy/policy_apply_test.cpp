// What is refused, and that a refusal changes nothing.
#include "policy_fixture.hpp"

namespace picket::policy::test {
namespace {

class PolicyApply : public PolicyTest {
 protected:
  void refused(const std::string& envelope, std::string_view why) {
    const auto before = effective();
    const auto revision = policy->shown().revision;
    consumers.applied.clear();
    const auto result = policy->apply(envelope, consumers);
    EXPECT_FALSE(result.applied);
    EXPECT_NE(result.text.find(why), std::string::npos) << result.text;
    EXPECT_EQ(result.policy_revision, revision);
    EXPECT_TRUE(consumers.applied.empty()) << "nobody was bothered";
    EXPECT_EQ(effective(), before);
    EXPECT_NE(policy->shown().text.find(why), std::string::npos) << "the refusal is told: " << policy->shown().text;
  }
};

TEST_F(PolicyApply, takes_a_signed_policy_and_keeps_it_over_a_restart) {
  open_and_start();
  const auto result = policy->apply(signed_document(5, scanner(R"({"mode":"deep"})")), consumers);
  ASSERT_TRUE(result.applied) << result.text;
  EXPECT_EQ(result.policy_revision, 5U);
  ASSERT_EQ(result.outcomes.size(), 1U) << "only who changes is asked";
  EXPECT_EQ(result.outcomes[0].id, "org.picket.scanner");
  EXPECT_NE(effective().find(R"("mode":"deep")"), std::string::npos);
  const auto shown = policy->shown();
  EXPECT_EQ(shown.revision, 5U);
  EXPECT_EQ(shown.signed_by, key.public_key().key_id());
  EXPECT_EQ(shown.applied, clock.now);
  EXPECT_EQ(shown.text, "");

  open();
  EXPECT_EQ(policy->shown().revision, 5U);
  EXPECT_EQ(policy->shown().applied, clock.now);
  EXPECT_NE(effective().find(R"("mode":"deep")"), std::string::npos);
}

TEST_F(PolicyApply, gives_growing_revisions_to_consumers) {
  open_and_start();
  const auto first = policy->effective("org.picket.scanner", scanner_schema)->revision;
  ASSERT_TRUE(policy->apply(signed_document(1, scanner(R"({"max_mb":1})")), consumers).applied);
  const auto second = policy->effective("org.picket.scanner", scanner_schema)->revision;
  EXPECT_GT(second, first);
  EXPECT_EQ(consumers.applied.back().second.revision, second);
  open();
  EXPECT_GE(policy->effective("org.picket.scanner", scanner_schema)->revision, second);
}

TEST_F(PolicyApply, refuses_an_unknown_key) {
  open_and_start();
  const auto stranger = *trust::PrivateKey::generate("ed25519");
  refused(sign(document(1), stranger), "refused");
}

TEST_F(PolicyApply, refuses_a_tampered_payload) {
  open_and_start();
  trust::DsseEnvelope envelope{"application/vnd.picket.policy+json", document(1), {}};
  ASSERT_TRUE(envelope.sign(key));
  envelope.payload = document(1, scanner(R"({"mode":"deep"})"));
  refused(envelope.to_json(), "refused");
}

TEST_F(PolicyApply, refuses_another_payload_type) {
  open_and_start();
  refused(sign(document(1), key, "application/vnd.picket.plugin+json"), "refused");
}

TEST_F(PolicyApply, answers_what_is_no_envelope_and_keeps_the_slip_in_no_memory) {
  open_and_start();
  for (const auto& slip : {std::string(), std::string("root:x:0:0:root:/root:/bin/bash\n"), document(1)}) {
    const auto result = policy->apply(slip, consumers);
    EXPECT_FALSE(result.applied);
    EXPECT_NE(result.text.find("refused: DSSE envelope: "), std::string::npos) << result.text;
    EXPECT_NE(result.text.find("; a policy is signed first (picket-repo dsse sign)"), std::string::npos) << result.text;
    EXPECT_EQ(policy->shown().text, "");
  }
  open();
  EXPECT_EQ(policy->shown().text, "");
}

TEST_F(PolicyApply, refuses_too_few_signatures) {
  options.threshold = 2;
  const auto second = *trust::PrivateKey::generate("ecdsa");
  keys.push_back(second.public_key());
  open_and_start();
  refused(signed_document(1), "refused");
  trust::DsseEnvelope envelope{"application/vnd.picket.policy+json", document(1), {}};
  ASSERT_TRUE(envelope.sign(key));
  ASSERT_TRUE(envelope.sign(second));
  EXPECT_TRUE(policy->apply(envelope.to_json(), consumers).applied);
}

TEST_F(PolicyApply, refuses_without_keys) {
  keys.clear();
  open_and_start();
  refused(signed_document(1), "no policy keys");
}

TEST_F(PolicyApply, knows_a_key_that_came_while_it_ran_and_no_more_one_that_went) {
  open_and_start();
  const auto second = *trust::PrivateKey::generate("ed25519");
  refused(sign(document(1), second), "signed by 0 of the trusted keys");
  keys = {second.public_key()};
  EXPECT_TRUE(policy->apply(sign(document(1), second), consumers).applied);
  const auto result = policy->apply(signed_document(2), consumers);
  EXPECT_FALSE(result.applied);
  EXPECT_EQ(result.policy_revision, 1U);
}

TEST_F(PolicyApply, refuses_another_audience) {
  open_and_start();
  refused(signed_document(1, R"({"audience":{"tenant":"other"}})"), "tenant 'other'");
  refused(signed_document(1, R"({"audience":{"groups":["lab"]}})"), "groups");
  refused(signed_document(1, R"({"audience":{"devices":["pc-2"]}})"), "other devices");
}

TEST_F(PolicyApply, refuses_what_is_too_early_or_too_late) {
  open_and_start();
  refused(signed_document(1, cat(R"({"issued":")", trust::format_time(clock.now + 601), "\"}")), "not issued before");
  refused(signed_document(1, cat(R"({"expires":")", trust::format_time(clock.now), "\"}")), "expired at");
  EXPECT_TRUE(policy->apply(signed_document(1, cat(R"({"issued":")", trust::format_time(clock.now + 600), "\"}")), consumers).applied) << "clock skew";
}

TEST_F(PolicyApply, refuses_an_older_revision) {
  open_and_start();
  ASSERT_TRUE(policy->apply(signed_document(5), consumers).applied);
  refused(signed_document(4), "older than revision 5");
}

TEST_F(PolicyApply, takes_the_same_again_and_refuses_the_same_revision_with_other_content) {
  open_and_start();
  const auto envelope = signed_document(5, scanner(R"({"mode":"deep"})"));
  ASSERT_TRUE(policy->apply(envelope, consumers).applied);
  consumers.applied.clear();
  const auto again = policy->apply(envelope, consumers);
  EXPECT_TRUE(again.applied);
  EXPECT_EQ(again.policy_revision, 5U);
  EXPECT_TRUE(consumers.applied.empty());
  refused(signed_document(5, scanner(R"({"mode":"fast"})")), "other content");
}

TEST_F(PolicyApply, refuses_the_whole_when_one_setting_is_wrong) {
  open_and_start();
  refused(signed_document(1, R"({"plugins":{"org.picket.scanner":{"settings":{"max_mb":5000}},"org.picket.update":{"settings":{"every_minutes":5}}}})"),
          R"(org.picket.scanner: setting max_mb: 5000 breaks the rule "maximum": 1000 (from the policy))");
}

TEST_F(PolicyApply, names_several_mistakes_at_once) {
  open_and_start();
  const auto result = policy->apply(signed_document(1, R"({"plugins":{"org.picket.scanner":{"settings":{"max_mb":5000}},"org.picket.update":{"settings":{"every_minutes":"x"}}}})"), consumers);
  EXPECT_NE(result.text.find("max_mb"), std::string::npos);
  EXPECT_NE(result.text.find("every_minutes"), std::string::npos);
}

TEST_F(PolicyApply, keeps_settings_of_plugins_that_are_not_installed) {
  open_and_start();
  const auto result = policy->apply(signed_document(1, R"({"plugins":{"org.acme.later":{"settings":{"anything":[1]}}}})"), consumers);
  ASSERT_TRUE(result.applied);
  EXPECT_NE(result.text.find("org.acme.later"), std::string::npos);
  EXPECT_EQ(effective("org.acme.later", R"({"properties":{"anything":{"type":"array"}}})"), R"({"anything":[1]})") << "and gives them when it is";
}

TEST_F(PolicyApply, tells_the_host_its_part) {
  open_and_start();
  const auto result = policy->apply(signed_document(1, R"({"host":{"in_process":["org.a"],"disabled":["org.b"]}})"), consumers);
  ASSERT_TRUE(result.applied);
  EXPECT_EQ(result.text, "what it says in \"host\" is taken at picketd's next start");
  EXPECT_EQ(policy->apply(signed_document(2), consumers).text, "") << "as it was at the start";
  ASSERT_TRUE(policy->apply(signed_document(3, R"({"host":{"in_process":["org.a"],"disabled":["org.b"]}})"), consumers).applied);
  EXPECT_EQ(policy->host().in_process, std::vector<std::string>{"org.a"});
  EXPECT_EQ(policy->host().disabled, std::vector<std::string>{"org.b"});
}

TEST_F(PolicyApply, stays_in_force_after_it_expired) {
  open_and_start();
  ASSERT_TRUE(policy->apply(signed_document(1, scanner(R"({"mode":"deep"})")), consumers).applied);
  clock.now += 2 * 86400;
  EXPECT_NE(effective().find("deep"), std::string::npos);
  EXPECT_NE(policy->shown().text.find("expired"), std::string::npos);
  open();
  EXPECT_NE(effective().find("deep"), std::string::npos) << "also after a restart";
  EXPECT_NE(policy->shown().text.find("stays in force as the last known good"), std::string::npos);
}

TEST_F(PolicyApply, forgets_a_refusal_after_the_next_success) {
  open_and_start();
  (void)policy->apply(signed_document(1, scanner(R"({"mode":"slow"})")), consumers);
  EXPECT_NE(policy->shown().text.find("last refusal"), std::string::npos);
  open();
  EXPECT_NE(policy->shown().text.find("last refusal"), std::string::npos) << "kept over a restart";
  ASSERT_TRUE(policy->apply(signed_document(1), consumers).applied);
  EXPECT_EQ(policy->shown().text, "");
}

TEST_F(PolicyApply, forgets_a_refusal_when_the_one_in_force_is_given_again) {
  open_and_start();
  const auto wanted = signed_document(2);
  ASSERT_TRUE(policy->apply(wanted, consumers).applied);
  ASSERT_FALSE(policy->apply(signed_document(1), consumers).applied) << "a slip";
  EXPECT_NE(policy->shown().text.find("last refusal"), std::string::npos);
  EXPECT_EQ(policy->apply(wanted, consumers).text, "revision 2 is in force already");
  EXPECT_EQ(policy->shown().text, "");
  open();
  EXPECT_EQ(policy->shown().text, "") << "for good";
}

TEST_F(PolicyApply, refuses_topics_that_somebody_cannot_do_with_before_anybody_is_offered_them) {
  consumers.on_check = [](const std::string& id, const Topics& topics) -> Result<> {
    if (id == "org.picket.scanner" && topics.answers && topics.answers->empty()) return fail(Code::invalid, "topics.answers leaves out what it needs");
    return {};
  };
  open_and_start();
  refused(signed_document(1, R"({"plugins":{"org.picket.scanner":{"topics":{"answers":[]}}}})"), "refused: org.picket.scanner: topics.answers leaves out what it needs");
  EXPECT_TRUE(policy->apply(signed_document(1, R"({"plugins":{"org.picket.scanner":{"topics":{"answers":["picket.*"]}}}})"), consumers).applied);
}

TEST_F(PolicyApply, topics_alone_are_a_change_that_is_offered_and_taken_back) {
  open_and_start();
  const auto narrower = R"({"plugins":{"org.picket.scanner":{"topics":{"asks":["picket.ksn.*"]}}}})";
  ASSERT_TRUE(policy->apply(signed_document(1, narrower), consumers).applied);
  ASSERT_EQ(consumers.applied.size(), 1U) << "to whom it concerns";
  const Topics expected{.publishes = {}, .subscribes = {}, .answers = {}, .asks = std::vector<std::string>{"picket.ksn.*"}};
  EXPECT_EQ(consumers.applied[0].second.topics, expected);
  EXPECT_EQ(policy->topics("org.picket.scanner"), expected);
  EXPECT_EQ(policy->topics("org.picket.update"), Topics());
  EXPECT_EQ(policy->effective("org.picket.scanner", scanner_schema)->topics, expected) << "and at its next start";

  consumers.applied.clear();
  consumers.on_apply = [](const std::string& id, const Effective& settings) {
    const bool ok = settings.topics.asks.has_value();
    return Outcome{id, settings.revision, settings.revision, ok, ok ? "healthy" : "failed", ""};
  };
  EXPECT_FALSE(policy->apply(signed_document(2), consumers).applied);
  ASSERT_EQ(consumers.applied.size(), 2U);
  EXPECT_EQ(consumers.applied[1].second.topics, expected) << "gone back";
  EXPECT_EQ(policy->topics("org.picket.scanner"), expected);
}

}  // namespace
}  // namespace picket::policy::test
