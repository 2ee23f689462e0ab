#include "ask.hpp"

#include <gtest/gtest.h>

#include "fake_ksn.hpp"

using namespace ksn_proxy;
using namespace picket::ksn_proxy_tests;
using picket::Code;

namespace {

TEST(KsnProxyAsk, reads_what_protobuf_wrote) {
  Ask ask;
  const auto body = ask_of({digest_of(1), digest_of(2), digest_of(3).substr(0, 5)}, "licence-7");
  ASSERT_TRUE(parse_ask(body, ask));
  EXPECT_EQ(ask.licence, "licence-7");
  ASSERT_EQ(ask.keys.size(), 3u);
  EXPECT_EQ(ask.keys[1].view(), digest_of(2));
  EXPECT_EQ(ask.keys[2].view(), digest_of(3).substr(0, 5));
  EXPECT_EQ(ask.keys[2].kind, 1);
}

TEST(KsnProxyAsk, takes_a_thousand_questions_and_no_more) {
  std::vector<std::string> many(1000, digest_of(1));
  Ask ask;
  ASSERT_TRUE(parse_ask(ask_of(many), ask));
  EXPECT_EQ(ask.keys.size(), 1000u);
  many.push_back(digest_of(2));
  const auto parsed = parse_ask(ask_of(many), ask);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::too_large);
}

TEST(KsnProxyAsk, refuses_what_does_not_fit) {
  Ask ask;
  const auto refused = [&](const v1::AskRequest& request) { return !parse_ask(request.SerializeAsString(), ask); };
  v1::AskRequest request;
  auto& questions = *request.add_questions();
  questions.set_kind(v1::OBJECT_FILE);
  questions.set_length(32);
  questions.set_digests(digest_of(1));
  EXPECT_FALSE(refused(request));
  questions.set_digests(digest_of(1) + "x");
  EXPECT_TRUE(refused(request));
  questions.set_digests("abc");
  for (const std::uint32_t length : {0u, 1u, 3u, 33u, 0xffffffffu}) {
    questions.set_length(length);
    EXPECT_TRUE(refused(request)) << length;
  }
  questions.set_length(4);
  questions.set_digests("abcd");
  questions.set_kind(v1::OBJECT_KIND_UNSPECIFIED);
  EXPECT_TRUE(refused(request));
  questions.set_kind(v1::OBJECT_ADDRESS);
  request.mutable_asker()->set_licence(std::string(257, 'l'));
  EXPECT_TRUE(refused(request));
  const auto whole = ask_of({digest_of(1)});
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    Ask part;
    if (parse_ask(whole.substr(0, cut), part)) {
      EXPECT_LE(part.keys.size(), 1u);
    }
  }
  EXPECT_FALSE(parse_ask("\x0b\x0c", ask));   // groups
  EXPECT_FALSE(parse_ask(std::string(11, '\xff'), ask));
}

// A number may be written with more bytes than it needs, of which protobuf reads only so many: nobody behind may see a request otherwise, or none.
TEST(KsnProxyAsk, reads_a_tag_and_a_size_of_at_most_five_bytes_as_protobuf_does) {
  const auto padded = [](char number, std::size_t bytes) {
    std::string out(bytes, '\x80');
    out.front() = static_cast<char>(number | (bytes > 1 ? 0x80 : 0));
    if (bytes > 1) out.back() = '\0';
    return out;
  };
  const std::string asker("\x0a\x04good", 6);  // its licence
  for (std::size_t tag = 1; tag <= 7; ++tag)
    for (std::size_t size = 1; size <= 7; ++size) {
      const auto body = padded(0x0a, tag) + padded(6, size) + asker;
      Ask ask;
      const bool taken = parse_ask(body, ask).has_value();
      EXPECT_EQ(taken, v1::AskRequest().ParseFromString(body)) << tag << " and " << size;
      EXPECT_EQ(taken, tag <= 5 && size <= 5) << tag << " and " << size;
      if (taken) {
        EXPECT_EQ(ask.licence, "good");
      }
    }
  Ask ask;
  const auto extended = [&](std::size_t bytes) { return parse_ask("\x0a" + std::string(1, static_cast<char>(bytes + 1)) + "\x28" + padded(1, bytes), ask).has_value(); };
  EXPECT_TRUE(extended(10) && ask.extended);
  EXPECT_FALSE(extended(11));
}

}  // namespace
