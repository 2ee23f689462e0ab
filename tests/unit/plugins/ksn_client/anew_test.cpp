// A road that rests after a refusal is asked at once when there is something new to say to it: another licence, provider or address.
#include "rig.hpp"

namespace ksn_client_test {
namespace {

// Refused once, it would rest for an hour.
struct KsnAskedAnew : KsnClientPlugin {
  void SetUp() override {
    KsnClientPlugin::SetUp();
    settings["licence"] = "old";
    settings["rest_seconds"] = settings["longest_rest_seconds"] = 3600;
    settings["request_timeout_ms"] = 60'000;
  }
  void start_refused() {
    ksn.mood(Mood::licence_unknown);
    start();
    accept();
    ASSERT_TRUE(wait([&] { return status().status() == "Enabled. Not available"; }));
    const auto status = this->status();
    EXPECT_THAT(status.cause(), HasSubstr("authentication error"));
    EXPECT_GT(status.next_attempt(), status.since() + 3000);
    EXPECT_THAT(check_one(digest_number(1)).why(), HasSubstr("rests"));
    ksn.mood(Mood::honest);
  }
  // Nobody asks: it is greeted by itself.
  void expect_available() {
    ASSERT_TRUE(wait([&] { return status().last_exchange() != 0; })) << status().line();
    const auto status = this->status();
    EXPECT_EQ(status.status(), "Enabled");
    EXPECT_EQ(status.cause(), "");
    EXPECT_EQ(status.device_status(), "OK");
    EXPECT_EQ(status.next_attempt(), 0);
    EXPECT_EQ(state().text(), status.line());
  }
};

TEST_F(KsnAskedAnew, with_another_licence) {
  start_refused();
  const auto before = ksn.messages();
  settings["statistics_hours"] = 12;
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_THAT(check_one(digest_number(1)).why(), HasSubstr("rests")) << "that is nothing new to KSN";
  EXPECT_EQ(status().status(), "Enabled. Not available");
  EXPECT_EQ(ksn.messages(), before);
  settings["licence"] = "new";
  ASSERT_EQ(apply(), PICKET_OK);
  expect_available();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  EXPECT_EQ(ksn.seen().requests.back().asker().licence(), "new");
}

TEST_F(KsnAskedAnew, and_says_so_when_the_other_licence_is_refused_too) {
  start_refused();
  ksn.mood(Mood::licence_expired);
  settings["licence"] = "new";
  ASSERT_EQ(apply(), PICKET_OK);
  ASSERT_TRUE(wait([&] { return status().cause().find("the licence has expired") != std::string::npos; })) << status().line();
  EXPECT_EQ(status().status(), "Enabled. Not available");
}

TEST_F(KsnAskedAnew, and_what_is_said_of_the_licence_before_counts_no_more) {
  start();
  accept();
  ASSERT_TRUE(wait([&] { return ksn.seen().hellos > 0; }));
  ksn.mood(Mood::silent);
  const auto before = ksn.messages();
  const auto asked = host.request({.topic = "picket.ksn.check", .payload = files({digest_number(1)}).SerializeAsString(), .timeout_ms = 60'000});
  ASSERT_TRUE(wait([&] { return ksn.messages() > before; }));
  ksn.mood(Mood::honest);
  const auto greeted = ksn.seen().hellos;
  settings["licence"] = "new";
  ASSERT_EQ(apply(), PICKET_OK);
  ASSERT_TRUE(wait([&] { return ksn.seen().hellos > greeted; })) << "the exchange before says nothing of the new one";
  ASSERT_TRUE(wait([&] { return status().counters().at("exchanges") > 1; }));
  ksn.answer_held(Mood::licence_unknown);
  ASSERT_TRUE(wait([&] { return host.answer(asked).done; }));
  v1::CheckReply reply;
  ASSERT_TRUE(reply.ParseFromString(host.answer(asked).payload));
  EXPECT_THAT(reply.checked(0).why(), HasSubstr("authentication error"));
  EXPECT_EQ(status().status(), "Enabled");
  EXPECT_EQ(status().cause(), "");
}

TEST_F(KsnAskedAnew, while_a_greeting_under_the_licence_before_hangs) {
  ksn.mood(Mood::silent);
  start();
  accept();
  ASSERT_TRUE(wait([&] { return ksn.messages() > 0; }));
  ksn.mood(Mood::honest);
  settings["licence"] = "new";
  ASSERT_EQ(apply(), PICKET_OK);
  expect_available();
}

TEST_F(KsnAskedAnew, when_it_is_switched_on_again) {
  start_refused();
  ASSERT_EQ(turn(false).status, PICKET_OK);
  ASSERT_EQ(turn(true).status, PICKET_OK);
  EXPECT_THAT(status().cause(), testing::Not(HasSubstr("authentication error"))) << "that was said before it was off";
  expect_available();
}

TEST_F(KsnAskedAnew, at_another_address_of_the_proxy) {
  settings["use_proxy"] = true;
  settings["proxy"] = ksn.address();
  start_refused();
  KsnServiceFake other(folder.path() / "other");
  settings["proxy"] = other.address();
  settings["proxy_certificate"] = other.certificate().native();
  ASSERT_EQ(apply(), PICKET_OK);
  expect_available();
  EXPECT_EQ(status().road(), "proxy " + other.address());
}

TEST_F(KsnAskedAnew, for_another_provider_on_the_same_road) {
  settings["use_proxy"] = true;
  settings["proxy"] = ksn.address();
  settings["proxy_certificate"] = ksn.certificate().native();
  start_refused();
  KsnServiceFake other(folder.path() / "other", "Other KSN");
  settings["provider_file"] = other.provider_file().native();
  settings["provider_keys"] = other.provider_keys().native();
  ASSERT_EQ(apply(), PICKET_OK);
  ASSERT_TRUE(wait([&] { return status().cause().find("it speaks for the KSN 'Test KSN', not for 'Other KSN'") != std::string::npos; })) << status().line();
}

// Another KSN's file takes the place of the one that is set: of the same name, on another road, with other keys.
struct KsnNewProviderFile : KsnClientPlugin {
  KsnServiceFake other{folder.path() / "other"};
  void trust_other() { std::filesystem::copy_file(other.provider_keys() / "provider.pub.json", ksn.provider_keys() / "other.pub.json"); }
  void replace() { ASSERT_TRUE(picket::write_file_atomic(ksn.provider_file(), *picket::read_file(other.provider_file(), 1 << 20))); }
  std::size_t told(const std::string& text) {
    std::size_t out = 0;
    for (const auto& line : host.logs()) out += line.text.find(text) != std::string::npos ? 1 : 0;
    return out;
  }
  void wait_for_greetings(unsigned more) {
    const auto before = ksn.seen().hellos;
    ASSERT_TRUE(wait([&] { return ksn.seen().hellos >= before + more; }));
  }
};

TEST_F(KsnNewProviderFile, is_read_when_an_answer_is_signed_by_a_key_that_is_not_known) {
  settings["rest_seconds"] = settings["longest_rest_seconds"] = 3600;
  trust_other();
  start();
  accept_and_be_greeted();
  ASSERT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  replace();
  ksn.mood(Mood::forged);
  EXPECT_TRUE(check_one(digest_number(2)).from() == v1::Checked::NOBODY || other.seen().asks == 1) << "it may look by itself";
  ASSERT_TRUE(wait([&] { return check_one(digest_number(2)).from() == v1::Checked::SERVER; })) << status().line();
  EXPECT_EQ(other.seen().asks, 1U);
  EXPECT_EQ(status().status(), "Enabled");
}

TEST_F(KsnNewProviderFile, is_read_with_the_next_greeting_though_nothing_fails) {
  settings["heartbeat_seconds"] = 1;
  trust_other();
  start();
  accept();
  ASSERT_TRUE(wait([&] { return ksn.seen().hellos > 0; }));
  replace();
  ASSERT_TRUE(wait([&] { return other.seen().hellos > 0; }));
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  EXPECT_EQ(other.seen().asks, 1U);
  EXPECT_EQ(told("the provider file is read again"), 1U);
}

TEST_F(KsnNewProviderFile, that_is_no_good_changes_nothing_and_is_told_until_it_is) {
  settings["heartbeat_seconds"] = 1;
  start();
  accept();
  ASSERT_TRUE(wait([&] { return ksn.seen().hellos > 0; }));
  replace();
  const auto why = "the new provider file is refused, and the one before stays in force: " + ksn.provider_file().native();
  ASSERT_TRUE(wait([&] { return status().cause().find(why) != std::string::npos; })) << status().line();
  EXPECT_EQ(status().status(), "Enabled");
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  EXPECT_TRUE(wait([&] { return state().device_status() == "Warning"; }));
  EXPECT_EQ(host.shown().health, PICKET_HEALTH_DEGRADED);
  wait_for_greetings(2);
  EXPECT_EQ(told(why), 1U) << "said once, looked at again and again";
  EXPECT_EQ(other.messages(), 0U);
  trust_other();
  ASSERT_TRUE(wait([&] { return other.seen().hellos > 0 && status().cause().empty(); })) << status().line();
  EXPECT_TRUE(wait([&] { return state().device_status() == "OK"; }));
  EXPECT_EQ(host.shown().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(KsnNewProviderFile, that_is_no_good_changes_nothing_either_when_other_settings_do) {
  settings["heartbeat_seconds"] = 1;
  start();
  accept();
  replace();
  const auto refused = [&] { return status().cause().find("the new provider file is refused, and the one before stays in force") != std::string::npos; };
  ASSERT_TRUE(wait(refused)) << status().line();
  settings["batch_ms"] = 4;
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_EQ(status().status(), "Enabled");
  EXPECT_TRUE(refused()) << status().line();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  EXPECT_EQ(other.messages(), 0U);

  ASSERT_TRUE(picket::remove_file(ksn.provider_keys() / "provider.pub.json"));
  settings["batch_ms"] = 5;
  ASSERT_EQ(apply(), PICKET_OK);
  EXPECT_THAT(status().cause(), StartsWith("no provider of KSN: ")) << "whose key was taken away, counts no more";
}

struct KsnProxyCertificate : KsnNewProviderFile {
  const std::filesystem::path file = folder.path() / "proxy.pem";
  void SetUp() override {
    KsnNewProviderFile::SetUp();
    settings["heartbeat_seconds"] = 1;
    settings["use_proxy"] = true;
    settings["proxy"] = ksn.address();
    settings["proxy_certificate"] = file.native();
  }
  void write(const std::filesystem::path& certificate) const {
    const auto pem = picket::read_file(certificate, 1u << 20);
    ASSERT_TRUE(pem && picket::write_file_atomic(file, *pem));
  }
  [[nodiscard]] bool is_well() {
    const auto now = status();
    return now.status() == "Enabled" && now.cause().empty() && now.last_exchange() != 0;
  }
};

TEST_F(KsnProxyCertificate, is_read_when_it_comes_later) {
  start();
  accept();
  ASSERT_TRUE(wait([&] { return status().cause().starts_with("setting proxy_certificate: "); })) << status().line();
  write(ksn.certificate());
  ASSERT_TRUE(wait([&] { return is_well(); })) << status().line();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::PROXY);
}

TEST_F(KsnProxyCertificate, is_read_again_when_another_one_lies_there) {
  write(other.certificate());
  start();
  accept();
  ASSERT_TRUE(wait([&] { return status().status() == "Enabled. Not available"; })) << "the proxy has another one";
  write(ksn.certificate());
  ASSERT_TRUE(wait([&] { return is_well(); })) << status().line();
  EXPECT_EQ(told("the proxy's certificate is read again"), 1U);

  write(ksn.provider_file());
  ASSERT_TRUE(wait([&] { return status().cause().find("the proxy's new certificate is refused, and the one before stays in force") != std::string::npos; })) << status().line();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::PROXY);
}

TEST_F(KsnAskedAnew, and_the_status_names_at_once_that_no_road_is_left) {
  start();
  accept();
  ASSERT_TRUE(wait([&] { return status().last_exchange() != 0; }));
  settings["use_proxy"] = true;
  ASSERT_EQ(apply(), PICKET_OK);
  ASSERT_TRUE(wait([&] { return status().cause().find("no KSN proxy is set, and policy does not allow asking KSN's servers directly") != std::string::npos; })) << status().line();
}

}  // namespace
}  // namespace ksn_client_test
