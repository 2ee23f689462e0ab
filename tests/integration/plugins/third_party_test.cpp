// The two plugins that play third parties in tests and in the demo do what they are for.
#include <gtest/gtest.h>

#include <picket/testing/fake_host.hpp>

#include "picket/ksn/v1/check.pb.h"
#include "picket/ksn/v1/state.pb.h"

namespace {

using picket::testing::FakeHost;

TEST(KsnStandIn, publishes_its_setting_as_the_state_of_ksn) {
  FakeHost host;
  host.allow({.publishes = std::vector<std::string>{"picket.ksn.state"}, .subscribes = {}, .answers = std::vector<std::string>{"picket.ksn.check"}, .asks = {}});
  ASSERT_TRUE(host.load(PICKET_KSN_STAND_IN)) << host.why();
  ASSERT_EQ(host.create("org.example.ksn-stand-in"), PICKET_OK);
  ASSERT_EQ(host.start(R"({"in_use":false})", 1), PICKET_OK);
  ASSERT_EQ(host.apply(R"({"in_use":true})", 2), PICKET_OK);
  ASSERT_EQ(host.published().size(), 2u);
  picket::ksn::v1::KsnState state;
  ASSERT_TRUE(state.ParseFromString(host.published()[0].payload));
  EXPECT_FALSE(state.in_use());
  ASSERT_TRUE(state.ParseFromString(host.published()[1].payload));
  EXPECT_TRUE(state.in_use());
  picket::ksn::v1::CheckRequest request;
  request.add_objects()->set_file_digest(std::string(32, 'x'));
  const auto id = host.request({.topic = "picket.ksn.check", .payload = request.SerializeAsString()});
  ASSERT_TRUE(host.wait_for([&] { return host.answer(id).done; }));
  picket::ksn::v1::CheckReply reply;
  ASSERT_TRUE(reply.ParseFromString(host.answer(id).payload));
  ASSERT_EQ(reply.checked_size(), 1);
  EXPECT_EQ(reply.checked(0).from(), picket::ksn::v1::Checked::NOBODY) << "without a database nobody answers";
  EXPECT_EQ(host.observed().back().revision, 2u);
  EXPECT_EQ(host.violations(), std::vector<std::string>{});
}

TEST(Crasher, lives_when_told_to) {
  FakeHost host;
  ASSERT_TRUE(host.load(PICKET_CRASHER)) << host.why();
  ASSERT_EQ(host.create("org.example.crasher"), PICKET_OK);
  ASSERT_EQ(host.start(R"({"crash_after_ms":0})"), PICKET_OK);
  host.advance(1'000'000);
  EXPECT_EQ(host.stop(), PICKET_OK);
  EXPECT_EQ(host.violations(), std::vector<std::string>{});
}

TEST(CrasherDeathTest, aborts_after_its_time) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        FakeHost host;
        if (!host.load(PICKET_CRASHER) || host.create("org.example.crasher") != PICKET_OK || host.start(R"({"crash_after_ms":1500})") != PICKET_OK) std::_Exit(3);
        host.advance(1499);
        std::fputs("alive until then\n", stderr);
        host.advance(1);
        std::_Exit(4);
      },
      ::testing::KilledBySignal(SIGABRT), "alive until then");
}

}  // namespace
