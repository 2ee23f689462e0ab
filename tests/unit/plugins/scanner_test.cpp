// The scanner with the real rules of tests/data, and with small ones where a case needs it.
#include "unit/plugins/scanner_rig.hpp"

#include <sys/stat.h>
#include <unistd.h>

using namespace picket::plugin_tests;

namespace {

class Scanner : public ScannerRig {};

TEST_F(Scanner, says_that_there_are_no_databases_yet) {
  const auto got = run({samples()});
  EXPECT_EQ(got.answer.status, PICKET_E_UNAVAILABLE);
  EXPECT_EQ(got.answer.payload, "no databases loaded yet; if there are none, picketctl update run brings them");
  EXPECT_FALSE(state().ready());
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_DEGRADED);
}

TEST_F(Scanner, says_that_the_first_rules_are_being_loaded_until_they_are_or_were_refused) {
  const auto texts = [&] {
    Texts out;
    for (const auto& one : host_.health()) out.push_back(one.text);
    return out;
  };
  const std::string none = "no databases loaded yet; if there are none, picketctl update run brings them", coming = "the rules are being loaded: try again in a moment";
  EXPECT_LT(activate_rule("rule x { condition: ").status, 0);
  EXPECT_EQ(texts(), (Texts{none, coming, none}));
  text_of(activate(set("r1"), 2));
  text_of(activate(set("r2"), 3));
  EXPECT_EQ(texts(), (Texts{none, coming, none, coming, ""})) << "the old ones serve meanwhile";
}

TEST_F(Scanner, goes_on_saying_what_is_wrong_after_a_reload) {
  ASSERT_EQ(host_.apply("{}", 2), PICKET_OK);
  EXPECT_EQ(host_.shown().health, PICKET_HEALTH_DEGRADED);
  text_of(activate(set("r1"), 1));
  ASSERT_EQ(host_.apply("{}", 3), PICKET_OK);
  EXPECT_EQ(host_.shown().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(Scanner, finds_one_thing_more_with_each_release_of_the_demo) {
  const std::string log = "server-log.txt: EXPL_JNDI_Exploit_Patterns_Dec21_1", npm = "npm-package.js.txt: MAL_JS_NPM_SupplyChain_Attack_Sep25",
                    ci = "build-step.txt: MAL_JS_NPM_SupplyChain_Compromise_Sep25";
  const Texts expected[] = {{log}, {npm, log}, {ci, npm, log}};
  for (const std::string variant : {"", "-light"}) {
    for (std::uint64_t release = 1; release <= 3; ++release) {
      EXPECT_NE(text_of(activate(set("r" + std::to_string(release) + variant), release)).find(" rules"), std::string::npos);
      const auto got = run({samples()});
      ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
      EXPECT_EQ(got.findings, expected[release - 1]) << release << variant;
      EXPECT_EQ(got.reply.files(), 4u);
      EXPECT_EQ(got.reply.release(), release);
    }
  }
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(Scanner, refuses_a_release_that_does_not_compile_and_serves_the_old) {
  text_of(activate(set("r3"), 3));
  const auto refused = activate(set("bad"), 4);
  EXPECT_EQ(refused.status, PICKET_E_INVALID);
  EXPECT_EQ(refused.payload, "rules do not compile: rules/broken_on_purpose.yar(10): undefined string \"$missing\"");
  EXPECT_TRUE(state().ready());
  EXPECT_EQ(state().release(), 3u);
  EXPECT_NE(state().text().find("release 4 (full) was refused: rules do not compile"), std::string::npos) << state().text();
  const auto got = run({samples()});
  EXPECT_EQ(got.reply.release(), 3u);
  EXPECT_EQ(got.findings.size(), 3u);
}

TEST_F(Scanner, leaves_out_broken_files_when_told_to) {
  ASSERT_EQ(host_.apply(R"({"tolerate_broken_files":true})", 2), PICKET_OK);
  const std::string text = text_of(activate(set("bad"), 4));
  EXPECT_NE(text.find(" rules; 1 files left out: rules/broken_on_purpose.yar(10)"), std::string::npos) << text;
  EXPECT_EQ(run({samples()}).findings.size(), 3u);
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_DEGRADED);
  // Nothing left is still refused.
  EXPECT_EQ(activate_rule("rule x { condition: ").status, PICKET_E_INVALID);
}

TEST_F(Scanner, refuses_sets_without_rules_each_with_its_reason) {
  const auto refused = [&](const std::string& path, const std::string& why) {
    const auto got = activate(path, 9);
    EXPECT_LT(got.status, 0);
    EXPECT_NE(got.payload.find(why), std::string::npos) << got.payload;
    EXPECT_EQ(got.payload.find('\n'), std::string::npos);
  };
  refused(rules_.path().string(), "no *.yar, *.yara or *.yarc");
  refused((rules_.path() / "gone").string(), "gone");
  rules_.write("empty/a.yar", "");
  refused((rules_.path() / "empty").string(), "its files are empty");
  rules_.write("binary/a.yar", std::string("rule\0x", 6));
  refused((rules_.path() / "binary").string(), "is no text");
  rules_.write("include/a.yar", "include \"/etc/passwd\"\nrule a { condition: true }");
  refused((rules_.path() / "include").string(), "include");
  rules_.write("garbage/a.yarc", pattern(10'000));
  refused((rules_.path() / "garbage").string(), "a.yarc: these are no compiled rules of YARA");
  rules_.write("two/a.yarc", "x");
  rules_.write("two/b.yarc", "x");
  refused((rules_.path() / "two").string(), "only one is possible");
  refused("relative", "not absolute");
}

TEST_F(Scanner, says_only_the_first_errors_of_a_file) {
  std::string many;
  for (int i = 0; i < 20; ++i) many += "rule r" + std::to_string(i) + " { condition: $nothing }\n";
  const auto got = activate_rule(many);
  EXPECT_EQ(got.status, PICKET_E_INVALID);
  EXPECT_LT(got.payload.size(), 1500u) << got.payload;
}

TEST_F(Scanner, knows_the_same_rule_in_two_files) {
  rules_.write("twice/a.yar", "rule same { strings: $a = \"alpha\" condition: $a }");
  rules_.write("twice/sub/b.yara", "rule same { strings: $a = \"beta\" condition: $a }");
  EXPECT_EQ(text_of(activate((rules_.path() / "twice").string(), 1)), "2 rules");
  files_.write("f", "alpha beta");
  EXPECT_EQ(run({files_.path().string()}).findings, (Texts{"f: same", "f: same"}));
}

TEST_F(Scanner, is_not_led_into_the_agents_own_databases) {
  files_.write("agent/update/sets/yara-rules/1/rule.yar", "rule alpha { strings: $a = \"alpha\" condition: $a }");
  files_.write("agent/update/shared/earlier", "alpha");
  files_.write("agent/log", "alpha");
  const auto store = files_.path() / "agent/update";
  component::ActivateRequest request;
  request.mutable_set()->set_component("yara-rules");
  request.mutable_set()->set_release(1);
  request.mutable_set()->set_path((store / "sets/yara-rules/1").string());
  request.mutable_set()->set_store(store.string());
  const auto id = host_.request({.topic = "picket.component.activate", .payload = request.SerializeAsString()});
  ASSERT_TRUE(host_.wait_for([&] { return host_.answer(id).done; }, std::chrono::seconds(60)));
  EXPECT_EQ(text_of(host_.answer(id)), "1 rules");
  const auto all = run({files_.path().string()});
  EXPECT_EQ(all.findings, Texts{"log: alpha"});
  EXPECT_EQ(all.skipped, Texts{store.string() + ": the agent's own databases, which hold what they look for"});
  EXPECT_EQ(run({store.string()}).findings, (Texts{"earlier: alpha", "rule.yar: alpha"})) << "asked for";
  EXPECT_EQ(run({(store / "shared").string()}).findings, Texts{"earlier: alpha"});
}

TEST_F(Scanner, lets_rules_ask_for_name_folder_extension_type_owner_and_md5) {
  text_of(activate_rule(R"(
    rule name { condition: filename == "a.TXT" }
    rule folder { condition: filepath matches /\/sub$/ }
    rule ext { condition: extension == ".TXT" }
    rule type { condition: filetype == "PDF" }
    rule digest { condition: md5 == "f87357c6cdc4f067e19f42aebabc6fb7" }
    rule own { condition: owner != "" }
  )"));
  files_.write("sub/a.TXT", "%PDF-1.7");
  const auto got = run({files_.path().string()});
  EXPECT_EQ(got.findings, (Texts{"a.TXT: digest", "a.TXT: ext", "a.TXT: folder", "a.TXT: name", "a.TXT: own", "a.TXT: type"}));
}

TEST_F(Scanner, gives_tags_and_description) {
  text_of(activate_rule("rule r : first second { meta: description = \"what it is\" strings: $a = \"x\" condition: $a }"));
  files_.write("f", "x");
  const auto events = events_of(run({files_.path().string()}).answer.stream);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].finding().description(), "what it is");
  ASSERT_EQ(events[0].finding().tags_size(), 2);
  EXPECT_EQ(events[0].finding().tags(1), "second");
  EXPECT_EQ(events[0].finding().path(), (files_.path() / "f").string());
}

TEST_F(Scanner, follows_no_link_and_opens_no_special_file) {
  text_of(activate_rule("rule every { condition: true }"));
  TemporaryFolder elsewhere;
  elsewhere.write("secret", "x");
  files_.write("f", "x");
  std::filesystem::create_symlink(elsewhere.path() / "secret", files_.path() / "link");
  std::filesystem::create_directory_symlink(elsewhere.path(), files_.path() / "folder");
  std::filesystem::create_directory_symlink(files_.path(), files_.path() / "loop");
  ASSERT_EQ(::mkfifo((files_.path() / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(run({files_.path().string()}).findings, Texts{"f: every"});
  // Asked for by name, they are said.
  const auto named = run({(files_.path() / "link").string(), (files_.path() / "pipe").string(), (files_.path() / "gone").string(), (files_.path() / "f").string()});
  EXPECT_EQ(named.findings, Texts{"f: every"});
  EXPECT_EQ(named.skipped, (Texts{(files_.path() / "gone").string() + ": does not exist", (files_.path() / "link").string() + ": a symbolic link: not followed",
                                  (files_.path() / "pipe").string() + ": neither a file nor a folder"}));
  EXPECT_EQ(run({"/proc"}).skipped, Texts{"/proc: a file system of the kernel's, not of files"});
}

TEST_F(Scanner, skips_and_says_large_and_unreadable_files) {
  text_of(activate_rule("rule every { condition: true }"));
  files_.write("large", std::string(5000, 'x'));
  files_.write("small", "x");
  files_.write("locked", "x");
  ASSERT_EQ(::chmod((files_.path() / "locked").c_str(), 0), 0);
  Texts skipped{(files_.path() / "large").string() + ": larger than 4999 bytes"};
  Texts findings{"small: every"};
  if (::geteuid() == 0)
    findings.insert(findings.begin(), "locked: every");  // root reads everything
  else
    skipped.push_back((files_.path() / "locked").string() + ": no permission to read it");
  const auto got = run({files_.path().string()}, 4999);
  EXPECT_EQ(got.skipped, skipped);
  EXPECT_EQ(got.findings, findings);
  ASSERT_EQ(host_.apply(R"({"max_file_bytes":1024})", 2), PICKET_OK);
  EXPECT_EQ(run({files_.path().string()}).skipped.front(), (files_.path() / "large").string() + ": larger than 1024 bytes");
}

TEST_F(Scanner, makes_names_that_are_no_utf8_readable) {
  text_of(activate_rule("rule every { condition: true }"));
  files_.write("a\xff\n\xc3\xa9", "x");
  const auto events = events_of(run({files_.path().string()}).answer.stream);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].finding().path(), files_.path().string() + "/a\\xff\\x0a\xc3\xa9");
}

TEST_F(Scanner, scans_an_empty_file_and_an_empty_folder) {
  text_of(activate_rule("rule every { condition: true }"));
  std::filesystem::create_directory(files_.path() / "sub");
  EXPECT_EQ(run({files_.path().string()}).reply.files(), 0u);
  files_.write("empty", "");
  EXPECT_EQ(run({files_.path().string()}).findings, Texts{"empty: every"});
}

TEST_F(Scanner, refuses_what_it_cannot_scan) {
  text_of(activate_rule("rule every { condition: true }"));
  EXPECT_EQ(run({}).answer.status, PICKET_E_INVALID);
  EXPECT_EQ(run({"relative"}).answer.payload, "path 'relative' is not an absolute path");
  const auto gone = run({"/nowhere/at/all"});
  EXPECT_EQ(gone.answer.status, PICKET_E_NOT_FOUND);
  EXPECT_EQ(gone.answer.payload, "/nowhere/at/all does not exist");
  EXPECT_EQ(run(Texts(1001, "/")).answer.status, PICKET_E_INVALID);
}

TEST_F(Scanner, sends_each_event_whole_and_within_the_credit) {
  text_of(activate_rule("rule every { condition: true }"));
  for (int i = 0; i < 50; ++i) files_.write("f" + std::to_string(i), "x");
  // Enough for one event or two, never for all.
  const auto got = finish(ask_to_scan({files_.path().string()}, 150), 150);
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.findings.size(), 50u);
}

TEST_F(Scanner, swaps_the_rules_under_a_running_scan_which_ends_with_the_old) {
  text_of(activate_rule("rule before { condition: true }", 1));
  for (int i = 0; i < 20; ++i) files_.write("f" + std::to_string(i), "x");
  const auto id = ask_to_scan({files_.path().string()}, 100);
  ASSERT_TRUE(host_.wait_for([&] { return !host_.answer(id).stream.empty(); }));
  text_of(activate_rule("rule after { condition: true }", 2));
  EXPECT_EQ(run({files_.path().string()}).findings.front(), "f0: after");
  const auto old = finish(id, 1u << 20);
  EXPECT_EQ(old.reply.release(), 1u);
  ASSERT_EQ(old.findings.size(), 20u);
  EXPECT_EQ(old.findings.back(), "f9: before");
}

TEST_F(Scanner, ends_a_cancelled_scan_and_scans_on) {
  text_of(activate_rule("rule every { condition: true }"));
  for (int i = 0; i < 20; ++i) files_.write("f" + std::to_string(i), "x");
  for (int i = 0; i < 5; ++i) {  // more than run at a time
    const auto id = ask_to_scan({files_.path().string()}, 100);
    ASSERT_TRUE(host_.wait_for([&] { return !host_.answer(id).stream.empty(); }));
    host_.cancel(id);
  }
  EXPECT_EQ(run({files_.path().string()}).findings.size(), 20u);
}

TEST_F(Scanner, skips_a_file_that_takes_too_long_and_stops_in_the_middle_of_one) {
  // A loop that no computer finishes: the time limit is the only way out.
  text_of(activate_rule("rule slow { condition: for all i in (0..2000000000) : ( for all j in (0..2000000000) : ( i + j >= 0 ) ) }"));
  files_.write("f", std::string(1000, 'x'));
  ASSERT_EQ(host_.apply(R"({"file_timeout_seconds":1})", 2), PICKET_OK);
  const auto got = run({files_.path().string()});
  EXPECT_EQ(got.skipped, Texts{(files_.path() / "f").string() + ": not done within 1 s"});
  ASSERT_EQ(host_.apply(R"({"file_timeout_seconds":600})", 3), PICKET_OK);
  const auto id = ask_to_scan({files_.path().string()}, 1000);
  EXPECT_FALSE(host_.wait_for([&] { return host_.answer(id).done; }, std::chrono::milliseconds(100)));
  ASSERT_EQ(host_.stop(), PICKET_OK);  // TearDown looks how long that took
  EXPECT_EQ(host_.answer(id).status, PICKET_E_UNAVAILABLE);
}

TEST_F(Scanner, answers_busy_when_too_many_scans_wait) {
  text_of(activate_rule("rule every { condition: true }"));
  for (int i = 0; i < 20; ++i) files_.write("f" + std::to_string(i), "x");
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 2 + 8 + 1; ++i) ids.push_back(ask_to_scan({files_.path().string()}, 10));
  ASSERT_TRUE(host_.wait_for([&] { return host_.answer(ids.back()).done; }));
  EXPECT_EQ(host_.answer(ids.back()).status, PICKET_E_BUSY);
  for (const auto id : ids) host_.cancel(id);
}

TEST_F(Scanner, begins_without_databases_again_after_a_restart) {
  for (int round = 0; round < 3; ++round) {
    text_of(activate(set("r1-light"), 1));
    EXPECT_EQ(run({samples()}).findings.size(), 1u);
    ASSERT_EQ(host_.stop(), PICKET_OK);
    ASSERT_EQ(host_.start("{}"), PICKET_OK);
    EXPECT_EQ(run({samples()}).answer.status, PICKET_E_UNAVAILABLE);
  }
}

TEST_F(Scanner, stops_while_it_loads) {
  (void)ask_to_activate(set("r3"), 3);
  ASSERT_EQ(host_.stop(), PICKET_OK);
  ASSERT_EQ(host_.start("{}"), PICKET_OK);
  text_of(activate(set("r1"), 1));
}

TEST_F(Scanner, answers_garbage_with_invalid) {
  for (const auto* topic : {"picket.scan.run", "picket.component.activate"})
    for (const std::string& payload : {std::string("\xff\xff\xff"), std::string(1000, '\x0a'), pattern(5000)}) {
      const auto id = host_.request({.topic = topic, .payload = payload});
      ASSERT_TRUE(host_.wait_for([&] { return host_.answer(id).done; }));
      EXPECT_LT(host_.answer(id).status, 0);
    }
  component::ActivateRequest other;
  other.mutable_set()->set_component("ip-lists");
  other.mutable_set()->set_path("/");
  const auto id = host_.request({.topic = "picket.component.activate", .payload = other.SerializeAsString()});
  EXPECT_EQ(host_.answer(id).payload, "the scanner has no use for the component ip-lists");
}

TEST_F(Scanner, refuses_settings_that_no_host_would_give) {
  for (const char* settings : {"", "[]", R"({"threads":0})", R"({"threads":17})", R"({"max_file_bytes":1})", R"({"file_timeout_seconds":"x"})", R"({"new":1})"}) {
    EXPECT_EQ(host_.apply(settings, 2), PICKET_E_INVALID) << settings;
    EXPECT_NE(host_.error(), "");
  }
}

}  // namespace
