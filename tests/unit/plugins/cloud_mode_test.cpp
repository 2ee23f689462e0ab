#include <gtest/gtest.h>

#include <picket/testing/fake_host.hpp>

#include "picket/ksn/v1/state.pb.h"
#include "picket/update/v1/update.pb.h"

namespace {

using picket::testing::FakeHost;

class CloudMode : public ::testing::Test {
 protected:
  void SetUp() override {
    host_.allow({.publishes = std::vector<std::string>{"picket.update.variant"}, .subscribes = std::vector<std::string>{"picket.ksn.state"},
                 .answers = std::vector<std::string>{}, .asks = std::vector<std::string>{}});
    ASSERT_TRUE(host_.load(PICKET_TEST_LIBRARY)) << host_.why();
    ASSERT_EQ(host_.create("org.picket.cloud-mode"), PICKET_OK) << host_.error();
  }
  void TearDown() override {
    host_.stop();
    host_.destroy();
    EXPECT_EQ(host_.violations(), std::vector<std::string>{});
  }
  static picket::testing::Message ksn(bool in_use, const std::string& text = {}) {
    picket::ksn::v1::KsnState state;
    state.set_in_use(in_use);
    state.set_text(text);
    return {.topic = "picket.ksn.state", .payload = state.SerializeAsString(), .sender = "org.picket.ksn-client"};
  }
  // The latest choice: "light: why".
  std::string choice() {
    const auto published = host_.published("picket.update.variant");
    if (published.empty()) return "none";
    picket::update::v1::VariantChoice out;
    EXPECT_TRUE(out.ParseFromString(published.back().payload));
    EXPECT_EQ(published.back().key, "");
    EXPECT_EQ(published.back().content_type, "application/x-protobuf; messageType=picket.update.v1.VariantChoice");
    return out.variant() + ": " + out.reason();
  }
  FakeHost host_;
};

TEST_F(CloudMode, is_full_while_nobody_says_that_ksn_is_in_use) {
  ASSERT_EQ(host_.start(R"({"cloud_mode":true})"), PICKET_OK);
  EXPECT_EQ(choice(), "full: cloud mode is on, but KSN is not in use: no plugin has said so");
}

TEST_F(CloudMode, is_light_while_on_and_ksn_in_use) {
  host_.keep(ksn(true, "Enabled (Private)"));
  ASSERT_EQ(host_.start(R"({"cloud_mode":true})"), PICKET_OK);
  EXPECT_EQ(choice(), "light: cloud mode is on and KSN is in use: Enabled (Private)");
  host_.keep(ksn(false, "Disabled"));
  EXPECT_EQ(choice(), "full: cloud mode is on, but KSN is not in use: Disabled");
  host_.keep(ksn(true));
  EXPECT_EQ(choice(), "light: cloud mode is on and KSN is in use");
}

TEST_F(CloudMode, is_full_once_what_was_said_of_ksn_is_withdrawn) {
  host_.keep(ksn(true));
  ASSERT_EQ(host_.start(R"({"cloud_mode":true})"), PICKET_OK);
  EXPECT_EQ(choice().substr(0, 5), "light");
  host_.message({.topic = "picket.ksn.state", .sender = "org.picket.ksn-client"});
  EXPECT_EQ(choice(), "full: cloud mode is on, but KSN is not in use: no plugin has said so");
}

TEST_F(CloudMode, is_full_while_switched_off_whatever_ksn_does) {
  ASSERT_EQ(host_.start(R"({"cloud_mode":false})"), PICKET_OK);
  host_.keep(ksn(true));
  EXPECT_EQ(choice(), "full: cloud mode is switched off");
}

TEST_F(CloudMode, takes_new_settings_while_running_and_reports_their_revision) {
  host_.keep(ksn(true));
  ASSERT_EQ(host_.start("{}", 1), PICKET_OK);
  ASSERT_EQ(host_.apply(R"({"cloud_mode":false})", 2), PICKET_OK);
  EXPECT_EQ(choice(), "full: cloud mode is switched off");
  ASSERT_EQ(host_.apply(R"({"cloud_mode":true})", 3), PICKET_OK);
  EXPECT_EQ(choice(), "light: cloud mode is on and KSN is in use");
  ASSERT_EQ(host_.observed().size(), 3u);
  EXPECT_EQ(host_.observed().back().revision, 3u);
  EXPECT_EQ(host_.observed().back().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(CloudMode, refuses_wrong_settings_and_keeps_the_old) {
  host_.keep(ksn(true));
  ASSERT_EQ(host_.start("{}"), PICKET_OK);
  const auto before = host_.published().size();
  for (const char* settings : {"", "{", "[]", R"({"cloud_mode":1})"}) EXPECT_EQ(host_.apply(settings, 2), PICKET_E_INVALID) << settings;
  EXPECT_EQ(host_.error(), "settings: cloud_mode must be true or false");
  EXPECT_EQ(host_.published().size(), before);
}

TEST_F(CloudMode, is_full_and_says_so_when_the_state_is_garbage) {
  ASSERT_EQ(host_.start("{}"), PICKET_OK);
  host_.keep({.topic = "picket.ksn.state", .payload = "\xff\xff\xff", .sender = "com.vendor.ksn"});
  EXPECT_EQ(choice(), "full: cloud mode is on, but what was said about KSN cannot be read");
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_DEGRADED);
  EXPECT_EQ(host_.health().back().text, "what com.vendor.ksn says about KSN cannot be read");
  host_.keep(ksn(true));
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(CloudMode, puts_anothers_words_on_one_line_of_bounded_length) {
  ASSERT_EQ(host_.start("{}"), PICKET_OK);
  std::string text = "a\nb";
  for (int i = 0; i < 500; ++i) text += "\xc3\xa9";
  host_.keep(ksn(true, text));
  EXPECT_EQ(choice().find('\n'), std::string::npos);
  EXPECT_LT(choice().size(), 300u);
}

TEST_F(CloudMode, cuts_anothers_long_words_between_two_of_them_and_shows_that_it_did) {
  ASSERT_EQ(host_.start("{}"), PICKET_OK);
  std::string text;
  while (text.size() < 190) text += "certificate ";
  host_.keep(ksn(true, text + "expires soon, ask for another one"));
  EXPECT_EQ(choice(), "light: cloud mode is on and KSN is in use: " + text + "expires ...");
}

TEST_F(CloudMode, publishes_again_when_the_bus_was_busy) {
  host_.fail_call("publish", PICKET_E_BUSY);
  ASSERT_EQ(host_.start("{}"), PICKET_OK);
  host_.advance(5000);
  EXPECT_EQ(choice(), "none");
  host_.fail_nothing();
  host_.advance(1000);
  EXPECT_EQ(choice(), "full: cloud mode is on, but KSN is not in use: no plugin has said so");
}

TEST_F(CloudMode, forgets_what_it_knew_of_ksn_when_started_again) {
  ASSERT_EQ(host_.start("{}"), PICKET_OK);
  host_.message(ksn(true));
  EXPECT_EQ(choice().substr(0, 5), "light");
  ASSERT_EQ(host_.stop(), PICKET_OK);
  ASSERT_EQ(host_.start("{}"), PICKET_OK);
  EXPECT_EQ(choice().substr(0, 4), "full");
}

}  // namespace
