#include <gmock/gmock.h>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "breaker.hpp"
#include "consent.hpp"
#include "line.hpp"
#include "local_lists.hpp"
#include "objects.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "printed.hpp"
#include "standing.hpp"
#include "support/server_process.hpp"

namespace ksn_client {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using namespace std::chrono_literals;

// ---- breaker

TEST(KsnBreaker, rests_after_three_failures_and_longer_each_time) {
  Breaker breaker(1s, 300s);
  Breaker::Time now{};
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(breaker.may(now));
    breaker.failed(now, 0);
  }
  EXPECT_TRUE(breaker.may(now));
  breaker.failed(now, 0);
  std::vector<long long> rests;
  for (int i = 0; i < 12; ++i) {
    EXPECT_FALSE(breaker.may(now));
    rests.push_back(std::chrono::duration_cast<std::chrono::seconds>(breaker.until() - now).count());
    now = breaker.until();
    EXPECT_TRUE(breaker.may(now));
    EXPECT_FALSE(breaker.may(now)) << "one message tries the road";
    breaker.failed(now, 0);
  }
  EXPECT_THAT(rests, testing::ElementsAre(1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300));
  now = breaker.until();
  EXPECT_TRUE(breaker.may(now));
  breaker.succeeded();
  EXPECT_TRUE(breaker.may(now));
  EXPECT_FALSE(breaker.is_resting(now));
  breaker.failed(now, 0);
  EXPECT_TRUE(breaker.may(now)) << "one failure is none";
}

TEST(KsnBreaker, rests_as_long_as_the_other_side_asks_and_a_trial_given_up_is_no_verdict) {
  Breaker breaker(1s, 10s);
  Breaker::Time now{};
  EXPECT_TRUE(breaker.may(now));
  breaker.failed(now, 0, 60s);
  EXPECT_FALSE(breaker.may(now + 59s));
  EXPECT_TRUE(breaker.may(now + 60s));
  breaker.gave_up();
  EXPECT_TRUE(breaker.may(now + 60s));
}

TEST(KsnRefusal, is_said_in_words_and_by_its_code) {
  const Way way{{}, true, "proxy a:1"};
  const auto refused = [&](v1::Refusal::Why why, const std::string& text, std::uint32_t retry) {
    v1::Refusal refusal;
    refusal.set_why(why);
    refusal.set_text(text);
    refusal.set_retry_after_seconds(retry);
    return refused_by({403, refusal.SerializeAsString(), "HTTP/2", 1ms}, way);
  };
  EXPECT_EQ(refused(v1::Refusal::LICENCE_UNKNOWN, "", 0).error.message, "proxy a:1: authentication error, the licence is not known to the provider");
  EXPECT_EQ(refused(v1::Refusal::LICENCE_BLOCKED, "ask your\nvendor", 0).error.message, "proxy a:1: authentication error, the licence key is blocked: ask your vendor");
  EXPECT_EQ(refused(v1::Refusal::LICENCE_EXPIRED, "", 0).error.message, "proxy a:1: authentication error, the licence has expired");
  for (const auto why : {v1::Refusal::LICENCE_UNKNOWN, v1::Refusal::LICENCE_BLOCKED, v1::Refusal::LICENCE_EXPIRED}) EXPECT_EQ(refused(why, "", 0).error.code, Code::denied);
  EXPECT_EQ(refused(v1::Refusal::TOO_MANY, "", 77).rest, 77s);
  EXPECT_EQ(refused(v1::Refusal::UNAVAILABLE, "", 4'000'000'000).rest, 1h) << "nobody sends us away for ever: a refusal is not signed";
  EXPECT_EQ(refused(v1::Refusal::NOT_TAKEN, "", 0).error.code, Code::conflict);
  EXPECT_EQ(refused_by({502, "<html>", "HTTP/1.1", 1ms}, way).error.message, "proxy a:1: answered with HTTP status 502");
}

// ---- directives

TEST(KsnRefusal, what_kept_a_road_from_answering_is_told_under_its_name) {
  const Way way{{"https://a:1", "", "", {}}, true, "proxy a:1"};
  EXPECT_EQ(kept_from(picket::Error{Code::unavailable, "https://a:1: no network"}, way).message, "proxy a:1: no network");
  EXPECT_EQ(kept_from(picket::Error{Code::timeout, "https://a:12: slow"}, way).message, "proxy a:1: https://a:12: slow");
  EXPECT_EQ(kept_from(picket::Error{Code::invalid, "web proxy x"}, way).message, "proxy a:1: web proxy x");
  EXPECT_EQ(kept_from(picket::Error{Code::timeout, "https://a:1: slow"}, way).code, Code::timeout);
  EXPECT_EQ(kept_from(picket::Error{Code::cancelled, "cancelled"}, way).message, "cancelled");
}

TEST(KsnDirectives, are_in_force_until_their_date) {
  const auto stopped = Directives::parse(R"({"directives":1,"mode":"stopped","until":"2026-11-22T12:00:00+02:00","reason":"busy\nline"})");
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(utc(stopped->until), "2026-11-22 10:00:00 UTC");
  EXPECT_EQ(stopped->reason, "busy line");
  EXPECT_FALSE(stopped->permits("hello", stopped->until - 1));
  EXPECT_TRUE(stopped->permits("hello", stopped->until));
  const auto restricted = Directives::parse(R"({"directives":1,"mode":"restricted","allow":["file","telepathy"]})");
  ASSERT_TRUE(restricted);
  EXPECT_TRUE(restricted->permits("file", 5));
  EXPECT_TRUE(restricted->permits("hello", 5));
  EXPECT_FALSE(restricted->permits("address", 5));
  EXPECT_FALSE(restricted->permits("content", 5));
  for (const char* bad : {"2026-11-22", "2026-11-22T25:99:00", "2026-11-22T00:00:00", "2026-11-22T00:00:00Zx", "1900-01-01T00:00:00Z"}) EXPECT_FALSE(seconds_of_rfc3339(bad)) << bad;
}

// It goes into the state that everybody reads, and a message with half a character nobody can.
TEST(KsnDirectives, keep_whole_characters_of_a_long_reason_and_so_do_refusals) {
  std::string long_text = "x";
  for (int i = 0; i < 200; ++i) long_text += "\xd0\xb6";
  const auto stopped = Directives::parse(cat(R"({"directives":1,"mode":"stopped","until":"2026-11-22T12:00:00Z","reason":")", long_text, "\"}"));
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->reason, long_text.substr(0, 199));
  v1::Refusal refusal;
  refusal.set_why(v1::Refusal::LICENCE_BLOCKED);
  refusal.set_text(long_text);
  EXPECT_TRUE(picket::is_valid_utf8(refused_by({403, refusal.SerializeAsString(), "HTTP/2", 1ms}, {{}, true, "proxy a:1"}).error.message));
}

// ---- the status

Situation on() {
  Situation s;
  s.accepted = true;
  s.has_provider = true;
  s.private_ksn = true;
  s.changed = 1000;
  s.last_exchange = 2000;
  s.last_road = "proxy a:1";
  return s;
}

TEST(KsnStanding, uses_exactly_the_four_words) {
  auto s = on();
  EXPECT_EQ(status_of(s, 2100).status(), "Enabled");
  EXPECT_EQ(status_of(s, 2100).line(), "Enabled (Private, Extended); since 1970-01-01 00:16:40 UTC");
  EXPECT_EQ(status_of(s, 2000 + kAvailableSeconds - 1).status(), "Enabled");
  EXPECT_EQ(status_of(s, 2000 + kAvailableSeconds).status(), "Enabled. Not available");
  EXPECT_EQ(status_of(s, 2000 + kAvailableSeconds).cause(), "no exchange for 15 minutes");
  EXPECT_EQ(status_of(s, 2000 + kAvailableSeconds).device_status(), "Warning");
  EXPECT_EQ(changes_at(s, 2100), 2000 + kAvailableSeconds);
  s.failing_since = 2050;
  s.failure = "proxy a:1: no network";
  s.next_attempt = 2200;
  EXPECT_EQ(status_of(s, 2100).status(), "Enabled");
  EXPECT_EQ(status_of(s, 2100).line(), "Enabled (Private, Extended): the last attempt failed: proxy a:1: no network; since 1970-01-01 00:16:40 UTC; next attempt 1970-01-01 00:36:40 UTC; "
                                       "last exchange 1970-01-01 00:33:20 UTC by proxy a:1");
  const auto away = status_of(s, 2000 + kAvailableSeconds);
  EXPECT_EQ(away.line(), "Enabled. Not available (Private, Extended): proxy a:1: no network; since 1970-01-01 00:34:10 UTC; next attempt 1970-01-01 00:36:40 UTC; last exchange "
                         "1970-01-01 00:33:20 UTC by proxy a:1");
  for (const auto when : {std::int64_t{2100}, 2000 + kAvailableSeconds}) EXPECT_EQ(state_of(s, when).text(), status_of(s, when).line());
  EXPECT_FALSE(state_of(s, 2000 + kAvailableSeconds).available());
  EXPECT_TRUE(state_of(s, 2000 + kAvailableSeconds).in_use());
  s.licence_refused = true;
  EXPECT_EQ(status_of(s, 2100).status(), "Enabled. Not available") << "the provider has said no: nothing to wait for";
  s.directives = {Directives::Mode::restricted, 5000, {"file"}, "load"};
  s.directives_since = 2060;
  EXPECT_EQ(status_of(s, 2100).status(), "Enabled with restrictions");
  EXPECT_THAT(status_of(s, 2100).cause(), StartsWith("only requests about file until 1970-01-01 01:23:20 UTC: load"));
  s.directives.allow.clear();
  EXPECT_THAT(status_of(s, 2100).cause(), StartsWith("requests are stopped until 1970-01-01 01:23:20 UTC: load"));
  s.switched_on = false;
  s.switched_by = "bob";
  EXPECT_EQ(status_of(s, 2100).line(), "Disabled: switched off by bob; since 1970-01-01 00:16:40 UTC");
  EXPECT_EQ(state_of(s, 2100).text(), status_of(s, 2100).line());
  EXPECT_EQ(status_of(s, 2100).mode(), "Off");
  EXPECT_FALSE(state_of(s, 2100).in_use());
  EXPECT_TRUE(state_of(s, 2100).knows()) << "what the administrator's lists hold counts all the same";
}

TEST(KsnStanding, says_modes_kinds_and_what_policy_makes_of_it) {
  auto s = on();
  s.extended = false;
  s.private_ksn = false;
  EXPECT_EQ(status_of(s, 2100).mode(), "Basic");
  EXPECT_EQ(status_of(s, 2100).kind(), "Global");
  EXPECT_EQ(state_of(s, 2100).text(), "Enabled (Global, Basic); since 1970-01-01 00:16:40 UTC");
  const auto before = state_of(s, 2100).SerializeAsString();
  s.last_exchange = 2090;
  EXPECT_EQ(state_of(s, 2100).SerializeAsString(), before) << "not every exchange is news";
  for (const char* level : {"OK", "Warning", "Critical"}) {
    s.when_unavailable = level;
    EXPECT_EQ(status_of(s, 99'999).device_status(), level);
  }
  s.has_provider = false;
  s.no_provider = "no provider file is set";
  EXPECT_EQ(status_of(s, 2100).cause(), "no provider file is set");
  EXPECT_FALSE(state_of(s, 2100).in_use());
}

TEST(KsnStanding, restrictions_do_not_hide_that_it_is_not_available) {
  auto s = on();
  s.directives = {Directives::Mode::restricted, 99'999, {"file"}, ""};
  s.directives_since = 1500;
  EXPECT_EQ(status_of(s, 2100).device_status(), "OK");
  s.failing_since = 2050;
  s.failure = "proxy a:1: no network";
  s.next_attempt = 9000;
  const auto away = status_of(s, 2000 + kAvailableSeconds);
  EXPECT_EQ(away.status(), "Enabled with restrictions");
  EXPECT_THAT(away.cause(), HasSubstr("; and not available: proxy a:1: no network"));
  EXPECT_THAT(away.line(), HasSubstr("; next attempt 1970-01-01 02:30:00 UTC"));
  EXPECT_EQ(away.device_status(), "Warning");
  s.directives.mode = Directives::Mode::stopped;
  EXPECT_EQ(status_of(s, 9000).device_status(), "OK") << "nobody is asked, as it shall be";
  EXPECT_THAT(status_of(s, 9000).line(), HasSubstr("; next attempt 1970-01-02 03:46:39 UTC"));
}

TEST(KsnStanding, has_a_quarter_of_an_hour_after_requests_were_stopped) {
  auto s = on();
  s.directives = {Directives::Mode::stopped, 50'000, {}, ""};
  s.directives_since = 2000;
  EXPECT_EQ(status_of(s, 49'999).status(), "Enabled with restrictions");
  EXPECT_EQ(status_of(s, 50'000).status(), "Enabled");
  EXPECT_EQ(status_of(s, 50'000).since(), 50'000);
  EXPECT_EQ(changes_at(s, 50'000), 50'000 + kAvailableSeconds);
  EXPECT_EQ(status_of(s, 50'000 + kAvailableSeconds).status(), "Enabled. Not available");
  s.last_exchange = s.available_since = 60'000;
  EXPECT_EQ(status_of(s, 60'001).since(), 60'000) << "it was away until then";
}

// ---- consent

TEST(KsnConsent, needs_a_version_and_bounds_the_text) {
  picket::support::ServerFolder folder;
  EXPECT_EQ(Statement::load(folder.path().native(), "en").error().code, Code::not_found);
  for (const std::string& bad : {std::string("no version\n"), std::string("Version: \n"), std::string("Version: 1"), std::string("Version: 1\nErkl\xe4rung\n"), std::string()}) {
    ASSERT_TRUE(picket::write_file_atomic(folder / "ksn_en.txt", bad));
    EXPECT_EQ(Statement::load(folder.path().native(), "en").error().code, Code::invalid) << bad;
  }
  ASSERT_TRUE(picket::write_file_atomic(folder / "ksn_en.txt", "Version: 1\n" + std::string(200'000, 'x')));
  EXPECT_EQ(Statement::load(folder.path().native(), "en").error().code, Code::too_large);
  for (const char* language : {"en", "de"}) EXPECT_TRUE(Statement::load(PICKET_TEST_STATEMENTS, language)) << language;
}

// ---- local lists

TEST(KsnLocalLists, name_the_file_and_line_that_is_wrong) {
  picket::support::ServerFolder folder;
  Settings settings;
  settings.local_files = {(folder / "list").native()};
  const auto error = [&](const std::string& text) {
    EXPECT_TRUE(picket::write_file_atomic(folder / "list", text));
    const auto lists = LocalLists::make(settings);
    return !lists ? lists.error().message : lists->ignored().empty() ? std::string("none") : cat("ignored: ", lists->ignored());
  };
  EXPECT_EQ(error("# nothing\n\n"), "none");
  EXPECT_EQ(error("example.org,untrusted\nsoftware:Acme/Tool,trusted,,tools\n" + std::string(64, 'a') + ",abusable\n"), "none");
  EXPECT_THAT(error("example.org,untrusted\nexample.org,evil\n"), HasSubstr("list line 2: 'evil' is no verdict"));
  EXPECT_THAT(error("nothing,trusted"), AllOf(StartsWith("ignored: "), HasSubstr("list line 1: 'nothing': no SHA-256")));
  EXPECT_THAT(error("software:,trusted"), AllOf(StartsWith("ignored: "), HasSubstr("list line 1: 'software:': software has a publisher")));
  EXPECT_THAT(error("example.org"), HasSubstr("line 1"));
  EXPECT_THAT(error("a.example,untrusted\nexample.org,untrusted,B\xF6se"), HasSubstr("list line 2: is not UTF-8"));
}

TEST(KsnLocalLists, take_hosts_as_administrators_write_them_and_ignore_what_nothing_would_match) {
  picket::support::ServerFolder folder;
  const auto excludes = [](const std::string& object, const std::string& address) -> std::string {
    Settings settings;
    settings.exclusions = {object};
    const auto lists = LocalLists::make(settings);
    if (!lists->ignored().empty()) return lists->ignored();
    v1::Object asked;
    asked.set_address(address);
    return lists->find(*asked_of(asked)) ? "yes" : "no";
  };
  EXPECT_EQ(excludes("*.intern.example", "https://a.intern.example/x"), "yes");
  EXPECT_EQ(excludes(".intern.example", "https://a.intern.example/x"), "yes");
  EXPECT_EQ(excludes("http://wiki/", "http://wiki/page"), "yes");
  EXPECT_EQ(excludes("[2001:db8::1]", "http://[2001:db8::1]/x"), "yes");
  EXPECT_EQ(excludes("10.0.0.1/9001", "http://10.0.0.1/9001"), "yes") << "a path";
  EXPECT_EQ(excludes("10.0.0.0/8", "http://10.255.0.1:8080/x?y"), "yes");
  EXPECT_EQ(excludes("10.0.0.0/8", "http://0xa.1/"), "yes") << "10.0.0.1 in other words";
  EXPECT_EQ(excludes("10.0.0.0/8", "http://[::ffff:10.0.0.1]/"), "yes");
  EXPECT_EQ(excludes("10.0.0.0/8", "http://11.0.0.1/"), "no");
  EXPECT_EQ(excludes("10.0.0.0/8", "http://10.example/"), "no");
  EXPECT_EQ(excludes("0.0.0.0/0", "http://[2001:db8::1]/"), "no");
  EXPECT_EQ(excludes("::/0", "http://10.0.0.1/"), "no");
  EXPECT_EQ(excludes("2001:db8::/32", "http://[2001:DB8:1::1]/"), "yes");
  EXPECT_THAT(excludes("10.0.0.1/8", "http://10.0.0.1/"), HasSubstr("10.0.0.0/8 is meant?"));
  EXPECT_THAT(excludes("10.0.0/8", "http://10.0.0.1/"), HasSubstr("'10.0.0/8' is no address range such as"));
  EXPECT_THAT(excludes("www.*.example", "http://www.a.example/"), HasSubstr("'www.*.example': a *"));
  EXPECT_THAT(excludes("wiki", "http://wiki/"), HasSubstr("http://HOST/"));
  EXPECT_THAT(excludes("/home/ann", "http://home/"), HasSubstr("'/home/ann': not a web address"));

  Settings ranges;
  ranges.local = {{"10.0.0.0/8", v1::VERDICT_TRUSTED, "", "wide"}, {"10.1.0.0/16", v1::VERDICT_UNTRUSTED, "", "narrow"}, {"10.1.1.1", v1::VERDICT_UNTRUSTED, "", "one"}};
  const auto threat = [lists = LocalLists::make(ranges)](const std::string& address) {
    v1::Object object;
    object.set_address(address);
    return lists->find(*asked_of(object))->facts.threat();
  };
  EXPECT_EQ(threat("http://10.2.0.1/"), "wide");
  EXPECT_EQ(threat("http://10.1.0.1/"), "narrow");
  EXPECT_EQ(threat("http://10.1.1.1/page"), "one");

  ASSERT_TRUE(picket::write_file_atomic(folder / "list", "\xEF\xBB\xBF" "first.example,untrusted\r\n"));
  Settings settings;
  settings.local_files = {(folder / "list").native()};
  const auto lists = LocalLists::make(settings);
  v1::Object asked;
  asked.set_address("http://first.example/");
  ASSERT_TRUE(lists);
  EXPECT_TRUE(lists->find(asked_of(asked)->keys)) << "the mark at its beginning is no part of the first line";

  ASSERT_TRUE(picket::write_file_atomic(folder / "list", "first.example,untrusted," + std::string(255, 'x') + "\xC3\xA4\n"));
  const auto cut = LocalLists::make(settings);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->find(asked_of(asked)->keys)->facts.threat(), std::string(255, 'x')) << "whole characters";
}

// ---- objects and messages

TEST(KsnObjects, software_is_asked_by_product_then_by_publisher) {
  v1::Object object;
  object.mutable_software()->set_publisher("Acme");
  object.mutable_software()->set_product("Tool");
  const auto asked = asked_of(object);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->keys.size(), 2U);
  object.mutable_software()->clear_product();
  EXPECT_EQ(asked_of(object)->keys.size(), 1U);
  EXPECT_EQ(asked_of(object)->keys[0], asked->keys[1]);
}

TEST(KsnPrinted, shows_each_kind_of_message) {
  v1::StatisticsRequest statistics;
  statistics.set_id("0123456789abcdef");
  (*statistics.mutable_counters())["files"] = 3;
  EXPECT_THAT(printed("/ksn/v1/statistics", statistics.SerializeAsString()), HasSubstr("\"counters\":{\"files\":3}"));
  v1::ContentRequest content;
  content.set_digest(std::string(32, '\1'));
  content.set_part("abc");
  EXPECT_THAT(printed("/ksn/v1/content", content.SerializeAsString()), HasSubstr("\"part_bytes\":3"));
  EXPECT_EQ(printed("/ksn/v1/ask", "\xff\xff\xff"), "");
}

}  // namespace
}  // namespace ksn_client
