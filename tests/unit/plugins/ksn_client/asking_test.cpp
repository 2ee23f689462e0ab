// The order of who is asked, merging, batching, deadlines, and addresses.
#include "base/digest.hpp"
#include "base/machine.hpp"
#include "ksn/software.hpp"
#include "picket/host/v1/host.pb.h"
#include "rig.hpp"

namespace ksn_client_test {
namespace {

std::string sha256(std::string_view bytes) { return *picket::from_hex(picket::sha256_hex(bytes)); }

TEST_F(KsnClientPlugin, answers_hold_what_ksn_knows_and_come_from_the_cache_then) {
  ksn.knows(digest_number(1), v1::VERDICT_UNTRUSTED, "Trojan.Test");
  start();
  accept();
  auto checked = check_one(digest_number(1));
  EXPECT_EQ(checked.from(), v1::Checked::SERVER);
  EXPECT_EQ(checked.facts().verdict(), v1::VERDICT_UNTRUSTED);
  EXPECT_EQ(checked.facts().threat(), "Trojan.Test");
  EXPECT_EQ(checked.ksn(), "Test KSN");
  EXPECT_TRUE(checked.private_ksn());
  EXPECT_EQ(check_one(digest_number(2)).facts().verdict(), v1::VERDICT_UNKNOWN);
  const auto asked = ksn.seen().digests;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::CACHE);
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::CACHE) << "unknown is an answer too";
  EXPECT_EQ(ksn.seen().digests, asked);
  restart();
  checked = check_one(digest_number(1));
  EXPECT_EQ(checked.from(), v1::Checked::CACHE) << "the cache on disk";
  EXPECT_EQ(checked.facts().threat(), "Trojan.Test");
  EXPECT_EQ(ksn.seen().digests, asked);
}

TEST_F(KsnClientPlugin, goes_on_from_the_cache_while_the_network_is_away_and_rests_between_attempts) {
  settings["rest_seconds"] = 3600;
  settings["request_timeout_ms"] = 60'000;
  ksn.knows(digest_number(1), v1::VERDICT_TRUSTED);
  start();
  accept_and_be_greeted();
  ASSERT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  ksn.die();
  for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(check_one(digest_number(100 + i)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::CACHE);
  const auto began = std::chrono::steady_clock::now();
  const auto reply = check({digest_number(200)});
  EXPECT_EQ(reply.checked(0).from(), v1::Checked::NOBODY);
  EXPECT_THAT(reply.checked(0).why(), HasSubstr("rests"));
  EXPECT_THAT(reply.status(), StartsWith("Enabled"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s) << "the circuit breaker answers at once, not at the deadline of who asks";
  ksn.come_back();
  v1::ConnectionReply connection;
  ASSERT_TRUE(connection.ParseFromString(ask_raw("picket.ksn.connection", "").payload));
  ASSERT_EQ(connection.tried_size(), 1);
  EXPECT_TRUE(connection.tried(0).works()) << connection.tried(0).text();
  EXPECT_EQ(connection.tried(0).protocol(), "HTTP/2");
  EXPECT_EQ(check_one(digest_number(200)).from(), v1::Checked::SERVER) << "a connection that works ends the rest";
}

TEST_F(KsnClientPlugin, equal_questions_in_flight_are_asked_once_and_many_go_together) {
  settings["batch_ms"] = 1000;
  ksn.knows(digest_number(1), v1::VERDICT_TRUSTED);
  start();
  accept();
  std::vector<std::uint64_t> ids;
  for (unsigned i = 0; i < 300; ++i) ids.push_back(host.request({.topic = "picket.ksn.check", .payload = files({digest_number(i % 3 + 1)}).SerializeAsString(), .timeout_ms = 30'000}));
  for (const auto id : ids) ASSERT_TRUE(wait([&] { return host.answer(id).done; }));
  const auto seen = ksn.seen();
  EXPECT_EQ(seen.digests, 3U);
  EXPECT_LE(seen.asks, 2U);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    v1::CheckReply reply;
    ASSERT_TRUE(reply.ParseFromString(host.answer(ids[i]).payload));
    EXPECT_EQ(reply.checked(0).facts().verdict(), i % 3 == 0 ? v1::VERDICT_TRUSTED : v1::VERDICT_UNKNOWN);
  }
}

TEST_F(KsnClientPlugin, ten_thousand_unknown_files_at_once_are_each_asked_once) {
  settings["request_timeout_ms"] = 120'000;
  start();
  accept();
  std::vector<std::uint64_t> ids;
  for (unsigned block = 0; block < 10; ++block) {
    v1::CheckRequest request;
    for (unsigned i = 0; i < 1000; ++i) request.add_objects()->set_file_digest(digest_number(block * 1000 + i));
    ids.push_back(host.request({.topic = "picket.ksn.check", .payload = request.SerializeAsString(), .timeout_ms = 120'000}));
  }
  for (const auto id : ids) {
    ASSERT_TRUE(host.wait_for([&] { return host.answer(id).done; }, 120s));
    v1::CheckReply reply;
    ASSERT_EQ(host.answer(id).status, PICKET_OK) << host.answer(id).payload;
    ASSERT_TRUE(reply.ParseFromString(host.answer(id).payload));
    for (const auto& checked : reply.checked()) ASSERT_EQ(checked.from(), v1::Checked::SERVER) << checked.why();
  }
  const auto seen = ksn.seen();
  EXPECT_EQ(seen.digests, 10'000U);
  EXPECT_EQ(seen.times.size(), 10'000U);
  EXPECT_LE(seen.asks, 20U);
}

TEST_F(KsnClientPlugin, the_askers_deadline_is_kept) {
  settings["request_timeout_ms"] = 120'000;
  start();
  accept_and_be_greeted();
  ksn.knows(digest_number(1), v1::VERDICT_TRUSTED);
  ASSERT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  ksn.mood(Mood::silent);
  v1::CheckReply reply;
  // A computer that is busy may be late once, but not always.
  ASSERT_TRUE(wait([&] {
    const auto began = std::chrono::steady_clock::now();
    reply = check({digest_number(1), digest_number(2)}, 500);
    return std::chrono::steady_clock::now() - began < 600ms;
  }));
  EXPECT_EQ(reply.checked(0).from(), v1::Checked::CACHE) << "what is known is said";
  EXPECT_EQ(reply.checked(1).from(), v1::Checked::NOBODY);
  EXPECT_EQ(reply.checked(1).why(), "no answer before the deadline");
}

TEST_F(KsnClientPlugin, an_impatient_asker_is_no_failure_of_ksn_and_its_answer_comes_into_the_cache) {
  settings["request_timeout_ms"] = 120'000;
  settings["rest_seconds"] = 3600;
  start();
  accept_and_be_greeted();
  ksn.mood(Mood::silent);
  for (unsigned i = 0; i < 6; ++i) EXPECT_EQ(check_one(digest_number(i), 50).from(), v1::Checked::NOBODY);
  v1::ConnectionReply connection;
  ASSERT_TRUE(connection.ParseFromString(ask_raw("picket.ksn.connection", "", 50).payload));
  EXPECT_FALSE(connection.tried(0).works());
  const auto status = this->status();
  EXPECT_EQ(status.counters().at("failures"), 0U);
  EXPECT_EQ(status.cause(), "");
  ksn.answer_held();
  EXPECT_EQ(check_one(digest_number(100)).from(), v1::Checked::SERVER) << "nothing rests";
  EXPECT_TRUE(wait([&] { return check_one(digest_number(0), 1000).from() == v1::Checked::CACHE; })) << "the late answer is kept";
  EXPECT_EQ(ksn.seen().times.at(digest_number(0)), 1U);
}

TEST_F(KsnClientPlugin, a_ksn_that_is_silent_beyond_our_own_limit_is_left_alone) {
  settings["rest_seconds"] = 3600;
  start();
  accept_and_be_greeted();
  ksn.mood(Mood::silent);
  settings["request_timeout_ms"] = 100;
  ASSERT_EQ(apply(), PICKET_OK);
  // Who asks may be answered before it has failed three times.
  unsigned number = 0;
  std::string why;
  ASSERT_TRUE(wait([&] {
    why = check_one(digest_number(number++)).why();
    return why.find("no answer before the deadline") == std::string::npos;
  }));
  EXPECT_GT(number, 1U);
  EXPECT_THAT(why, HasSubstr("rests"));
  EXPECT_THAT(status().cause(), HasSubstr("the last attempt failed"));
  ksn.answer_held();
  v1::ConnectionReply connection;
  ASSERT_TRUE(connection.ParseFromString(ask_raw("picket.ksn.connection", "").payload));
  ASSERT_TRUE(connection.tried(0).works()) << "what was sent before this has come";
  EXPECT_FALSE(ksn.seen().times.contains(digest_number(number - 1)));
}

TEST_F(KsnClientPlugin, local_lists_and_exclusions_come_before_everything_and_are_never_asked) {
  ksn.knows(digest_number(1), v1::VERDICT_UNTRUSTED, "False.Alarm");
  ASSERT_TRUE(picket::write_file_atomic(folder.path() / "list.csv", "# ours\n" + picket::to_hex(digest_number(2)) + ",untrusted,Test.Local,malware\r\nevil.example,untrusted,Bad.Site\n"));
  settings["local"] = json::array{{{"object", picket::to_hex(digest_number(1))}, {"verdict", "trusted"}}};
  settings["local_files"] = json::array{(folder.path() / "list.csv").native()};
  settings["exclusions"] = json::array{"intern.example.org", picket::to_hex(digest_number(3)), "software:Ourselves"};
  start();
  EXPECT_EQ(check_one(digest_number(1)).facts().verdict(), v1::VERDICT_TRUSTED) << "without KSN too";
  accept();
  auto checked = check_one(digest_number(1));
  EXPECT_EQ(checked.from(), v1::Checked::LOCAL);
  EXPECT_EQ(checked.facts().verdict(), v1::VERDICT_TRUSTED);
  checked = check_one(digest_number(2));
  EXPECT_EQ(checked.from(), v1::Checked::LOCAL);
  EXPECT_EQ(checked.facts().threat(), "Test.Local");
  EXPECT_EQ(checked.facts().category(), "malware");
  EXPECT_THAT(check_one(digest_number(3)).why(), HasSubstr("excluded"));
  EXPECT_EQ(check_address("http://www.evil.example/some/page").facts().threat(), "Bad.Site");
  EXPECT_EQ(check_address("https://a.intern.example.org/secret?x=1").from(), v1::Checked::LOCAL);
  v1::CheckRequest software;
  software.add_objects()->mutable_software()->set_publisher("ourselves");
  EXPECT_EQ(ask<v1::CheckReply>("picket.ksn.check", software).checked(0).from(), v1::Checked::LOCAL);
  EXPECT_EQ(ksn.seen().asks, 0U);
  // A list that cannot be read refuses the settings: what it excludes must not be asked.
  settings["local_files"] = json::array{"/nowhere/list.csv"};
  EXPECT_EQ(apply(), PICKET_E_NOT_FOUND);
  EXPECT_THAT(host.error(), HasSubstr("local_files"));
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::LOCAL) << "the settings before stay in force";
}

TEST_F(KsnClientPlugin, exclusions_that_nothing_would_match_are_named_as_ignored_and_the_others_hold) {
  settings["exclusions"] = json::array{"10.0.0.0/8", "www.*.example", "mailto:ann@example.org", "no-object", "intern.example.org", "10.0.0.1/8", "*.*.example"};
  start();  // as after an upgrade: the release before took them all
  accept();
  EXPECT_EQ(check_address("http://10.1.2.3/secret").from(), v1::Checked::LOCAL);
  EXPECT_EQ(check_address("http://a.intern.example.org/").from(), v1::Checked::LOCAL);
  EXPECT_EQ(ksn.seen().asks, 0U);
  const auto concern = [&] {
    picket::host::v1::DeviceConcern out;
    for (const auto& told : host.published("picket.device.concern"))
      if (told.key == "settings") EXPECT_TRUE(out.ParseFromString(told.payload));
    return out;
  };
  EXPECT_EQ(concern().level(), "Warning");
  EXPECT_THAT(concern().text(), AllOf(StartsWith("ignored: setting exclusions: 'www.*.example': a *"), HasSubstr("'mailto:ann@example.org'"), HasSubstr("'no-object'"), EndsWith("; and 2 more")));
  EXPECT_EQ(host.shown().health, PICKET_HEALTH_HEALTHY) << "else it would not take over from the version before";
  settings["exclusions"] = json::array{"10.0.0.0/8"};
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(concern().level(), "OK");
}

TEST_F(KsnClientPlugin, the_most_exact_expression_of_an_address_decides) {
  const auto knows = [&](const std::string& expression, v1::Verdict verdict, const std::string& threat) {
    ksn.knows(sha256(expression), verdict, threat, 3600, v1::OBJECT_ADDRESS);
  };
  knows("example.org/", v1::VERDICT_UNTRUSTED, "Whole.Site");
  knows("good.example.org/", v1::VERDICT_TRUSTED, "");
  start();
  accept();
  auto checked = check_address("http://Other.Example.ORG/a/b.html?q=1#frag");
  EXPECT_EQ(checked.facts().threat(), "Whole.Site");
  EXPECT_EQ(checked.matched(), "example.org/");
  checked = check_address("http://good.example.org/x");
  EXPECT_EQ(checked.facts().verdict(), v1::VERDICT_TRUSTED);
  EXPECT_EQ(checked.matched(), "good.example.org/");
  EXPECT_EQ(check_address("http://harmless.example/").facts().verdict(), v1::VERDICT_UNKNOWN);
  const auto asked = ksn.seen().digests;
  EXPECT_EQ(check_address("http://good.example.org/x").from(), v1::Checked::CACHE);
  EXPECT_EQ(ksn.seen().digests, asked);
  EXPECT_EQ(check_address("").from(), v1::Checked::NOBODY);
  EXPECT_THAT(check_address("mailto:ann@harmless.example").why(), HasSubstr("the scheme is 'mailto'"));
  EXPECT_EQ(ksn.seen().digests, asked) << "that is nobody's address on the web";
}

TEST_F(KsnClientPlugin, says_that_the_cache_answered_only_when_nothing_had_to_be_asked) {
  ksn.knows(sha256("evil.example/"), v1::VERDICT_UNTRUSTED, "Whole.Site", 3600, v1::OBJECT_ADDRESS);
  start();
  accept();
  for (const std::string host : {"harmless.example", "evil.example"}) {
    const auto site = "http://" + host + "/", page = site + "page";
    ASSERT_EQ(check_address(site).from(), v1::Checked::SERVER);
    ASSERT_EQ(check_address(site).from(), v1::Checked::CACHE);
    const auto asked = ksn.seen().digests;
    EXPECT_EQ(check_address(page).from(), v1::Checked::SERVER) << "the site is known, the page was asked: " << page;
    EXPECT_EQ(ksn.seen().digests, asked + 1);
    EXPECT_EQ(check_address(page).from(), v1::Checked::CACHE);
  }
}

TEST_F(KsnClientPlugin, by_prefix_ksn_does_not_learn_what_was_asked) {
  settings["file_prefix_bytes"] = 4;
  settings["address_prefix_bytes"] = 5;
  ksn.knows(digest_number(1), v1::VERDICT_UNTRUSTED, "Trojan.Test");
  ksn.knows(sha256("evil.example/"), v1::VERDICT_UNTRUSTED, "Bad.Site", 3600, v1::OBJECT_ADDRESS);
  start();
  accept();
  auto other = digest_number(1);
  other.back() = 'x';  // the same prefix
  EXPECT_EQ(check_one(digest_number(1)).facts().threat(), "Trojan.Test");
  const auto asked = ksn.seen().digests;
  const auto neighbour = check_one(other);
  EXPECT_EQ(neighbour.facts().verdict(), v1::VERDICT_UNKNOWN);
  EXPECT_EQ(neighbour.from(), v1::Checked::CACHE) << "the list under the prefix is known";
  EXPECT_EQ(ksn.seen().digests, asked);
  EXPECT_EQ(check_address("http://evil.example/x").facts().threat(), "Bad.Site");
  for (const auto& request : ksn.seen().requests)
    for (const auto& group : request.questions()) EXPECT_EQ(group.length(), group.kind() == v1::OBJECT_FILE ? 4U : 5U);
}

TEST_F(KsnClientPlugin, basic_mode_sends_these_members_and_no_others) {
  settings["extended"] = false;
  settings["licence"] = "lic-1";
  start();
  accept_and_be_greeted();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  const auto request = ksn.seen().requests.back();
  EXPECT_EQ(request.asker().licence(), "lic-1");
  EXPECT_EQ(request.asker().installation().size(), 16U);
  EXPECT_EQ(request.asker().product(), "picket");
  EXPECT_FALSE(request.asker().version().empty());
  EXPECT_FALSE(request.asker().extended());
  v1::SentReply sent;
  ASSERT_TRUE(sent.ParseFromString(ask_raw("picket.ksn.sent", "").payload));
  const auto printed = json::parse(sent.last()).as_object();
  EXPECT_EQ(printed.at("path").as_string(), "/ksn/v1/ask");
  EXPECT_EQ(printed.at("bytes").to_number<std::size_t>(), request.ByteSizeLong());
  EXPECT_EQ(printed.at("asker").at("installation").as_string(), picket::to_hex(request.asker().installation()));
  EXPECT_EQ(printed.at("questions").at(0).at("digests").at(0).as_string(), picket::to_hex(digest_number(1)));
  EXPECT_EQ(sent.last_to(), "server " + ksn.address());
  const auto installation = request.asker().installation();
  restart();
  ASSERT_EQ(check_one(digest_number(5)).from(), v1::Checked::SERVER);
  EXPECT_EQ(ksn.seen().requests.back().asker().installation(), installation);
  host.stop();
  host.destroy();
  host.put_stored("installation", picket::to_hex(installation) + " 1000");  // drawn long ago
  start();
  ASSERT_EQ(check_one(digest_number(6)).from(), v1::Checked::SERVER);
  EXPECT_NE(ksn.seen().requests.back().asker().installation(), installation);
}

TEST_F(KsnClientPlugin, a_copied_image_does_not_ask_by_the_number_of_the_one_it_was_copied_from) {
  if (picket::machine_mark().empty()) GTEST_SKIP() << "this computer has no machine id";
  const std::string number(32, 'a'), drawn = number + " " + std::to_string(std::time(nullptr));
  int asked = 0;  // each time another object: what was answered is kept
  const auto asks_by = [&](const std::string& kept) {
    host.put_stored("installation", kept);
    start();
    accept();
    EXPECT_EQ(check_one(digest_number(++asked)).from(), v1::Checked::SERVER);
    host.stop();
    host.destroy();
    return picket::to_hex(ksn.seen().requests.back().asker().installation());
  };
  EXPECT_EQ(asks_by(drawn + " " + picket::machine_mark()), number);
  EXPECT_EQ(asks_by(drawn), number);  // of a version that did not say whose it is
  EXPECT_EQ(host.stored().at("installation"), drawn + " " + picket::machine_mark());
  EXPECT_NE(asks_by(drawn + " 0123456789abcdef"), number);
}

TEST_F(KsnClientPlugin, requests_that_are_none_are_refused_with_the_reason) {
  start();
  accept();
  EXPECT_EQ(ask_raw("picket.ksn.check", "\xff\xff").status, PICKET_E_INVALID);
  EXPECT_EQ(ask_raw("picket.ksn.software", "\xff\xff").status, PICKET_E_INVALID);
  EXPECT_EQ(ask_raw("picket.ksn.decide", "\xff\xff").status, PICKET_E_INVALID);
  EXPECT_EQ(ask_raw("picket.ksn.nonsense", "").status, PICKET_E_UNSUPPORTED);
  v1::CheckRequest request;
  request.add_objects()->set_file_digest("short");
  request.add_objects();
  request.add_objects()->mutable_software();
  request.add_objects()->set_address(std::string(10'000, 'a'));
  const auto reply = ask<v1::CheckReply>("picket.ksn.check", request);
  ASSERT_EQ(reply.checked_size(), 4);
  for (const auto& checked : reply.checked()) {
    EXPECT_EQ(checked.from(), v1::Checked::NOBODY);
    EXPECT_FALSE(checked.why().empty());
  }
  EXPECT_EQ(ksn.seen().asks, 0U);
  v1::CheckRequest known_only = files({digest_number(1)});
  known_only.set_known_only(true);
  EXPECT_EQ(ask<v1::CheckReply>("picket.ksn.check", known_only).checked(0).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.seen().asks, 0U);
}

TEST_F(KsnClientPlugin, settings_that_are_wrong_are_refused_by_name) {
  start();
  for (const auto& [name, value] : std::vector<std::pair<std::string, json::value>>{{"proxy", "http://far.example"}, {"nonsense", 1}, {"fallback_resolvers", json::array{"x"}}, {"folder", "relative"},
                                                                                  {"when_unavailable", "Panic"}, {"file_prefix_bytes", 3}, {"content_kinds", json::array{"secrets"}},
                                                                                  {"language", "../en"}}) {
    auto wrong = settings;
    wrong[name] = value;
    EXPECT_EQ(host.apply(json::serialize(wrong), 99), PICKET_E_INVALID) << name;
    EXPECT_THAT(host.error(), HasSubstr(name)) << name;
  }
}

}  // namespace
}  // namespace ksn_client_test
