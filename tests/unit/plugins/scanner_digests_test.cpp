// The scanner and its digest databases, full and light, without KSN.
#include "unit/plugins/scanner_digests_rig.hpp"

using namespace picket::plugin_tests;

namespace {

class ScannerDigests : public ScannerDigestsRig {};

TEST_F(ScannerDigests, works_without_any) {
  files_.write("a", "THE-MARK");
  const auto got = scan_files();
  EXPECT_EQ(got.decided, Texts{"a: rule: marked"});
  EXPECT_EQ(got.reply.digests_release(), 0u);
  EXPECT_EQ(state().lost(), "");
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(ScannerDigests, without_rules_say_that_the_rules_are_missing) {
  host_.stop();
  host_.destroy();
  ASSERT_EQ(host_.create("org.picket.scanner"), PICKET_OK) << host_.error();
  ASSERT_EQ(host_.start("{}"), PICKET_OK) << host_.error();
  text_of(activate_digests("full", {{"evil"}}));
  const auto got = run({files_.path()});
  EXPECT_EQ(got.answer.status, PICKET_E_UNAVAILABLE);
  EXPECT_EQ(got.answer.payload, "no rules yet, only digests: picketctl update run brings the component yara-rules");
  EXPECT_FALSE(state().ready());
  EXPECT_NE(state().text().find("component yara-rules; 1 digests of release 7 (full)"), std::string::npos) << state().text();
}

TEST_F(ScannerDigests, full_finds_clears_and_says_who_decided) {
  EXPECT_EQ(text_of(activate_digests("full", {{"evil"}, {"good THE-MARK", Verdict::trusted}, {"tool", Verdict::abusable}, {"evil THE-MARK", Verdict::untrusted, "", ""}})), "4 digests, 1 of them trusted");
  files_.write("evil", "evil");
  files_.write("good", "good THE-MARK");
  files_.write("tool", "tool");
  files_.write("both", "evil THE-MARK");
  files_.write("other", "other THE-MARK");
  files_.write("empty", "");
  const auto got = scan_files();
  EXPECT_EQ(got.decided, (Texts{"both: database: untrusted", "both: rule: marked", "evil: database: Evil", "other: rule: marked"}));
  EXPECT_EQ(got.reply.suppressed(), 1u);
  EXPECT_EQ(got.reply.suspected(), 0u);
  EXPECT_EQ(got.reply.digests_release(), 7u);
  EXPECT_EQ(got.reply.digests_variant(), "full");
  EXPECT_TRUE(host_.asked().empty()) << "KSN is not in use";
  for (const auto& event : events_of(got.answer.stream)) {
    if (!event.has_finding()) continue;
    EXPECT_EQ(event.finding().sha256().size(), 64u);
    if (event.finding().rule() == "Evil") {
      EXPECT_EQ(event.finding().category(), "trojan");
      EXPECT_EQ(event.finding().sha256(), picket::sha256_hex("evil"));
      EXPECT_EQ(event.finding().description(), "in the digest database of release 7");
    }
  }
  EXPECT_EQ(state().digests(), 4u);
  EXPECT_EQ(state().lost(), "");
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(ScannerDigests, light_without_ksn_only_suspects_and_says_what_is_lost) {
  EXPECT_EQ(text_of(activate_digests("light", {{"evil"}, {"evil THE-MARK"}})), "2 digests in a filter");
  files_.write("evil", "evil");
  files_.write("both", "evil THE-MARK");
  const auto got = scan_files();
  EXPECT_EQ(got.decided, (Texts{"both: rule: marked", "evil: filter: suspected"}));
  EXPECT_EQ(got.reply.findings(), 1u);
  EXPECT_EQ(got.reply.suspected(), 1u);
  EXPECT_EQ(got.reply.asked(), 0u);
  EXPECT_EQ(got.reply.unanswered(), 2u);
  EXPECT_EQ(got.reply.note(), "KSN is not in use (no plugin has said so)");
  const std::string lost = "KSN is not in use (no plugin has said so): what only the light digest database hits is suspected, not confirmed";
  EXPECT_EQ(state().lost(), lost);
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_DEGRADED);
  EXPECT_EQ(host_.health().back().text, lost);
  say_ksn(true, "Enabled (Private)");
  EXPECT_EQ(state().lost(), "");
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_HEALTHY);
  say_ksn(false, "Disabled", "Disabled");
  EXPECT_EQ(state().lost(), "KSN is not in use (Disabled): what only the light digest database hits is suspected, not confirmed");
}

TEST_F(ScannerDigests, goes_from_full_to_light_and_back) {
  files_.write("evil", "evil");
  text_of(activate_digests("full", {{"evil"}}, 1));
  EXPECT_EQ(scan_files().decided, Texts{"evil: database: Evil"});
  text_of(activate_digests("light", {{"evil"}}, 1));
  EXPECT_EQ(scan_files().decided, Texts{"evil: filter: suspected"});
  text_of(activate_digests("full", {{"evil"}}, 2));
  EXPECT_EQ(scan_files().decided, Texts{"evil: database: Evil"});
  EXPECT_EQ(state().digests_release(), 2u);
}

TEST_F(ScannerDigests, keeps_the_old_when_a_set_is_refused) {
  files_.write("evil", "evil");
  text_of(activate_digests("full", {{"evil"}}, 1));
  const auto refused = [&](const std::string& folder, const std::string& why) {
    const auto got = activate((rules_.path() / folder).string(), 9, "digests", "light");
    EXPECT_LT(got.status, 0);
    EXPECT_NE(got.payload.find(why), std::string::npos) << got.payload;
    EXPECT_EQ(got.payload.find('\n'), std::string::npos);
    EXPECT_NE(state().text().find("digests release 9 (light) was refused: "), std::string::npos) << state().text();
  };
  refused("none", "holds no digests");
  rules_.write("rubbish/digests.light", "rubbish");
  refused("rubbish", "digests.light: is no digest database");
  rules_.write("cut/digests.full", "PKDIGFUL");
  refused("cut", "its header is cut off");
  rules_.write("both/digests.full", "x");
  rules_.write("both/digests.light", "x");
  refused("both", "holds both");
  EXPECT_EQ(state().digests_release(), 1u);
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_DEGRADED);
  EXPECT_EQ(scan_files().decided, Texts{"evil: database: Evil"});
  text_of(activate_digests("full", {{"evil"}}, 10));
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(ScannerDigests, swaps_them_under_a_running_scan_which_ends_with_the_old) {
  text_of(activate_digests("full", {{"evil"}}, 1));
  for (int i = 0; i < 20; ++i) files_.write("f" + std::to_string(i), "evil");
  const auto id = ask_to_scan({files_.path().string()}, 300);
  ASSERT_TRUE(host_.wait_for([&] { return !host_.answer(id).stream.empty(); }));
  text_of(activate_digests("full", {{"other"}}, 2));
  EXPECT_TRUE(scan_files().findings.empty());
  const auto old = finish(id, 1u << 20);
  EXPECT_EQ(old.reply.digests_release(), 1u);
  EXPECT_EQ(old.findings.size(), 20u);
}

TEST_F(ScannerDigests, still_decides_when_the_rules_do_not_come_to_an_end) {
  text_of(activate_rule("rule slow { condition: for all i in (0..2000000000) : ( for all j in (0..2000000000) : ( i + j >= 0 ) ) }", 2));
  text_of(activate_digests("full", {{"evil"}}));
  ASSERT_EQ(host_.apply(R"({"file_timeout_seconds":1})", 2), PICKET_OK);
  files_.write("evil", "evil");
  const auto got = scan_files();
  EXPECT_EQ(got.decided, Texts{"evil: database: Evil"});
  EXPECT_EQ(got.skipped.size(), 1u);
}

}  // namespace
