// Extended mode: statistics on their schedule, files where KSN asks for one and policy allows it. And programs.
#include "base/digest.hpp"
#include "ksn/limits.hpp"
#include "rig.hpp"

namespace ksn_client_test {
namespace {

std::string digest_of(const std::string& bytes) { return *picket::from_hex(picket::sha256_hex(bytes)); }

struct KsnExtended : KsnClientPlugin {
  std::string program;
  void SetUp() override {
    KsnClientPlugin::SetUp();
    settings["content_kinds"] = json::array{"executable"};
  }
  void write_program(std::size_t bytes) {
    program = std::string("\x7f"
                          "ELF") +
              std::string(bytes, 'p');
    ASSERT_TRUE(picket::write_file_atomic(folder.path() / "program", program));
  }
  v1::Checked check_program() {
    v1::CheckRequest request;
    auto* object = request.add_objects();
    object->set_file_digest(digest_of(program));
    object->set_path((folder.path() / "program").native());
    const auto reply = ask<v1::CheckReply>("picket.ksn.check", request);
    return reply.checked_size() == 1 ? reply.checked(0) : v1::Checked();
  }
  // As if the last statistics had been sent long ago.
  void statistics_are_due() {
    host.put_stored("outbox", R"({"statistics":[],"wishes":[],"done":[],"counted":{},"ksn":[],"aside":[],"period_began":1000000,"day":0,"day_bytes":0})");
  }
  // The same of a record that is there. Only while the plugin is stopped: a running one writes it too.
  void period_began_long_ago() {
    auto record = json::parse(host.stored().at("outbox")).as_object();
    record["period_began"] = 1'000'000;
    host.put_stored("outbox", json::serialize(record));
  }
  void stop_until_the_period_is_over() {
    host.stop();
    host.destroy();
    period_began_long_ago();
  }
  // What was sent is taken out of the record as well.
  bool nothing_waits() const {
    return json::parse(host.stored().at("outbox")).at("statistics").as_array().empty();
  }
};

TEST_F(KsnExtended, sends_statistics_when_their_time_has_come_and_never_twice) {
  start();
  accept();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  host.stop();
  host.destroy();
  EXPECT_THAT(ksn.seen().statistics, IsEmpty()) << "the period has only begun";
  period_began_long_ago();
  start();  // the computer was off when the period ended
  ASSERT_TRUE(wait([&] { return ksn.seen().statistics.size() == 1 && nothing_waits(); }));
  stop_until_the_period_is_over();
  start();  // the greeting and the statistics themselves were exchanges: something to say of the second period too
  ASSERT_TRUE(wait([&] { return ksn.seen().statistics.size() == 2 && nothing_waits(); }));
  restart();
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::SERVER);
  const auto seen = ksn.seen().statistics;
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].counters().at("files"), 1U);
  EXPECT_FALSE(seen[1].counters().contains("files")) << "counted in one period only";
  EXPECT_NE(seen[0].id(), seen[1].id());
  for (const auto& statistics : seen) {
    EXPECT_EQ(statistics.id().size(), 16U);
    EXPECT_LT(statistics.from(), statistics.to());
    for (const auto& entry : statistics.counters()) EXPECT_THAT(picket::ksn::kCounters, testing::Contains(entry.first)) << "a KSN keeps no others";
  }
}

TEST_F(KsnExtended, what_a_proxy_puts_aside_is_no_sign_that_ksn_answers) {
  start();
  accept();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  stop_until_the_period_is_over();
  ksn.mood(Mood::puts_aside);
  start();
  ASSERT_TRUE(wait([&] { return ksn.seen().statistics.size() == 1 && nothing_waits() && status().counters().at("failures") > 0; }));
  EXPECT_EQ(status().status(), "Enabled. Not available");
  EXPECT_EQ(status().last_exchange(), 0);
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(status().status(), "Enabled. Not available");
}

TEST_F(KsnExtended, a_proxy_without_room_for_statistics_is_asked_all_the_same) {
  start();
  accept_and_be_greeted();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  stop_until_the_period_is_over();
  ksn.mood(Mood::full);
  const auto before = ksn.messages();
  start();
  ASSERT_TRUE(wait([&] { return ksn.messages() >= before + 2; })) << "greeting and statistics";
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::SERVER);
  EXPECT_THAT(ksn.seen().statistics, IsEmpty());
  EXPECT_FALSE(nothing_waits()) << "they are kept";
  EXPECT_EQ(status().cause(), "");
}

TEST_F(KsnExtended, what_a_web_server_before_ksn_answers_with_a_page_is_kept) {
  write_program(1000);
  start();
  accept_and_be_greeted();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  stop_until_the_period_is_over();
  ksn.mood(Mood::page);
  const auto before = ksn.messages();
  start();
  ASSERT_TRUE(wait([&] { return ksn.messages() >= before + 2; })) << "greeting and statistics";
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::SERVER);
  EXPECT_FALSE(nothing_waits());
  ksn.mood(Mood::honest);
  const auto greeted = ksn.seen().hellos;
  restart();
  ASSERT_TRUE(wait([&] { return ksn.seen().statistics.size() == 1 && nothing_waits() && ksn.seen().hellos > greeted; }));
  ksn.mood(Mood::page);
  ksn.wish(digest_of(program));
  const auto then = ksn.messages();
  EXPECT_EQ(check_program().from(), v1::Checked::SERVER);
  ASSERT_TRUE(wait([&] { return ksn.messages() >= then + 2; })) << "the question and the file";
  ksn.mood(Mood::honest);
  restart();
  EXPECT_TRUE(wait([&] { return ksn.seen().content[digest_of(program)] == program; }));
}

TEST_F(KsnExtended, what_fails_on_a_road_that_is_gone_does_not_delay_the_next_one) {
  settings["use_proxy"] = true;
  settings["proxy"] = ksn.address();
  settings["request_timeout_ms"] = 60'000;
  start();
  accept_and_be_greeted();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::PROXY);
  stop_until_the_period_is_over();
  ksn.mood(Mood::silent);
  const auto before = ksn.messages();
  start();
  ASSERT_TRUE(wait([&] { return ksn.messages() >= before + 2; })) << "greeting and statistics";
  KsnServiceFake other(folder.path() / "other");
  settings["proxy"] = other.address();
  settings["proxy_certificate"] = other.certificate().native();
  ASSERT_EQ(apply(), PICKET_OK);
  ASSERT_TRUE(wait([&] { return other.seen().hellos > 0; }));
  ksn.die();
  EXPECT_TRUE(wait([&] { return other.seen().statistics.size() == 1 && nothing_waits(); })) << "not in five minutes";
}

// What KSN gets is looked at: nothing of a time without consent, switched off or in basic mode.
TEST_F(KsnExtended, statistics_hold_nothing_of_a_time_in_which_nothing_may_be_gathered) {
  settings["extended"] = false;
  start();
  for (unsigned i = 0; i < 10; ++i) EXPECT_EQ(check_one(digest_number(i)).from(), v1::Checked::NOBODY);
  accept();
  for (unsigned i = 0; i < 20; ++i) EXPECT_EQ(check_one(digest_number(i)).from(), v1::Checked::SERVER);
  settings["extended"] = true;
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(check_one(digest_number(1000)).from(), v1::Checked::SERVER);  // cleared with the rest
  ASSERT_EQ(turn(false).status, PICKET_OK);
  for (unsigned i = 0; i < 40; ++i) EXPECT_EQ(check_one(digest_number(i)).from(), v1::Checked::NOBODY);
  ASSERT_EQ(turn(true).status, PICKET_OK);
  EXPECT_EQ(check_one(digest_number(2000)).from(), v1::Checked::SERVER);
  EXPECT_EQ(check_one(digest_number(2000)).from(), v1::Checked::CACHE);
  stop_until_the_period_is_over();
  start();
  ASSERT_TRUE(wait([&] { return ksn.seen().statistics.size() == 1 && nothing_waits(); }));
  const auto counters = ksn.seen().statistics.at(0).counters();
  EXPECT_EQ(counters.at("files"), 2U);
  EXPECT_EQ(counters.at("from_cache"), 1U);
  EXPECT_EQ(counters.at("questions"), 1U);
  EXPECT_FALSE(counters.contains("unanswered"));
}

TEST_F(KsnExtended, basic_mode_sends_no_statistics_and_no_files) {
  statistics_are_due();
  settings["extended"] = false;
  settings["heartbeat_seconds"] = 1;
  write_program(1000);
  ksn.wish(digest_of(program));
  start();
  accept();
  EXPECT_EQ(check_program().from(), v1::Checked::SERVER);
  const auto hellos = ksn.seen().hellos;
  ASSERT_TRUE(wait([&] { return ksn.seen().hellos > hellos + 1; })) << "the client goes on for two heartbeats";
  EXPECT_THAT(ksn.seen().statistics, IsEmpty());
  EXPECT_EQ(ksn.seen().content_requests, 0U);
}

TEST_F(KsnExtended, sends_a_file_that_is_wished_for_in_parts_and_never_twice) {
  write_program((2u << 20) + 17);
  ksn.wish(digest_of(program));
  start();
  accept();
  ASSERT_EQ(check_program().from(), v1::Checked::SERVER);
  ASSERT_TRUE(wait([&] { return ksn.seen().content[digest_of(program)].size() == program.size(); }));
  EXPECT_EQ(ksn.seen().content.at(digest_of(program)), program);
  const auto requests = ksn.seen().content_requests;
  EXPECT_EQ(requests, 4U) << "one question how much is there, three parts";
  ASSERT_TRUE(wait([&] { return host.stored().at("outbox").find(":0:0") != std::string::npos; }));
  EXPECT_EQ(check_one(digest_number(7)).from(), v1::Checked::SERVER);  // KSN wishes again
  restart();
  EXPECT_EQ(check_one(digest_number(8)).from(), v1::Checked::SERVER);
  EXPECT_EQ(check_program().from(), v1::Checked::CACHE);
  EXPECT_EQ(check_one(digest_number(9)).from(), v1::Checked::SERVER);
  EXPECT_EQ(ksn.seen().content_requests, requests);
}

TEST_F(KsnExtended, goes_on_where_it_was_when_the_line_breaks) {
  write_program(3u << 20);
  ksn.wish(digest_of(program));
  settings["heartbeat_seconds"] = 1;
  start();
  accept();
  ASSERT_EQ(check_program().from(), v1::Checked::SERVER);
  ASSERT_TRUE(wait([&] { return ksn.seen().content_requests >= 2; }));
  ksn.die();
  host.stop();
  host.destroy();
  ksn.come_back();
  start();
  ASSERT_TRUE(wait([&] { return ksn.seen().content[digest_of(program)].size() == program.size(); }));
  EXPECT_EQ(ksn.seen().content.at(digest_of(program)), program);
  EXPECT_EQ(ksn.seen().content_bytes, program.size()) << "what was there is not sent again";
}

TEST_F(KsnExtended, sends_only_a_part_when_a_part_is_wished_for) {
  write_program(5000);
  ksn.wish(digest_of(program), 100, 50);
  start();
  accept();
  ASSERT_EQ(check_program().from(), v1::Checked::SERVER);
  ASSERT_TRUE(wait([&] { return ksn.seen().content[digest_of(program)].size() == 50; }));
  EXPECT_EQ(ksn.seen().content.at(digest_of(program)), program.substr(100, 50));
}

TEST_F(KsnExtended, refuses_kinds_that_policy_does_not_allow_and_files_that_are_not_here) {
  settings["content_kinds"] = json::array{"document"};
  write_program(1000);
  ksn.wish(digest_of(program));
  ksn.wish(digest_number(4242));  // not here
  start();
  accept();
  ASSERT_EQ(check_program().from(), v1::Checked::SERVER);
  ASSERT_TRUE(wait([&] { return status().counters().at("waiting") == 0; })) << "looked at, and not sent";
  EXPECT_EQ(ksn.seen().content_requests, 0U);
}

TEST_F(KsnExtended, a_file_that_ksn_was_not_asked_about_is_not_sent_however_it_is_wished_for) {
  write_program(1000);
  ksn.wish(digest_of(program));
  settings["exclusions"] = json::array{picket::to_hex(digest_of(program))};
  start();
  accept();
  ASSERT_EQ(check_program().from(), v1::Checked::LOCAL);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);  // with its answer comes the wish
  EXPECT_EQ(status().counters().at("waiting"), 0U);
  settings["exclusions"] = json::array();
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::SERVER);
  EXPECT_EQ(status().counters().at("waiting"), 0U);
  EXPECT_EQ(ksn.seen().content_requests, 0U);
  ASSERT_EQ(check_program().from(), v1::Checked::SERVER);
  EXPECT_TRUE(wait([&] { return ksn.seen().content[digest_of(program)].size() == program.size(); })) << "asked about it is another thing";
}

TEST_F(KsnExtended, a_file_that_was_excluded_after_it_was_wished_for_is_not_sent) {
  write_program(1000);
  ksn.wish(digest_of(program));
  start();
  accept();
  ASSERT_EQ(activate(R"({"directives":1,"mode":"restricted","allow":["file"]})").status, PICKET_OK);  // so that it waits
  ASSERT_EQ(check_program().from(), v1::Checked::SERVER);
  ASSERT_TRUE(wait([&] { return status().counters().at("waiting") == 1; }));
  settings["exclusions"] = json::array{picket::to_hex(digest_of(program))};
  ASSERT_EQ(apply(), PICKET_OK);
  ASSERT_EQ(activate(R"({"directives":1,"mode":"normal"})").status, PICKET_OK);
  ASSERT_TRUE(wait([&] { return status().counters().at("waiting") == 0; })) << "looked at, and not sent";
  EXPECT_EQ(ksn.seen().content_requests, 0U);
}

TEST_F(KsnExtended, shows_the_file_that_goes_next_without_its_bytes) {
  write_program(5000);
  ksn.wish(digest_of(program));
  settings["rest_seconds"] = 3600;
  settings["longest_rest_seconds"] = 3600;
  start();
  accept();
  ASSERT_EQ(activate(R"({"directives":1,"mode":"restricted","allow":["file"]})").status, PICKET_OK);
  ASSERT_EQ(check_program().from(), v1::Checked::SERVER);
  ASSERT_TRUE(wait([&] { return status().counters().at("waiting") == 1; }));
  v1::SentRequest request;
  request.set_what(v1::SentRequest::NEXT);
  EXPECT_EQ(json::parse(ask<v1::SentReply>("picket.ksn.sent", request).next()).at("path"), "/ksn/v1/hello") << "a file may not go, a greeting may";
  ksn.die();
  ASSERT_EQ(activate(R"({"directives":1,"mode":"normal"})").status, PICKET_OK);
  const auto next = ask<v1::SentReply>("picket.ksn.sent", request).next();
  const auto shown = json::parse(next).as_object();
  EXPECT_EQ(shown.at("path"), "/ksn/v1/content");
  EXPECT_EQ(shown.at("digest").as_string(), picket::to_hex(digest_of(program)));
  EXPECT_EQ(shown.at("size"), program.size());
  EXPECT_EQ(shown.at("part_bytes"), 0U) << "first it is asked how much is there";
  EXPECT_EQ(next.find("pppp"), std::string::npos);
}

TEST_F(KsnExtended, disabling_throws_wishes_and_statistics_away) {
  write_program(1000);
  ksn.wish(digest_of(program));
  start();
  accept();
  ASSERT_EQ(activate(R"({"directives":1,"mode":"restricted","allow":["file"]})").status, PICKET_OK);  // so that the rest waits
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  stop_until_the_period_is_over();
  start();
  ASSERT_EQ(check_program().from(), v1::Checked::SERVER);
  ASSERT_TRUE(wait([&] { return status().counters().at("waiting") == 2; })) << "statistics and a file";
  v1::SwitchReply off;
  ASSERT_TRUE(off.ParseFromString(turn(false).payload));
  EXPECT_EQ(off.cleared(), 2U);
  EXPECT_EQ(status().counters().at("waiting"), 0U);
  restart();
  ASSERT_EQ(turn(true).status, PICKET_OK);
  ASSERT_EQ(activate(R"({"directives":1,"mode":"normal"})").status, PICKET_OK);
  const auto hellos = ksn.seen().hellos;
  ASSERT_TRUE(wait([&] { return ksn.seen().hellos > hellos || status().counters().at("exchanges") > 0; }));
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::SERVER);
  EXPECT_THAT(ksn.seen().statistics, IsEmpty());
  EXPECT_EQ(ksn.seen().content_requests, 0U);
}

TEST_F(KsnExtended, a_program_of_no_package_is_asked_by_its_content) {
  write_program(100);
  ksn.knows(digest_of(program), v1::VERDICT_UNTRUSTED, "Trojan.Program");
  start();
  accept();
  v1::SoftwareRequest request;
  request.set_path((folder.path() / "program").native());
  const auto reply = ask<v1::SoftwareReply>("picket.ksn.software", request);
  EXPECT_EQ(reply.identified_by(), "none");
  EXPECT_FALSE(reply.signature_valid());
  EXPECT_EQ(reply.file().facts().threat(), "Trojan.Program");
  EXPECT_EQ(reply.checked().from(), v1::Checked::NOBODY);
  EXPECT_THAT(reply.text(), StartsWith("untrusted: "));
  request.set_path("/nowhere/at/all");
  EXPECT_EQ(ask_raw("picket.ksn.software", request.SerializeAsString()).status, PICKET_E_NOT_FOUND);
  request.set_path("/");
  EXPECT_EQ(ask_raw("picket.ksn.software", request.SerializeAsString()).status, PICKET_E_INVALID);
}

TEST_F(KsnExtended, starts_of_programs_are_bounded_in_rate) {
  settings["software_per_second"] = 1;
  write_program(10);
  start();
  accept();
  v1::SoftwareRequest request;
  request.set_path((folder.path() / "program").native());
  const auto began = std::chrono::steady_clock::now();
  long busy = 0;
  for (int i = 0; i < 20; ++i) busy += ask_raw("picket.ksn.software", request.SerializeAsString()).status == PICKET_E_BUSY;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - began).count();
  EXPECT_GE(busy, 20 - 2 - seconds);
}

}  // namespace
}  // namespace ksn_client_test
