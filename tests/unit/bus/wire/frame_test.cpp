#include "bus/wire/frame.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"

namespace picket::bus::wire {
namespace {

TEST(Frame, goes_both_ways) {
  const Frame frame{.type = Type::request_in, .status = -7, .token = 0x1122334455667788, .number = ~0ULL, .topic = "a.b", .key = "k",
                    .content_type = "application/json", .text = "sender", .payload = std::string_view("\0{}", 3)};
  const auto bytes = encode(frame);
  ASSERT_TRUE(bytes);
  const auto parsed = parse(*bytes);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->type, frame.type);
  EXPECT_EQ(parsed->status, frame.status);
  EXPECT_EQ(parsed->token, frame.token);
  EXPECT_EQ(parsed->number, frame.number);
  EXPECT_EQ(parsed->topic, frame.topic);
  EXPECT_EQ(parsed->key, frame.key);
  EXPECT_EQ(parsed->content_type, frame.content_type);
  EXPECT_EQ(parsed->text, frame.text);
  EXPECT_EQ(parsed->payload, frame.payload);
}

TEST(Frame, layout_is_fixed) {
  // A change here breaks children that were built before it.
  const auto bytes = encode({.type = Type::publish, .status = -2, .token = 0x0102, .number = 3, .topic = "t", .key = "ke", .content_type = "c", .text = "x", .payload = "pp"});
  ASSERT_TRUE(bytes);
  EXPECT_EQ(to_hex(*bytes), "02000000feffffff020100000000000003000000000000000102010102000000"
                            "746b6563787070");
}

TEST(Frame, largest_one_fits_and_nothing_larger) {
  const std::string payload(kMaxPayload, 'p');
  const std::string text(255, 't');
  Frame frame{.type = Type::message, .topic = std::string_view(text).substr(0, 127), .key = text, .content_type = text, .text = text, .payload = payload};
  const auto bytes = encode(frame);
  ASSERT_TRUE(bytes);
  EXPECT_LE(bytes->size(), kMaxFrame);
  EXPECT_TRUE(parse(*bytes));
  const std::string more = payload + "x";
  frame.payload = more;
  EXPECT_EQ(encode(frame).error().code, Code::too_large);
  frame.payload = "";
  frame.topic = std::string_view(text).substr(0, 128);
  EXPECT_FALSE(encode(frame));
  const std::string key(256, 'k');
  frame.topic = "";
  frame.key = key;
  EXPECT_FALSE(encode(frame));
}

TEST(Frame, refuses_every_truncation_and_extension) {
  const auto bytes = encode({.type = Type::reply, .token = 1, .topic = "topic", .key = "key", .content_type = "type", .text = "text", .payload = "payload"});
  ASSERT_TRUE(bytes);
  for (std::size_t size = 0; size < bytes->size(); ++size) EXPECT_FALSE(parse(std::string_view(*bytes).substr(0, size))) << size;
  EXPECT_FALSE(parse(*bytes + "x"));
}

TEST(Frame, never_trusts_a_length) {
  const auto good = encode({.type = Type::message, .topic = "t", .payload = "p"});
  ASSERT_TRUE(good);
  for (std::size_t at = 24; at < 32; ++at)
    for (const char value : {'\x03', '\x7f', '\x80', '\xff'}) {
      auto bad = *good;
      bad[at] = value;
      EXPECT_FALSE(parse(bad)) << at;
    }
  // A topic of 128 bytes adds up, but no topic is that long.
  auto long_topic = *good + std::string(127, 'x');
  long_topic[24] = static_cast<char>(128);
  EXPECT_FALSE(parse(long_topic));
}

TEST(Frame, refuses_unknown_types_and_takes_those_of_plugins) {
  auto bytes = *encode({.type = Type::hello});
  for (int type = 0; type < 300; ++type) {
    bytes[0] = static_cast<char>(type & 255);
    bytes[1] = static_cast<char>(type >> 8);
    const bool known = (type >= 1 && type <= 9) || (type >= 32 && type <= 40) || (type >= 63 && type <= 127);
    EXPECT_EQ(parse(bytes).has_value(), known) << type;
  }
  bytes = *encode({.type = Type::hello});
  bytes[2] = 1;
  EXPECT_FALSE(parse(bytes));
}

}  // namespace
}  // namespace picket::bus::wire
