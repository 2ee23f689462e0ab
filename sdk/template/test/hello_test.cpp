// The whole plugin against a host in memory: no agent, no root, no network.
#include <picket/testing/fake_host.hpp>

#include <gtest/gtest.h>

namespace {

using picket::testing::FakeHost;

constexpr const char* kSettings = R"({"greeting":"Hello","save_seconds":60})";

class HelloTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(host.load(HELLO_SO)) << host.why();
    ASSERT_EQ(host.create("com.example.hello"), PICKET_OK) << host.error();
    ASSERT_EQ(host.start(kSettings), PICKET_OK) << host.error();
  }
  // Every rule of the contract that was broken, by what the test did.
  void TearDown() override {
    host.stop();
    host.destroy();
    EXPECT_EQ(host.violations(), std::vector<std::string>());
  }

  FakeHost host;
};

TEST_F(HelloTest, greets_who_asks) {
  const auto id = host.request({.topic = "com.example.hello.greet", .payload = "Ann"});
  EXPECT_EQ(host.answer(id).payload, "Hello, Ann");
}

TEST_F(HelloTest, refuses_a_name_that_is_too_long) {
  const auto id = host.request({.topic = "com.example.hello.greet", .payload = std::string(1001, 'x')});
  EXPECT_EQ(host.answer(id).status, PICKET_E_INVALID);
  EXPECT_TRUE(host.published().empty());
}

TEST_F(HelloTest, takes_new_settings_while_it_runs) {
  EXPECT_EQ(host.apply(R"({"greeting":"Good day","save_seconds":5})", 2), PICKET_OK);
  EXPECT_EQ(host.answer(host.request({.topic = "com.example.hello.greet", .payload = "Bob"})).payload, "Good day, Bob");
  EXPECT_EQ(host.observed().back().revision, 2u);
}

TEST_F(HelloTest, keeps_the_count_over_restarts) {
  host.request({.topic = "com.example.hello.greet", .payload = "Ann"});
  host.advance(60'000);
  EXPECT_EQ(host.stored().at("count"), "1");
  host.stop();
  ASSERT_EQ(host.start(kSettings, 2), PICKET_OK);
  host.request({.topic = "com.example.hello.greet", .payload = "Bob"});
  EXPECT_EQ(host.published().back().payload, "2");
}

TEST_F(HelloTest, says_when_the_count_cannot_be_kept) {
  host.fail_call("put", PICKET_E_NO_SPACE);
  host.advance(60'000);
  ASSERT_FALSE(host.health().empty());
  EXPECT_EQ(host.health().back().health, PICKET_HEALTH_DEGRADED);
}

}  // namespace
