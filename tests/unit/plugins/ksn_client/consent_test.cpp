// Consent, the switch, and what is shown of messages. The KSN counts what reaches it: the wire is watched.
#include <ctime>
#include <set>

#include "../raw_server.hpp"
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
  accept_and_be_greeted();
  EXPECT_EQ(decide(false).status, PICKET_OK);
  EXPECT_EQ(status().status(), "Disabled");
  const auto before = ksn.messages();
  EXPECT_EQ(check_one(digest_number(3)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), before);
}

TEST_F(KsnClientPlugin, declining_the_version_in_force_in_another_language_takes_consent_back) {
  ASSERT_TRUE(picket::write_file_atomic(folder.path() / "statements" / "ksn_de.txt", "Version: 1\nDer Text.\n"));
  start();
  accept_and_be_greeted();
  EXPECT_EQ(decide(false, {}, "de").status, PICKET_OK);
  EXPECT_EQ(status().status(), "Disabled");
  for (const char* language : {"en", "de"}) EXPECT_EQ(statement(language).statement().decision(), "declined") << language;
  EXPECT_EQ(status().statement().accepted_version(), "");
  const auto before = ksn.messages();
  EXPECT_EQ(check_one(digest_number(3)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), before);
  restart();
  EXPECT_EQ(status().status(), "Disabled");
}

TEST_F(KsnClientPlugin, a_version_that_was_accepted_in_one_language_is_decided_in_all_of_them) {
  ASSERT_TRUE(picket::write_file_atomic(folder.path() / "statements" / "ksn_de.txt", "Version: 1\nDer Text.\n"));
  start();
  ASSERT_EQ(decide(true, {}, "de").status, PICKET_OK);
  EXPECT_EQ(status().statement().language(), "en");
  for (const char* language : {"en", "de"}) EXPECT_EQ(statement(language).statement().decision(), "accepted") << language;
  restart();
  EXPECT_EQ(status().statement().decision(), "accepted");
  EXPECT_EQ(status().statement().who(), "ann");
  ASSERT_TRUE(picket::write_file_atomic(folder.path() / "statements" / "ksn_de.txt", "Version: 1\nEin anderer Text.\n"));
  EXPECT_EQ(statement("de").statement().decision(), "none") << "under the same version another text than was read";
  write_statement("en", "2");
  EXPECT_EQ(status().statement().decision(), "none");
}

TEST_F(KsnClientPlugin, says_which_languages_there_are_instead_of_one_that_does_not_ship) {
  settings["language"] = "fr";
  start();
  const auto said = host.logs();
  EXPECT_THAT(said, testing::Contains(testing::Field(&picket::testing::LogRecord::text, HasSubstr("in language 'fr' (there are: en)"))));
  const auto answer = ask_raw("picket.ksn.statement", "");
  EXPECT_EQ(answer.status, PICKET_E_NOT_FOUND);
  EXPECT_THAT(answer.payload, HasSubstr("in language 'fr' (there are: en)"));
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
  accept_and_be_greeted();
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

TEST_F(KsnClientPlugin, what_ends_the_use_of_ksn_outlives_a_restart_even_when_it_cannot_be_recorded) {
  start();
  for (const bool declines : {true, false}) {
    accept_and_be_greeted();
    host.fail_call("put", PICKET_E_NO_SPACE);
    const auto ended = declines ? decide(false) : turn(false);
    EXPECT_EQ(ended.status, PICKET_E_IO);
    EXPECT_THAT(ended.payload, AllOf(StartsWith(declines ? "the statement is declined, but" : "KSN is off, but"), HasSubstr("after a restart the statement must be accepted")));
    EXPECT_EQ(status().status(), "Disabled");
    host.stop();
    host.destroy();
    const auto before = ksn.messages();
    start();
    EXPECT_EQ(status().cause(), "the KSN statement is not accepted");
    EXPECT_EQ(check_one(digest_number(3)).from(), v1::Checked::NOBODY);
    EXPECT_EQ(ksn.messages(), before);
    host.fail_nothing();
  }
}

TEST_F(KsnClientPlugin, a_consent_that_is_taken_back_counts_even_when_that_cannot_be_recorded) {
  start();
  accept_and_be_greeted();
  host.fail_call("put", PICKET_E_NO_SPACE);
  host.fail_call("remove", PICKET_E_IO);
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
  EXPECT_TRUE(wait([&] { return sent().last_taken(); })) << "the answer, or the greeting that went after it";
  ksn.mood(Mood::malformed);
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::NOBODY);
  EXPECT_TRUE(wait([&] { return !sent().last_taken(); })) << "what came was no answer";
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
  settings["batch_ms"] = 0;
  settings["request_timeout_ms"] = 60'000;
  start();
  accept_and_be_greeted();
  // Eight messages are under way at most: with eight that are not answered the others wait.
  ksn.mood(Mood::silent);
  std::vector<std::uint64_t> waiting;
  for (unsigned i = 0; i < 50; ++i) {
    const auto before = ksn.messages();
    waiting.push_back(host.request({.topic = "picket.ksn.check", .payload = files({digest_number(i)}).SerializeAsString(), .timeout_ms = 60'000}));
    if (i < 8) ASSERT_TRUE(wait([&] { return ksn.messages() > before; })) << i;
  }
  const auto before = ksn.messages();
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
  for (unsigned i = 0; i < 20; ++i) EXPECT_EQ(check_one(digest_number(1000 + i)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), before);
  EXPECT_FALSE(state().in_use());
  ksn.mood(Mood::honest);
  restart();
  EXPECT_EQ(status().status(), "Disabled") << "the switch survives a restart";
  EXPECT_EQ(turn(true).status, PICKET_OK);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
}

}  // namespace
}  // namespace ksn_client_test
