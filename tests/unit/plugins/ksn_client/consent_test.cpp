// Consent, the switch, directives, and the status in its words. The KSN counts what reaches it: the wire is watched.
#include <ctime>
#include <set>

#include "../raw_server.hpp"
#include "picket/host/v1/host.pb.h"
#include "rig.hpp"

namespace ksn_client_test {
namespace {

TEST_F(KsnClientPlugin, asks_nobody_before_the_statement_is_accepted) {
  start();
  const auto status = this->status();
  EXPECT_EQ(status.status(), "Disabled");
  EXPECT_EQ(status.mode(), "Off");
  EXPECT_EQ(status.cause(), "the KSN statement is not accepted");
  EXPECT_EQ(status.statement().decision(), "none");
  const auto checked = check_one(digest_number(1));
  EXPECT_EQ(checked.from(), v1::Checked::NOBODY);
  EXPECT_THAT(checked.why(), StartsWith("Disabled: the KSN statement is not accepted"));
  EXPECT_EQ(ask_raw("picket.ksn.connection", "").status, PICKET_E_DENIED);
  EXPECT_EQ(turn(true).status, PICKET_E_DENIED);
  EXPECT_FALSE(state().in_use());
  EXPECT_EQ(ksn.messages(), 0U);

  accept();
  EXPECT_TRUE(wait([&] { return ksn.messages() > 0; }));
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  EXPECT_TRUE(wait([&] { return state().available(); }));
  EXPECT_TRUE(state().in_use());
  EXPECT_EQ(state().text(), this->status().line());
  EXPECT_THAT(state().text(), StartsWith("Enabled (Private, Extended); since 20"));
}

// A bare listening socket instead of a server: not even a connection is opened. Connections are taken in their order, so once one of the test's
// own was taken all before it were.
TEST_F(KsnClientPlugin, opens_no_connection_without_consent_and_none_after_it_was_disabled) {
  picket::plugin_tests::RawServer wire([](const std::string&) { return picket::plugin_tests::RawServer::Reply{}; });
  const auto taken = [&] {
    const picket::UniqueFd own(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(wire.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(own.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const timeval limit{10, 0};
    ::setsockopt(own.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(::send(own.get(), "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    char byte = 0;
    EXPECT_EQ(::recv(own.get(), &byte, 1, 0), 0) << "served: it was taken";
    return wire.accepted();
  };
  settings["use_proxy"] = true;
  settings["proxy"] = "127.0.0.1:" + std::to_string(wire.port());
  settings["request_timeout_ms"] = 500;
  settings["rest_seconds"] = 1;
  start();
  for (unsigned i = 0; i < 5; ++i) EXPECT_EQ(check_one(digest_number(i)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ask_raw("picket.ksn.connection", "").status, PICKET_E_DENIED);
  EXPECT_EQ(taken(), 1U) << "only the test's own";
  accept();
  ASSERT_TRUE(wait([&] { return wire.accepted() > 1; }));
  ASSERT_EQ(turn(false).status, PICKET_OK);
  const auto before = taken();
  const auto later = std::chrono::steady_clock::now() + 1500ms;  // longer than a rest of the circuit breaker
  for (unsigned i = 0; std::chrono::steady_clock::now() < later; ++i) EXPECT_EQ(check_one(digest_number(i)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(taken(), before + 1);
}

TEST_F(KsnClientPlugin, records_who_accepted_which_text_and_when) {
  start();
  const auto shown = statement();
  EXPECT_THAT(shown.statement().text(), HasSubstr("The text of version 1"));
  EXPECT_THAT(shown.languages(), testing::ElementsAre("en"));
  EXPECT_EQ(decide(true, std::string(64, '0')).status, PICKET_E_CONFLICT) << "another text than was shown";
  accept();
  restart();
  const auto kept = status().statement();
  EXPECT_EQ(kept.decision(), "accepted");
  EXPECT_EQ(kept.who(), "ann");
  EXPECT_EQ(kept.version(), "1");
  EXPECT_EQ(kept.language(), "en");
  EXPECT_EQ(kept.digest().size(), 64U);
  EXPECT_GT(kept.when(), 1'600'000'000);
  EXPECT_NE(status().status(), "Disabled");
}

TEST_F(KsnClientPlugin, a_newer_statement_may_be_declined_and_the_old_one_stays_in_force) {
  start();
  accept();
  write_statement("en", "2");
  EXPECT_EQ(status().statement().decision(), "none");
  EXPECT_EQ(status().statement().accepted_version(), "1");
  EXPECT_EQ(decide(false).status, PICKET_OK);
  const auto status = this->status();
  EXPECT_NE(status.status(), "Disabled");
  EXPECT_EQ(status.statement().decision(), "declined");
  EXPECT_EQ(status.statement().version(), "2");
  EXPECT_EQ(status.statement().accepted_version(), "1");
  EXPECT_EQ(check_one(digest_number(3)).from(), v1::Checked::SERVER);
}

TEST_F(KsnClientPlugin, declining_the_text_in_force_takes_consent_back) {
  start();
  accept();
  EXPECT_EQ(decide(false).status, PICKET_OK);
  EXPECT_EQ(status().status(), "Disabled");
  const auto before = ksn.messages();
  EXPECT_EQ(check_one(digest_number(3)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), before);
}

TEST_F(KsnClientPlugin, a_missing_statement_is_one_clear_line_and_no_consent) {
  ASSERT_TRUE(picket::remove_file(folder.path() / "statements" / "ksn_en.txt"));
  start();
  const auto answer = ask_raw("picket.ksn.statement", "");
  EXPECT_EQ(answer.status, PICKET_E_NOT_FOUND);
  EXPECT_THAT(answer.payload, HasSubstr("the KSN statement in language 'en'"));
  EXPECT_EQ(status().status(), "Disabled");
  EXPECT_EQ(decide(true, std::string(64, '0')).status, PICKET_E_NOT_FOUND);
  EXPECT_EQ(ksn.messages(), 0U);
}

TEST_F(KsnClientPlugin, a_damaged_record_of_consent_is_no_consent) {
  start();
  accept();
  const auto good = host.stored().at("consent");
  for (const auto& bad : {good.substr(0, good.size() / 2), std::string("{}"), std::string("true"), std::string(100, '\0'), std::string(R"({"accepted":{"accepted":true}})")}) {
    host.stop();
    host.destroy();
    host.put_stored("consent", bad);
    start();
    const auto before = ksn.messages();
    EXPECT_EQ(status().status(), "Disabled") << bad;
    EXPECT_EQ(check_one(digest_number(4)).from(), v1::Checked::NOBODY);
    EXPECT_EQ(ksn.messages(), before);
  }
}

TEST_F(KsnClientPlugin, a_decision_that_cannot_be_recorded_is_not_in_force) {
  start();
  host.fail_call("put", PICKET_E_NO_SPACE);
  EXPECT_EQ(decide(true).status, PICKET_E_IO);
  EXPECT_EQ(status().status(), "Disabled");
  EXPECT_EQ(ksn.messages(), 0U);
}

TEST_F(KsnClientPlugin, a_consent_that_is_taken_back_counts_even_when_that_cannot_be_recorded) {
  start();
  accept();
  ASSERT_TRUE(wait([&] { return ksn.messages() > 0; }));
  host.fail_call("put", PICKET_E_NO_SPACE);
  const auto declined = decide(false);
  EXPECT_EQ(declined.status, PICKET_E_IO);
  EXPECT_EQ(declined.payload, "the statement is declined, but that could not be recorded: a restart may forget it");
  EXPECT_EQ(status().status(), "Disabled");
  const auto before = ksn.messages();
  EXPECT_EQ(check_one(digest_number(3)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), before);
}

TEST_F(KsnClientPlugin, a_connection_that_is_tried_ends_when_ksn_is_switched_off) {
  start();
  accept();
  ASSERT_TRUE(wait([&] { return ksn.messages() > 0; }));
  ksn.mood(Mood::silent);
  const auto before = ksn.messages();
  const auto trying = host.request({.topic = "picket.ksn.connection", .timeout_ms = 60'000});
  ASSERT_TRUE(wait([&] { return ksn.messages() > before; }));
  ASSERT_EQ(turn(false).status, PICKET_OK);
  ASSERT_TRUE(wait([&] { return host.answer(trying).done; }));
  v1::ConnectionReply reply;
  ASSERT_TRUE(reply.ParseFromString(host.answer(trying).payload));
  EXPECT_EQ(reply.tried(0).text(), "cancelled");
}

TEST_F(KsnClientPlugin, records_beside_a_name_that_is_claimed_who_the_bus_says_it_is) {
  start();
  accept();
  EXPECT_EQ(statement().statement().who(), "ann");
  asker = "picketctl@1000#2";
  ASSERT_EQ(decide(true).status, PICKET_OK);
  EXPECT_EQ(statement().statement().who(), "ann (uid 1000)");
  asker = "com.vendor.plugin";
  ASSERT_EQ(decide(true).status, PICKET_OK);
  EXPECT_EQ(statement().statement().who(), "ann (com.vendor.plugin)");
  ASSERT_EQ(turn(false).status, PICKET_OK);
  EXPECT_EQ(status().cause(), "switched off by bob (com.vendor.plugin)");
}

TEST_F(KsnClientPlugin, says_since_when_it_is_off_over_a_restart) {
  start();
  accept();
  ASSERT_EQ(turn(false).status, PICKET_OK);
  auto record = json::parse(host.stored().at("consent")).as_object();
  EXPECT_EQ(record.at("switched_by").as_string(), "bob");
  host.stop();
  host.destroy();
  record["switched_at"] = 1'700'000'000;
  host.put_stored("consent", json::serialize(record));
  start();
  EXPECT_EQ(status().line(), "Disabled: switched off by bob; since 2023-11-14 22:13:20 UTC");
  EXPECT_EQ(state().since(), 1'700'000'000);
}

TEST_F(KsnClientPlugin, shows_what_went_out_and_whether_it_was_taken) {
  const auto sent = [&] {
    v1::SentReply reply;
    EXPECT_TRUE(reply.ParseFromString(ask_raw("picket.ksn.sent", "").payload));
    return reply;
  };
  settings["use_proxy"] = true;
  start();
  accept();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(sent().last(), "") << "there is nobody to send it to";
  settings["proxy"] = "127.0.0.1:1";
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(sent().last_to(), "proxy 127.0.0.1:1");
  EXPECT_FALSE(sent().last_taken());
  settings["use_proxy"] = false;
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  EXPECT_EQ(sent().last_to(), "server " + ksn.address());
  EXPECT_TRUE(sent().last_taken());
}

// One message of the bus holds either of them, and never a part of one.
TEST_F(KsnClientPlugin, shows_a_thousand_digests_that_went_and_those_that_go_next) {
  const auto shown = [&](v1::SentRequest::What what) {
    v1::SentRequest request;
    request.set_what(what);
    return ask<v1::SentReply>("picket.ksn.sent", request);
  };
  const auto digests_in = [](const std::string& text) {
    std::set<std::string> out;
    boost::system::error_code error;
    const auto value = json::parse(text, error);
    EXPECT_FALSE(error) << text.substr(0, 200);
    if (error || value.at("path") != "/ksn/v1/ask") return out;
    for (const auto& group : value.at("questions").as_array())
      for (const auto& digest : group.at("digests").as_array()) out.emplace(digest.as_string());
    return out;
  };
  const auto numbers = [](unsigned first, unsigned count) {
    std::vector<std::string> out;
    for (unsigned i = 0; i < count; ++i) out.push_back(digest_number(first + i));
    return out;
  };
  const auto in_hex = [](const std::vector<std::string>& digests) {
    std::set<std::string> out;
    for (const auto& digest : digests) out.insert(picket::to_hex(digest));
    return out;
  };
  settings["batch_ms"] = 0;
  settings["request_timeout_ms"] = 60'000;
  start();
  EXPECT_EQ(shown(v1::SentRequest::NEXT).next(), "") << "nothing goes without consent";
  accept();
  ASSERT_TRUE(wait([&] { return ksn.seen().hellos > 0; }));
  EXPECT_EQ(json::parse(shown(v1::SentRequest::NEXT).next()).at("path"), "/ksn/v1/hello") << "the next greeting";
  // Eight messages are under way at most: with eight that are not answered the next one waits.
  ksn.mood(Mood::silent);
  const auto went = numbers(1, 1000), goes = numbers(5000, 999);
  std::vector<std::uint64_t> asked;
  for (unsigned i = 0; i < 8; ++i) {
    const auto before = ksn.messages();
    asked.push_back(host.request({.topic = "picket.ksn.check", .payload = files(i == 7 ? went : numbers(9000 + i, 1)).SerializeAsString(), .timeout_ms = 60'000}));
    ASSERT_TRUE(wait([&] { return ksn.messages() > before; })) << i;
  }
  asked.push_back(host.request({.topic = "picket.ksn.check", .payload = files(goes).SerializeAsString(), .timeout_ms = 60'000}));
  const auto last = shown(v1::SentRequest::LAST), next = shown(v1::SentRequest::NEXT);
  EXPECT_EQ(digests_in(last.last()), in_hex(went));
  EXPECT_FALSE(last.last_taken());
  EXPECT_EQ(last.next(), "");
  EXPECT_EQ(digests_in(next.next()), in_hex(goes));
  EXPECT_EQ(next.last(), "");
  const auto both = ask_raw("picket.ksn.sent", "");
  EXPECT_EQ(both.status, PICKET_E_TOO_LARGE);
  EXPECT_THAT(both.payload, HasSubstr("ask for each by itself"));
  ksn.answer_held();
  for (const auto id : asked) ASSERT_TRUE(wait([&] { return host.answer(id).done; }));
  EXPECT_EQ(shown(v1::SentRequest::LAST).last(), next.next()) << "what was shown as the next is what went";
}

TEST_F(KsnClientPlugin, disabling_clears_what_waits_and_nothing_is_sent_any_more) {
  settings["batch_ms"] = 1000;
  start();
  accept();
  ASSERT_TRUE(wait([&] { return ksn.messages() > 0; }));
  std::vector<std::uint64_t> waiting;
  for (unsigned i = 0; i < 50; ++i) waiting.push_back(host.request({.topic = "picket.ksn.check", .payload = files({digest_number(i)}).SerializeAsString()}));
  const auto off = turn(false);
  ASSERT_EQ(off.status, PICKET_OK) << off.payload;
  v1::SwitchReply reply;
  ASSERT_TRUE(reply.ParseFromString(off.payload));
  EXPECT_EQ(reply.cleared(), 50U);
  EXPECT_THAT(reply.status(), StartsWith("Disabled: switched off by bob"));
  for (const auto id : waiting) {
    ASSERT_TRUE(wait([&] { return host.answer(id).done; }));
    v1::CheckReply answer;
    ASSERT_TRUE(answer.ParseFromString(host.answer(id).payload));
    EXPECT_EQ(answer.checked(0).from(), v1::Checked::NOBODY);
    EXPECT_EQ(answer.checked(0).why(), "KSN was switched off");
  }
  const auto before = ksn.seen();
  for (unsigned i = 0; i < 20; ++i) EXPECT_EQ(check_one(digest_number(1000 + i)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.seen().asks, 0U);
  EXPECT_EQ(ksn.seen().hellos, before.hellos);
  EXPECT_FALSE(state().in_use());
  restart();
  EXPECT_EQ(status().status(), "Disabled") << "the switch survives a restart";
  EXPECT_EQ(turn(true).status, PICKET_OK);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
}

TEST_F(KsnClientPlugin, policy_forbids_and_takes_the_switch_away) {
  start();
  accept();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  settings["enabled"] = false;
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(status().cause(), "policy forbids KSN");
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::NOBODY) << "what the cache holds does not count while KSN is off";
  EXPECT_EQ(turn(true).status, PICKET_E_DENIED);
  settings["enabled"] = true;
  settings["user_may_switch"] = false;
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(turn(false).status, PICKET_E_DENIED);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::CACHE);
}

TEST_F(KsnClientPlugin, directives_stop_or_restrict_what_is_asked_until_their_date) {
  start();
  accept();
  ASSERT_TRUE(wait([&] { return ksn.messages() > 0; }));
  EXPECT_EQ(activate(R"({"directives":1,"mode":"stopped","until":"2099-01-01T00:00:00Z","reason":"maintenance"})").status, PICKET_OK);
  auto before = ksn.messages();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), before);
  auto status = this->status();
  EXPECT_EQ(status.status(), "Enabled with restrictions");
  EXPECT_THAT(status.cause(), HasSubstr("requests are stopped until 2099-01-01 00:00:00 UTC: maintenance"));
  EXPECT_EQ(status.restricted_until(), 4'070'908'800);
  EXPECT_FALSE(state().in_use()) << "small databases would find less";

  restart();
  before = ksn.messages();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::NOBODY) << "a restart lets nothing out";
  EXPECT_EQ(ksn.messages(), before);

  EXPECT_EQ(activate(R"({"directives":1,"mode":"restricted","until":"2099-01-01T00:00:00Z","allow":["file"]})").status, PICKET_OK);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  const auto address = check_address("http://example.org/");
  EXPECT_EQ(address.from(), v1::Checked::NOBODY);
  EXPECT_THAT(address.why(), HasSubstr("directives"));
  EXPECT_EQ(this->status().status(), "Enabled with restrictions");
  EXPECT_TRUE(state().in_use());

  EXPECT_EQ(activate(R"({"directives":1,"mode":"stopped","until":"2001-01-01T00:00:00Z"})").status, PICKET_OK) << "its date has passed";
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::SERVER);
  EXPECT_EQ(this->status().status(), "Enabled");
}

TEST_F(KsnClientPlugin, directives_end_by_themselves_when_their_date_comes) {
  start();
  accept();
  ASSERT_TRUE(wait([&] { return status().counters().at("exchanges") > 0; }));
  const std::time_t soon = std::time(nullptr) + 2;
  char until[40];
  ASSERT_GT(std::strftime(until, sizeof until, "%FT%TZ", std::gmtime(&soon)), 0U);
  ASSERT_EQ(activate(std::string(R"({"directives":1,"mode":"stopped","until":")") + until + R"("})").status, PICKET_OK);
  EXPECT_FALSE(state().in_use());
  ASSERT_TRUE(wait([&] { return state().in_use(); })) << "without a question of anybody";
  EXPECT_EQ(state().text(), status().line());
  EXPECT_THAT(state().text(), StartsWith("Enabled (Private, Extended); since 20"));
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
}

TEST_F(KsnClientPlugin, directives_that_cannot_be_read_are_refused_and_change_nothing) {
  start();
  accept();
  for (const char* bad : {"", "{", "[]", "{}", R"({"directives":2,"mode":"stopped"})", R"({"directives":1})", R"({"directives":1,"mode":"dance"})",
                          R"({"directives":1,"mode":"stopped","until":"tomorrow"})", R"({"directives":1,"mode":"restricted","allow":"file"})"}) {
    const auto answer = activate(bad);
    EXPECT_NE(answer.status, PICKET_OK) << bad;
    EXPECT_FALSE(answer.payload.empty());
  }
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
}

TEST_F(KsnClientPlugin, status_and_device_status_say_why_and_since_when_it_is_not_available) {
  settings["when_unavailable"] = "Critical";
  ksn.mood(Mood::licence_unknown);
  start();
  accept();
  ASSERT_TRUE(wait([&] { return status().status() == "Enabled. Not available"; }));
  auto status = this->status();
  EXPECT_THAT(status.line(), StartsWith("Enabled. Not available (Private, Extended): "));
  EXPECT_THAT(status.cause(), HasSubstr("authentication error, the licence is not known to the provider: this licence is not known"));
  EXPECT_GT(status.since(), 1'600'000'000);
  EXPECT_GT(status.next_attempt(), status.since() - 1);
  EXPECT_LE(status.next_attempt(), status.since() + 70) << "a minute, and what the road rests";
  EXPECT_THAT(status.line(), AllOf(HasSubstr("; since 20"), HasSubstr("; next attempt 20"), EndsWith("; no exchange yet")));
  EXPECT_EQ(status.device_status(), "Critical");
  EXPECT_EQ(state().device_status(), "Critical");
  ASSERT_FALSE(host.health().empty());
  EXPECT_EQ(host.health().back().health, PICKET_HEALTH_DEGRADED);
  ksn.mood(Mood::honest);
  ASSERT_TRUE(wait([&] { return check_one(digest_number(9)).from() == v1::Checked::SERVER; }));
  EXPECT_EQ(this->status().status(), "Enabled");
  EXPECT_EQ(state().device_status(), "OK");
  EXPECT_EQ(host.health().back().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(KsnClientPlugin, a_licence_that_was_refused_is_not_good_again_because_something_else_fails) {
  start();
  accept();
  ASSERT_TRUE(wait([&] { return check_one(digest_number(1)).from() == v1::Checked::SERVER; }));
  ksn.mood(Mood::licence_unknown);
  ASSERT_EQ(check_one(digest_number(2)).from(), v1::Checked::NOBODY);
  ASSERT_EQ(status().status(), "Enabled. Not available");
  ksn.mood(Mood::unavailable);
  ASSERT_TRUE(wait([&] { return check_one(digest_number(2)).why().find("the store is away") != std::string::npos; }));
  EXPECT_EQ(status().status(), "Enabled. Not available");
  ksn.mood(Mood::honest);
  ASSERT_TRUE(wait([&] { return check_one(digest_number(2)).from() == v1::Checked::SERVER; }));
  EXPECT_EQ(status().status(), "Enabled");
}

TEST_F(KsnClientPlugin, tells_the_device_status_again_when_the_bus_was_busy) {
  settings["when_unavailable"] = "Critical";
  ksn.mood(Mood::licence_unknown);
  start();
  host.fail_call("publish", PICKET_E_BUSY);
  accept();
  ASSERT_TRUE(wait([&] { return status().status() == "Enabled. Not available"; }));
  host.advance(600);
  EXPECT_THAT(host.published("picket.device.concern"), IsEmpty());
  host.fail_nothing();
  host.advance(600);
  const auto told = host.published("picket.device.concern");
  ASSERT_FALSE(told.empty());
  picket::host::v1::DeviceConcern concern;
  ASSERT_TRUE(concern.ParseFromString(told.back().payload));
  EXPECT_EQ(concern.level(), "Critical");
}

TEST_F(KsnClientPlugin, shows_the_provider_and_refuses_one_that_nobody_trusts) {
  start();
  accept();
  const auto provider = status().provider();
  EXPECT_EQ(provider.name(), "Test KSN");
  EXPECT_EQ(provider.contact(), "ksn@example.org");
  EXPECT_EQ(provider.created(), 1'700'000'000);
  ASSERT_TRUE(picket::remove_file(ksn.provider_keys() / "provider.pub.json"));
  ASSERT_EQ(apply(), PICKET_OK);
  const auto status = this->status();
  EXPECT_EQ(status.status(), "Enabled. Not available");
  EXPECT_THAT(status.cause(), HasSubstr("provider"));
  const auto before = ksn.messages();
  EXPECT_EQ(check_one(digest_number(77)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), before);
}

TEST_F(KsnClientPlugin, servers_are_not_asked_while_the_proxy_is_away_unless_policy_allows_it) {
  settings["use_proxy"] = true;
  settings["proxy"] = "127.0.0.1:1";
  start();
  accept();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), 0U);
  EXPECT_THAT(status().road(), StartsWith("proxy 127.0.0.1:1"));
  settings["proxy"] = "";
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(check_one(digest_number(1)).why(), "no KSN proxy is set, and policy does not allow asking KSN's servers directly");
  ASSERT_TRUE(wait([&] { return status().status() == "Enabled. Not available"; }));
  EXPECT_EQ(status().road(), "none");
  settings["proxy"] = "127.0.0.1:1";
  settings["servers_when_proxy_is_away"] = true;
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_THAT(status().road(), HasSubstr("servers"));
  ASSERT_TRUE(wait([&] { return check_one(digest_number(1)).from() == v1::Checked::SERVER; }));
  unsigned next = 1000;
  ASSERT_TRUE(wait([&] { return check_one(digest_number(next++)).from() == v1::Checked::SERVER && status().road() == "servers, while proxy 127.0.0.1:1 rests after failures"; })) << status().road();
  settings["proxy"] = ksn.address();
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::PROXY);
  EXPECT_EQ(status().road(), "proxy " + ksn.address() + ", servers when it is not available");
}

TEST_F(KsnClientPlugin, a_proxy_with_a_wrong_certificate_is_not_asked) {
  ASSERT_TRUE(picket::make_folders(folder.path() / "other"));
  KsnServiceFake other(folder.path() / "other", "Test KSN");
  settings["use_proxy"] = true;
  settings["proxy"] = ksn.address();
  settings["proxy_certificate"] = other.certificate().native();
  start();
  accept();
  const auto checked = check_one(digest_number(1));
  EXPECT_EQ(checked.from(), v1::Checked::NOBODY);
  EXPECT_THAT(checked.why(), HasSubstr("certificate"));
  EXPECT_EQ(ksn.messages(), 0U);
}

}  // namespace
}  // namespace ksn_client_test
