// The scanner and KSN: one that answers, one that denies, one that is silent, one that talks nonsense.
#include <functional>

#include "unit/plugins/scanner_digests_rig.hpp"

using namespace picket::plugin_tests;

namespace {

class ScannerKsn : public ScannerDigestsRig {};

TEST_F(ScannerKsn, confirms_denies_and_clears_what_the_light_database_hits) {
  text_of(activate_digests("light", {{"evil"}, {"looks evil"}, {"cleared THE-MARK"}, {"abused"}}));
  answer_ksn();
  teach_ksn("evil", ksn::VERDICT_UNTRUSTED);
  teach_ksn("cleared THE-MARK", ksn::VERDICT_TRUSTED);
  teach_ksn("abused", ksn::VERDICT_ABUSABLE);
  teach_ksn("marked evil THE-MARK", ksn::VERDICT_UNTRUSTED);
  teach_ksn("good THE-MARK", ksn::VERDICT_TRUSTED);
  files_.write("evil", "evil");
  files_.write("looks", "looks evil");
  files_.write("cleared", "cleared THE-MARK");
  files_.write("abused", "abused");
  files_.write("marked", "marked evil THE-MARK");
  files_.write("good", "good THE-MARK");
  files_.write("other", "other THE-MARK");
  files_.write("quiet", "nothing about it 1");
  const auto got = scan_files();
  EXPECT_EQ(got.decided, (Texts{"evil: ksn: Trojan.Test", "marked: ksn: Trojan.Test", "marked: rule: marked", "other: rule: marked"}));
  EXPECT_EQ(got.reply.suppressed(), 2u);
  EXPECT_EQ(got.reply.suspected(), 0u);
  EXPECT_EQ(got.reply.asked(), 7u);
  EXPECT_EQ(got.reply.unanswered(), 0u);
  EXPECT_FALSE(was_asked("nothing about it 1")) << "nothing leaves the computer of files that nobody suspects";
  for (const auto& event : events_of(got.answer.stream))
    if (event.has_finding() && event.finding().decided_by() == "ksn") {
      EXPECT_EQ(event.finding().description(), "untrusted by Global KSN");
      EXPECT_EQ(event.finding().category(), "malware");
    }
}

TEST_F(ScannerKsn, is_not_asked_about_what_a_full_database_knows) {
  text_of(activate_digests("full", {{"evil THE-MARK"}, {"good THE-MARK", Verdict::trusted}, {"tool THE-MARK", Verdict::abusable}}));
  answer_ksn();
  files_.write("evil", "evil THE-MARK");
  files_.write("good", "good THE-MARK");
  files_.write("tool", "tool THE-MARK");
  const auto got = scan_files();
  EXPECT_EQ(got.decided, (Texts{"evil: database: Evil", "evil: rule: marked", "tool: rule: marked"}));
  EXPECT_EQ(got.reply.asked(), 1u);
  EXPECT_TRUE(was_asked("tool THE-MARK"));
}

TEST_F(ScannerKsn, finds_with_light_what_full_finds) {
  std::vector<Listed> list;
  for (int i = 0; i < 300; ++i) list.push_back({"evil " + std::to_string(i)});
  for (int i = 0; i < 300; i += 10) {
    files_.write("e" + std::to_string(i), "evil " + std::to_string(i));
    teach_ksn("evil " + std::to_string(i), ksn::VERDICT_UNTRUSTED);
  }
  for (int i = 0; i < 600; ++i) files_.write("harmless" + std::to_string(i), "harmless " + std::to_string(i));
  text_of(activate_digests("full", list));
  const auto full = scan_files();
  text_of(activate_digests("light", list));
  answer_ksn();
  const auto light = scan_files();
  const auto files_of = [](const Scanned& got) {
    std::set<std::string> out;
    for (const auto& each : got.findings) out.insert(each.substr(0, each.find(':')));
    return out;
  };
  EXPECT_EQ(files_of(full), files_of(light));
  EXPECT_EQ(files_of(full).size(), 30u);
  EXPECT_GE(light.reply.asked(), 30u);
  EXPECT_LE(light.reply.asked(), 30u + 12u) << "of 600 harmless files about 2 look like one of the list";
}

TEST_F(ScannerKsn, is_told_where_a_file_lies_when_its_name_can_be_said) {
  files_.write("plain", "THE-MARK 1");
  files_.write("not\xff utf8", "THE-MARK 2");
  answer_ksn();
  EXPECT_EQ(scan_files().reply.asked(), 2u);
  EXPECT_EQ(paths_, (std::set<std::string>{"", (files_.path() / "plain").string()}));
}

TEST_F(ScannerKsn, is_asked_in_batches) {
  for (int i = 0; i < 250; ++i) files_.write("f" + std::to_string(i), "THE-MARK " + std::to_string(i));
  answer_ksn();
  const auto began = std::chrono::steady_clock::now();
  const auto got = scan_files();
  EXPECT_EQ(got.findings.size(), 250u);
  EXPECT_EQ(got.reply.asked(), 250u);
  EXPECT_LE(*std::max_element(batches_.begin(), batches_.end()), 100);
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_LE(batches_.size(), static_cast<std::size_t>(6 + took / std::chrono::milliseconds(50))) << "full ones, those that waited long enough, and what is left at the end";
}

TEST_F(ScannerKsn, is_asked_about_files_in_deep_folders_whose_paths_do_not_fit_into_one_message) {
  std::string deep;
  for (int i = 0; i < 14; ++i) deep += std::string(250, 'd') + "/";
  for (int i = 0; i < 100; ++i) files_.write(deep + std::to_string(i), "THE-MARK " + std::to_string(i));
  answer_ksn();
  const auto got = scan_files();
  EXPECT_EQ(got.reply.asked(), 100u);
  EXPECT_EQ(got.reply.unanswered(), 0u) << got.reply.note();
  EXPECT_EQ(asked_.size(), 100u);
}

TEST_F(ScannerKsn, is_asked_about_ten_thousand_files_in_one_scan_and_none_is_lost) {
  text_of(activate_digests("light", {{"evil 7000"}}));
  answer_ksn();
  teach_ksn("evil 7000", ksn::VERDICT_UNTRUSTED);
  for (int i = 0; i < 10'000; ++i) files_.write(std::to_string(i), i == 7000 ? "evil 7000" : "THE-MARK " + std::to_string(i));
  const auto got = scan_files();
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.reply.asked(), 10'000u);
  EXPECT_EQ(got.findings.size(), 10'000u);
  EXPECT_EQ(asked_.size(), 10'000u);
  EXPECT_LE(*std::max_element(batches_.begin(), batches_.end()), 100);
}

TEST_F(ScannerKsn, that_has_no_answer_leaves_hits_suspected_and_alarms_standing) {
  text_of(activate_digests("light", {{"evil"}}));
  answer_ksn();
  from_ = ksn::Checked::NOBODY;
  files_.write("evil", "evil");
  files_.write("marked", "THE-MARK");
  const auto got = scan_files();
  EXPECT_EQ(got.decided, (Texts{"evil: filter: suspected", "marked: rule: marked"}));
  EXPECT_EQ(got.reply.asked(), 2u);
  EXPECT_EQ(got.reply.unanswered(), 2u);
  EXPECT_EQ(got.reply.note(), "KSN does not answer (no network)");
  EXPECT_EQ(state().lost(), "KSN does not answer (no network): what only the light digest database hits is suspected, not confirmed");
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_DEGRADED);
  from_ = ksn::Checked::SERVER;
  EXPECT_EQ(scan_files().decided, Texts{"marked: rule: marked"});
  EXPECT_EQ(state().lost(), "");
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(ScannerKsn, that_is_away_is_said_to_be_whatever_its_client_still_knows) {
  text_of(activate_digests("light", {{"evil"}}));
  answer_ksn();
  for (int i = 0; i < 250; ++i) files_.write(std::to_string(i), "evil");
  from_ = ksn::Checked::NOBODY;
  later_ = ksn::Checked::CACHE;
  const auto got = scan_files();
  ASSERT_GT(batches_.size(), 1u);
  EXPECT_GT(got.reply.suspected(), 0u);
  EXPECT_EQ(got.reply.note(), "KSN does not answer (no network)");
  EXPECT_NE(state().lost(), "");
  say_ksn(true, "no network", "Enabled. Not available");
  say_ksn(true, "Enabled (Global)");
  EXPECT_EQ(state().lost(), "") << "it is back";
}

TEST_F(ScannerKsn, that_is_not_in_use_still_says_what_its_client_knows_and_is_not_asked) {
  text_of(activate_digests("light", {{"evil"}, {"denied"}, {"nobody knows"}}));
  answer_ksn();
  teach_ksn("evil", ksn::VERDICT_UNTRUSTED);
  teach_ksn("denied", ksn::VERDICT_UNKNOWN);
  teach_ksn("ours THE-MARK", ksn::VERDICT_TRUSTED);
  files_.write("evil", "evil");
  files_.write("denied", "denied");
  files_.write("nobody", "nobody knows");
  files_.write("ours", "ours THE-MARK");
  say_ksn(false, "requests are stopped", "Enabled with restrictions", true);
  const auto got = scan_files();
  EXPECT_EQ(got.decided, (Texts{"evil: ksn: Trojan.Test", "nobody: filter: suspected"}));
  EXPECT_EQ(got.reply.suppressed(), 1u);
  EXPECT_EQ(got.reply.suspected(), 1u);
  EXPECT_EQ(got.reply.asked(), 0u);
  EXPECT_TRUE(asked_.empty()) << "nothing leaves the computer";
  EXPECT_EQ(got.reply.note(), "KSN is not in use (requests are stopped)");
}

TEST_F(ScannerKsn, that_is_not_in_use_and_whose_client_is_gone_is_not_said_to_be_silent) {
  say_ksn(false, "Disabled", "Disabled", true);
  host_.when_asked("picket.ksn.check", [](const auto&) { return picket::testing::Reply{.status = PICKET_E_UNAVAILABLE, .payload = "nobody answers"}; });
  text_of(activate_digests("light", {{"evil"}}));
  files_.write("evil", "evil");
  const auto got = scan_files();
  EXPECT_EQ(got.decided, Texts{"evil: filter: suspected"});
  EXPECT_EQ(got.reply.note(), "KSN is not in use (Disabled)");
  say_ksn(true, "Enabled (Global)");
  EXPECT_EQ(state().lost(), "") << "it was not KSN that did not answer";
}

TEST_F(ScannerKsn, that_an_exclusion_keeps_from_being_asked_has_not_denied_a_hit) {
  text_of(activate_digests("light", {{"evil"}}));
  answer_ksn();
  from_ = ksn::Checked::LOCAL;
  files_.write("evil", "evil");
  files_.write("marked", "THE-MARK");
  const auto got = scan_files();
  EXPECT_EQ(got.decided, (Texts{"evil: filter: suspected", "marked: rule: marked"}));
  EXPECT_EQ(got.reply.suspected(), 1u);
  EXPECT_EQ(got.reply.note(), "") << "KSN answers";
  EXPECT_EQ(state().lost(), "");
  for (const auto& event : events_of(got.answer.stream))
    if (event.has_finding() && event.finding().suspected()) EXPECT_EQ(event.finding().description(), "hits the light digest database, and an exclusion keeps KSN from being asked");
}

TEST_F(ScannerKsn, that_is_silent_costs_one_deadline_and_no_detection) {
  ASSERT_EQ(host_.apply(R"({"threads":2,"ksn_timeout_ms":100})", 2), PICKET_OK);
  text_of(activate_digests("light", {{"evil 0"}, {"evil 1"}}));
  say_ksn(true, "Enabled (Global)");
  host_.when_asked("picket.ksn.check", [](const auto&) { return std::nullopt; });
  for (int i = 0; i < 250; ++i) files_.write("f" + std::to_string(i), "THE-MARK " + std::to_string(i));
  files_.write("e0", "evil 0");
  const auto began = std::chrono::steady_clock::now();
  const auto got = scan_files();
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_LE(host_.asked().size(), static_cast<std::size_t>(2 * (1 + took / std::chrono::seconds(10)))) << "by each thread once before it rests: each batch would have waited";
  EXPECT_EQ(got.findings.size(), 250u);
  EXPECT_EQ(got.reply.suspected(), 1u);
  EXPECT_EQ(got.reply.unanswered(), 251u);
  EXPECT_NE(state().lost(), "");
  // News of KSN are worth another try at once.
  ASSERT_EQ(host_.apply(R"({"threads":2,"ksn_timeout_ms":30000})", 3), PICKET_OK);
  answer_ksn();
  teach_ksn("evil 0", ksn::VERDICT_UNTRUSTED);
  EXPECT_EQ(scan_files().reply.suspected(), 0u);
}

TEST_F(ScannerKsn, that_nobody_offers_is_like_none) {
  say_ksn(true, "Enabled (Global)");
  host_.when_asked("picket.ksn.check", [](const auto&) { return picket::testing::Reply{.status = PICKET_E_UNAVAILABLE, .payload = "nobody answers\npicket.ksn.check"}; });
  text_of(activate_digests("light", {{"evil"}}));
  files_.write("evil", "evil");
  const auto got = scan_files();
  EXPECT_EQ(got.decided, Texts{"evil: filter: suspected"});
  EXPECT_EQ(got.reply.note(), "KSN does not answer (nobody answers\\x0apicket.ksn.check)");
}

TEST_F(ScannerKsn, that_talks_nonsense_is_not_believed) {
  text_of(activate_digests("light", {{"evil"}, {"evil too"}}));
  files_.write("evil", "evil");
  files_.write("too", "evil too");
  // The two files are asked about together or, when the scan is slow, one by one: each answer is unreadable for either.
  const auto answers = [](int count) {
    ksn::CheckReply reply;
    for (int i = 0; i < count; ++i) {
      auto& checked = *reply.add_checked();
      checked.set_from(ksn::Checked::SERVER);
      checked.mutable_facts()->set_verdict(ksn::VERDICT_TRUSTED);
    }
    return reply.SerializeAsString();
  };
  using Nonsense = std::function<std::string(int)>;
  for (const Nonsense& nonsense : {Nonsense([](int) { return "\xff\xff"; }), Nonsense([](int) { return ""; }), Nonsense([&](int asked) { return answers(asked - 1); }), Nonsense([&](int asked) { return answers(asked + 1); })}) {
    const auto before = host_.asked().size();
    host_.when_asked("picket.ksn.check", [nonsense](const picket::testing::Asked& asked) {
      ksn::CheckRequest request;
      EXPECT_TRUE(request.ParseFromString(asked.message.payload));
      return picket::testing::Reply{.payload = nonsense(request.objects_size())};
    });
    say_ksn(true, "Enabled (Global)");
    const auto got = scan_files();
    EXPECT_GT(host_.asked().size(), before);
    EXPECT_EQ(got.reply.suspected(), 2u);
    EXPECT_EQ(got.reply.note(), "KSN does not answer (its answer cannot be read)");
  }
  host_.keep({.topic = "picket.ksn.state", .payload = "\xff\xff"});
  EXPECT_EQ(scan_files().reply.note(), "KSN is not in use (what was said about it cannot be read)");
}

TEST_F(ScannerKsn, ends_a_scan_that_waits_for_an_answer) {
  say_ksn(true, "Enabled (Global)");
  host_.when_asked("picket.ksn.check", [](const auto&) { return std::nullopt; });
  ASSERT_EQ(host_.apply(R"({"ksn_timeout_ms":30000})", 2), PICKET_OK);
  files_.write("f", "THE-MARK");
  const auto cancelled = ask_to_scan({files_.path().string()}, 1u << 20);
  ASSERT_TRUE(host_.wait_for([&] { return host_.asked().size() == 1; }));
  host_.cancel(cancelled);
  const auto stopped = ask_to_scan({files_.path().string()}, 1u << 20);
  ASSERT_TRUE(host_.wait_for([&] { return host_.asked().size() == 2; }));
  ASSERT_EQ(host_.stop(), PICKET_OK);  // TearDown looks how long that took
  EXPECT_EQ(host_.answer(stopped).status, PICKET_E_UNAVAILABLE);
}

TEST_F(ScannerKsn, forgets_what_was_said_before_a_restart) {
  say_ksn(true, "Enabled (Global)");
  ASSERT_EQ(host_.stop(), PICKET_OK);
  host_.keep({.topic = "picket.ksn.state", .payload = ""});
  ASSERT_EQ(host_.start("{}"), PICKET_OK);
  text_of(activate_rule("rule marked { strings: $a = \"THE-MARK\" condition: $a }"));
  files_.write("f", "THE-MARK");
  EXPECT_EQ(scan_files().decided, Texts{"f: rule: marked"});
  EXPECT_TRUE(host_.asked().empty());
}

}  // namespace
