// What policy and directives forbid, which road is in force, and the status in its words. The KSN counts what reaches it: the wire is watched.
#include <ctime>

#include "picket/host/v1/host.pb.h"
#include "rig.hpp"

namespace ksn_client_test {
namespace {

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

  settings["user_may_switch"] = true;
  ASSERT_EQ(apply(), PICKET_OK);
  ASSERT_EQ(turn(false).status, PICKET_OK);
  settings["user_may_switch"] = false;
  ASSERT_EQ(apply(), PICKET_OK);
  accept();
  EXPECT_EQ(status().cause(), "switched off by bob") << "to accept the statement once more is no way around policy";
  EXPECT_EQ(statement().statement().decision(), "accepted");
}

TEST_F(KsnClientPlugin, directives_stop_or_restrict_what_is_asked_until_their_date) {
  start();
  accept_and_be_greeted();
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
  accept_and_be_greeted();
  ASSERT_TRUE(state().in_use());
  // On a slow computer it may be over before anybody looks.
  for (std::time_t seconds = 2; state().in_use(); seconds *= 2) {
    ASSERT_LT(seconds, 40);
    const std::time_t soon = std::time(nullptr) + seconds;
    char until[40];
    ASSERT_GT(std::strftime(until, sizeof until, "%FT%TZ", std::gmtime(&soon)), 0U);
    ASSERT_EQ(activate(std::string(R"({"directives":1,"mode":"stopped","until":")") + until + R"("})").status, PICKET_OK);
  }
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
  EXPECT_TRUE(wait([&] { return state().device_status() == "Critical"; }));
  ASSERT_FALSE(host.health().empty());
  EXPECT_EQ(host.health().back().health, PICKET_HEALTH_DEGRADED);
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(host.shown().health, PICKET_HEALTH_DEGRADED) << "a reload does not hide what is wrong";
  ksn.mood(Mood::honest);
  ASSERT_TRUE(wait([&] { return check_one(digest_number(9)).from() == v1::Checked::SERVER; }));
  EXPECT_EQ(this->status().status(), "Enabled");
  EXPECT_EQ(state().device_status(), "OK");
  EXPECT_EQ(host.health().back().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(KsnClientPlugin, a_licence_that_was_refused_is_not_good_again_because_something_else_fails) {
  start();
  accept_and_be_greeted();
  ASSERT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
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
  ASSERT_TRUE(wait([&] {
    host.advance(600);
    return !host.published("picket.device.concern").empty();
  }));
  const auto told = host.published("picket.device.concern");
  picket::host::v1::DeviceConcern concern;
  ASSERT_TRUE(concern.ParseFromString(told.back().payload));
  EXPECT_EQ(concern.level(), "Critical");
}

TEST_F(KsnClientPlugin, shows_the_provider_and_refuses_one_that_nobody_trusts) {
  start();
  accept();
  ASSERT_TRUE(wait([&] { return status().last_exchange() > 0; })) << "the greeting has been answered";
  const auto provider = status().provider();
  EXPECT_EQ(provider.name(), "Test KSN");
  EXPECT_EQ(provider.contact(), "ksn@example.org");
  EXPECT_EQ(provider.created(), 1'700'000'000);
  ASSERT_TRUE(picket::remove_file(ksn.provider_keys() / "provider.pub.json"));
  ASSERT_EQ(apply(), PICKET_OK);
  const auto status = this->status();
  EXPECT_EQ(status.status(), "Enabled. Not available");
  EXPECT_EQ(status.cause(), "no provider of KSN: setting provider_keys: no key (*.pub.json) in " + ksn.provider_keys().native());
  const auto before = ksn.messages();
  EXPECT_EQ(check_one(digest_number(77)).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), before);
}

TEST_F(KsnClientPlugin, plans_no_attempt_where_nobody_is_set_to_be_asked) {
  settings["provider_file"] = "";
  start();
  accept();
  EXPECT_EQ(status().cause(), "no provider of KSN: no provider file is set");
  EXPECT_EQ(status().next_attempt(), 0);
  EXPECT_THAT(status().line(), AllOf(StartsWith("Enabled. Not available (Extended): no provider of KSN: no provider file is set; since 20"), EndsWith(" UTC; no exchange yet"), testing::Not(HasSubstr("next attempt"))));
  settings["provider_file"] = "/nowhere/provider.dsse";
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_THAT(status().line(), AllOf(HasSubstr("/nowhere/provider.dsse"), HasSubstr("; next attempt 20"))) << "it may come later";
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
  const auto damaged = (folder.path() / "damaged.pem").native();
  ASSERT_TRUE(picket::write_file_atomic(damaged, "-----BEGIN CERTIFICATE-----\nno certificate\n-----END CERTIFICATE-----\n"));
  settings["proxy_certificate"] = damaged;
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_THAT(check_one(digest_number(1)).why(), HasSubstr("setting proxy_certificate: " + damaged + " holds no certificate in PEM"));
  settings.erase("proxy_certificate");
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
