// How much waits, and of whom: what gives way when there is no room.
#include "forwarder_rig.hpp"

#include <fstream>

namespace picket::ksn_proxy_tests {
namespace {

TEST_F(ForwarderTest, what_waits_for_one_ksn_goes_to_no_other) {
  const auto serve = [&](std::vector<std::string> keys) {
    forwarder_.reset();
    keys_ = std::move(keys);
    open();
  };
  ksn_.mode = FakeKsn::Mode::away;
  serve({"key 1"});
  const std::string digest = digest_of(1), file(2000, 'f');
  ASSERT_EQ(content(digest, file, 0, 1500).wait(), 200);
  ASSERT_EQ(statistics('a').wait(), 200);
  serve({"key 1", "key 2"});
  serve({"key 2"});
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 2u) << "a new key of the same KSN";
  serve({"key 3"});
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 0u);
  auto asks = content(digest, file, 0, 0);
  ASSERT_EQ(asks.wait(), 200);
  EXPECT_EQ(asks.as<v1::ContentReply>().held(), 0u) << "it has none of it";
  ASSERT_EQ(statistics('b').wait(), 200);
  serve({"key 2"});
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 2u) << "settings that are taken back lose nothing";
  serve({"key 3"});
  EXPECT_EQ(forwarder_->counters().expired, 0u);
  EXPECT_TRUE(warnings().empty());
  ksn_.mode = FakeKsn::Mode::answers;
  ASSERT_TRUE(wait_for([&] { return forwarder_->counters().expired == 2; })) << "it has taken something: it is in use";
  EXPECT_EQ(forwarder_->counters().delivered, 1u);
  EXPECT_EQ(ksn_.held_of(digest), 0u);
  ASSERT_TRUE(wait_for([&] { return !warnings().empty(); }));
  EXPECT_EQ(warnings()[0], "another KSN has taken what came since: messages that waited for the one before are given up (2)");
  ksn_.mode = FakeKsn::Mode::away;
  serve({"key 2"});
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 0u);
}

TEST_F(ForwarderTest, what_waits_for_other_ksns_shares_the_room_and_gives_way_the_oldest_first) {
  ksn_.mode = FakeKsn::Mode::away;
  serve_with_little_room("key 2");
  store(0, 2);
  for (const auto& one : std::filesystem::recursive_directory_iterator(folder_.path())) std::filesystem::last_write_time(one, std::filesystem::file_time_type::clock::now() - 1h);
  serve_with_little_room("key 1");
  store(10, 1);
  serve_with_little_room("key 3");
  store(20, 1);
  EXPECT_TRUE(warnings().empty()) << "there is room for all";
  store(30, 2);
  EXPECT_EQ(forwarder_->counters().expired, 2u) << "of key 2";
  EXPECT_EQ(warnings(), std::vector<std::string>{"what waits for this KSN needs the room (outbox_mb): messages that waited for the one before are given up (2)"});
  EXPECT_LE(on_disk(), 6000u);
  store(40, 2);
  EXPECT_EQ(forwarder_->counters().expired, 3u);
  store(50, 1, 503);
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 5u);
  EXPECT_EQ(forwarder_->counters().no_room, 1u) << "its own are never given up for room";
  EXPECT_LE(on_disk(), 6000u);
  serve_with_little_room("key 2");
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 0u);
}

TEST_F(ForwarderTest, what_was_put_aside_as_damaged_shares_the_room_and_gives_way_before_any_message) {
  namespace fs = std::filesystem;
  const auto put_aside = [&](const fs::path& file, std::size_t bytes, std::chrono::hours ago) {
    std::ofstream(file) << std::string(bytes, 'x');
    fs::last_write_time(file, fs::file_time_type::clock::now() - ago);
  };
  ksn_.mode = FakeKsn::Mode::away;
  serve_with_little_room("key 2");
  store(0, 1);
  forwarder_.reset();
  const auto of_key_2 = fs::directory_iterator(folder_.path())->path();
  const auto newer = of_key_2 / "000000000009.messages.damaged", older = folder_.path() / "000000000001.messages.damaged", oldest = of_key_2 / "000000000008.messages.damaged";
  put_aside(newer, 1500, 1h);
  put_aside(older, 1500, 2h);
  put_aside(oldest, 4000, 3h);
  serve_with_little_room("key 1");
  EXPECT_FALSE(fs::exists(oldest)) << "more than there is room for";
  store(10, 1);
  EXPECT_TRUE(fs::exists(older)) << "there is room for all";
  store(11, 1);
  EXPECT_FALSE(fs::exists(older));
  EXPECT_TRUE(fs::exists(newer));
  EXPECT_LE(on_disk(), 6000u);
  store(12, 2);
  EXPECT_FALSE(fs::exists(newer));
  EXPECT_EQ(forwarder_->counters().expired, 0u) << "no message has given way";
  EXPECT_LE(on_disk(), 6000u);
  EXPECT_EQ(warnings(), (std::vector<std::string>(3, "what waits needs the room (outbox_mb): files that were put aside as *.damaged are removed (1)")));
  store(14, 1);
  EXPECT_EQ(forwarder_->counters().expired, 1u);
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 5u);
}

TEST_F(ForwarderTest, refuses_what_does_not_fit_so_that_the_device_keeps_it) {
  open({3000, 1000});
  ksn_.mode = FakeKsn::Mode::away;
  int taken = 0;
  Answered last;
  for (int i = 0; i < 200; ++i) {
    last = statistics(static_cast<char>(i));
    if (last.wait() != 200) break;
    ++taken;
  }
  EXPECT_GT(taken, 5);
  EXPECT_EQ(last.wait(), 503);
  EXPECT_EQ(last.as<v1::Refusal>().why(), v1::Refusal::UNAVAILABLE);
  EXPECT_GT(last.as<v1::Refusal>().retry_after_seconds(), 0u);
  EXPECT_EQ(forwarder_->counters().no_room, 1u);
  EXPECT_TRUE(wait_for([&] { return !warnings().empty(); }));  // after the answer: no device waits for the log
  EXPECT_EQ(warnings().size(), 1u);
  ksn_.mode = FakeKsn::Mode::answers;
  EXPECT_TRUE(wait_for([&] { return forwarder_->counters().delivered == static_cast<std::uint64_t>(taken); }));
}

TEST_F(ForwarderTest, gives_no_device_the_room_of_all) {
  share_ = 2500;
  open();
  ksn_.mode = FakeKsn::Mode::away;
  const std::string file(1000, 'f');
  for (const std::uint64_t number : {1, 2}) ASSERT_EQ(content(digest_of(number), file, 0, 1000).wait(), 200);
  auto third = content(digest_of(3), file, 0, 1000);
  ASSERT_EQ(third.wait(), 429);
  EXPECT_EQ(third.as<v1::Refusal>().why(), v1::Refusal::TOO_MANY);
  EXPECT_EQ(third.as<v1::Refusal>().text(), "as much waits here of this device as may wait of one (2500 bytes)");
  EXPECT_GT(third.as<v1::Refusal>().retry_after_seconds(), 0u);
  EXPECT_EQ(forwarder_->counters().no_room, 1u);
  peer_ = "192.0.2.2";
  EXPECT_EQ(content(digest_of(3), file, 0, 1000).wait(), 200);
  ksn_.mode = FakeKsn::Mode::answers;
  ASSERT_TRUE(wait_for([&] { return forwarder_->counters().delivered == 3; }));
  ksn_.mode = FakeKsn::Mode::away;
  peer_ = "192.0.2.1";
  for (const std::uint64_t number : {4, 5}) EXPECT_EQ(content(digest_of(number), file, 0, 1000).wait(), 200) << "its share is free again";
}

}  // namespace
}  // namespace picket::ksn_proxy_tests
