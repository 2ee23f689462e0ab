#include "bus/names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bus/message.hpp"

namespace picket::bus {
namespace {

TEST(Names, topics_are_dotted_parts) {
  for (const char* good : {"a", "picket.scan", "com.vendor.thing-2_x.Y"}) EXPECT_TRUE(is_topic(good)) << good;
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a b", "a.*", "*", "a/b", "caf\xc3\xa9"}) EXPECT_FALSE(is_topic(bad)) << bad;
  EXPECT_TRUE(is_topic(std::string(127, 'a')));
  EXPECT_FALSE(is_topic(std::string(128, 'a')));
  EXPECT_FALSE(is_topic(std::string("a\0b", 3)));
}

TEST(Names, filters_are_topics_or_prefixes) {
  for (const char* good : {"a", "a.b", "a.*", "a.b.*", "*"}) EXPECT_TRUE(is_filter(good)) << good;
  for (const char* bad : {"", "a*", "*.a", "a.*.b", ".*", "**", "a.**"}) EXPECT_FALSE(is_filter(bad)) << bad;
}

TEST(Names, a_prefix_matches_any_further_parts_but_not_itself) {
  EXPECT_TRUE(matches("a.*", "a.b"));
  EXPECT_TRUE(matches("a.*", "a.b.c"));
  EXPECT_FALSE(matches("a.*", "a"));
  EXPECT_FALSE(matches("a.*", "ab"));
  EXPECT_FALSE(matches("a.*", "ab.c"));
  EXPECT_TRUE(matches("*", "x"));
  EXPECT_TRUE(matches("a.b", "a.b"));
  EXPECT_FALSE(matches("a.b", "a.b.c"));
}

TEST(Names, within_means_that_nothing_more_is_matched) {
  EXPECT_TRUE(is_within("a.b", "a.*"));
  EXPECT_TRUE(is_within("a.b.*", "a.*"));
  EXPECT_TRUE(is_within("a.*", "a.*"));
  EXPECT_TRUE(is_within("a.*", "*"));
  EXPECT_TRUE(is_within("*", "*"));
  EXPECT_FALSE(is_within("*", "a.*"));
  EXPECT_FALSE(is_within("a.*", "a.b.*"));
  EXPECT_FALSE(is_within("a.*", "a.b"));
  EXPECT_FALSE(is_within("a", "a.*"));
}

TEST(Names, intersection_keeps_the_narrower_of_each_pair) {
  EXPECT_THAT(intersect({"a.*", "x"}, {"a.b", "x", "y"}), testing::UnorderedElementsAre("a.b", "x"));
  EXPECT_THAT(intersect({"*"}, {"a.*"}), testing::ElementsAre("a.*"));
  EXPECT_THAT(intersect({"a"}, {}), testing::IsEmpty());
}

TEST(Message, holds_copies_of_all_parts_in_one_block) {
  MessagePtr copy;
  {
    std::string topic = "a.b", payload(1000, 'p');
    const auto message = Message::make({.kind = Kind::state, .topic = topic, .key = "k", .content_type = "t", .sender = "s", .payload = payload});
    topic = payload = "gone";
    copy = message;
  }
  EXPECT_EQ(copy->topic(), "a.b");
  EXPECT_EQ(copy->key(), "k");
  EXPECT_EQ(copy->content_type(), "t");
  EXPECT_EQ(copy->sender(), "s");
  EXPECT_EQ(copy->payload(), std::string(1000, 'p'));
  EXPECT_EQ(copy->kind(), Kind::state);
  EXPECT_EQ(copy->deadline_ms(), 0U);
  EXPECT_EQ(copy->bytes(), sizeof(Message) + 6 + 1000);
  EXPECT_FALSE(MessagePtr());
}

TEST(Message, tells_what_is_left_until_its_deadline) {
  const auto now = std::chrono::steady_clock::now();
  const auto later = Message::make({.topic = "t", .deadline = now + std::chrono::seconds(100)});
  EXPECT_GT(later->deadline_ms(), 90'000U);
  EXPECT_LE(later->deadline_ms(), 100'000U);
  EXPECT_EQ(Message::make({.topic = "t", .deadline = now - std::chrono::seconds(1)})->deadline_ms(), 1U);
}

}  // namespace
}  // namespace picket::bus
