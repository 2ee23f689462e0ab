// Deltas that nobody sane would make: one clear error, never a byte too many.
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/make/make.hpp"

namespace picket::delta {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  std::uint64_t bytes = 0;
  std::string error;
  Code code = Code::internal;
};

Outcome outcome(std::string_view old, std::string_view delta, const Limits& limits) {
  Outcome out;
  const auto done = apply(old, delta, limits, [&](std::string_view bytes) {
    out.bytes += bytes.size();
    return Result<>{};
  });
  if (!done) out.error = done.error().message, out.code = done.error().code;
  return out;
}

std::string text(std::size_t lines) {
  std::string out;
  for (std::size_t i = 0; i < lines; ++i) out += "line " + std::to_string(i * i % 7919) + " of the old content\n";
  return out;
}

TEST(HostileDelta, with_a_bad_header_is_refused) {
  const auto old = text(10);
  EXPECT_THAT(outcome(old, "", {100}).error, HasSubstr("is no delta"));
  EXPECT_THAT(outcome(old, "junk", {100}).error, HasSubstr("is no delta"));
  EXPECT_EQ(outcome(old, "D\x7f\x01\x01", {100}).code, Code::unsupported);
  EXPECT_EQ(outcome(old, write_header({Method::splice, 10, old.size()}) + "\x03xxxx", {10}).code, Code::unsupported);
  EXPECT_THAT(outcome(old, std::string("D\x02\xff", 3), {100}).error, HasSubstr("cut short"));
  EXPECT_THAT(outcome(old, std::string("D\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 14), {100}).error, HasSubstr("cut short"));
  for (const auto method : {Method::zstd, Method::splice}) {
    EXPECT_THAT(outcome(old, write_header({method, 10, old.size()}), {10}).error, HasSubstr("ends too early"));
    EXPECT_THAT(outcome(old, write_header({method, 10, old.size() + 1}) + "xxxx", {10}).error, HasSubstr("for a content of"));
  }
}

TEST(HostileDelta, may_not_pass_the_limits) {
  const auto old = text(100);
  for (const auto method : {Method::zstd, Method::splice}) {
    const auto made = make_with(method, old, old + old);
    ASSERT_TRUE(made);
    EXPECT_EQ(outcome(old, *made, {old.size() * 2}).error, "");
    const auto more = outcome(old, *made, {old.size() * 2 - 1});
    EXPECT_EQ(more.code, Code::too_large);
    EXPECT_EQ(more.bytes, 0u);
    const auto memory = outcome(old, *made, {old.size() * 2, 1000});
    EXPECT_EQ(memory.code, Code::too_large);
    EXPECT_THAT(memory.error, HasSubstr("are allowed"));
  }
}

TEST(HostileDelta, cut_anywhere_gives_no_byte_too_many) {
  const auto old = text(200);
  auto fresh = old;
  fresh.insert(1000, "something that was not there before, and is no short text either");
  fresh.erase(3000, 77);
  for (const auto method : {Method::zstd, Method::splice}) {
    const auto made = make_with(method, old, fresh).value();
    for (std::size_t size = 0; size < made.size(); ++size) {
      const auto out = outcome(old, made.substr(0, size), {fresh.size()});
      EXPECT_LE(out.bytes, fresh.size());
      EXPECT_TRUE(method == Method::splice || !out.error.empty()) << size;
    }
  }
}

TEST(HostileDelta, with_any_byte_changed_stays_within_its_bounds) {
  const auto old = text(200);
  auto fresh = old;
  for (int i = 0; i < 20; ++i) fresh.insert(static_cast<std::size_t>(i) * 250, "new " + std::to_string(i * 37));
  for (const auto method : {Method::zstd, Method::splice}) {
    const auto made = make_with(method, old, fresh).value();
    for (std::size_t at = 0; at < made.size(); ++at)
      for (const int flip : {1, 0x80, 0xff}) {
        auto bad = made;
        bad[at] = static_cast<char>(bad[at] ^ flip);
        EXPECT_LE(outcome(old, bad, {fresh.size()}).bytes, fresh.size());
      }
  }
}

TEST(HostileDelta, of_pure_noise_ends) {
  const auto old = text(50);
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::string body(1 + random() % 200, '\0');
    for (auto& c : body) c = static_cast<char>(random());
    body[0] = static_cast<char>(i % 3);
    EXPECT_LE(outcome(old, write_header({Method::splice, 5000, old.size()}) + body, {5000}).bytes, 5000u);
  }
}

TEST(HostileDelta, error_of_the_sink_is_handed_on) {
  const auto old = text(50);
  const auto made = make(old, old + "x").value();
  const auto done = apply(old, made.bytes, {old.size() + 1}, [](std::string_view) -> Result<> { return fail(Code::no_space, "full"); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::no_space);
}

}  // namespace
}  // namespace picket::delta
