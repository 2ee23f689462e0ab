// What the parser says comes back, in every coding; and the bits under it.
#include <random>

#include <gtest/gtest.h>

#include "delta/bit_coder.hpp"
#include "delta/make/write.hpp"
#include "unit/delta/contents.hpp"

namespace picket::delta {
namespace {

TEST(BitCoder, gives_back_bits_of_any_probability) {
  for (unsigned seed = 1; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<std::pair<int, unsigned>> bits(random() % 3000);
    for (auto& [bit, p] : bits) {
      constexpr unsigned edges[] = {1, 2, 0x8000, 0xfffe, 0xffff};
      p = seed % 3 == 0 ? edges[random() % 5] : 1 + random() % 65535;
      bit = seed % 2 != 0 ? random() % 65536 < p : static_cast<int>(random() % 2);  // likely ones, and any
    }
    BitEncoder encoder;
    for (const auto& [bit, p] : bits) encoder.code(bit, p);
    const auto bytes = encoder.finish();
    BitDecoder decoder(bytes);
    for (const auto& [bit, p] : bits) ASSERT_EQ(decoder.code(0, p), bit) << seed;
    EXPECT_FALSE(decoder.is_beyond());
  }
}

TEST(BitCoder, carries_through_what_is_written) {
  BitEncoder encoder;
  for (int i = 0; i < 200; ++i) encoder.code(0, 0xffff);
  encoder.code(0, 1);
  for (int i = 0; i < 200; ++i) encoder.code(i & 1, 0x8000);
  const auto bytes = encoder.finish();
  BitDecoder decoder(bytes);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(decoder.code(0, 0xffff), 0);
  ASSERT_EQ(decoder.code(0, 1), 0);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(decoder.code(0, 0x8000), i & 1);
}

TEST(BitCoder, of_likely_bits_takes_next_to_nothing) {
  BitEncoder encoder;
  for (int i = 0; i < 1000; ++i) encoder.code(1, 0xffff);
  EXPECT_LE(encoder.finish().size(), 1u);
}

class Codings : public testing::TestWithParam<Coding> {};

TEST_P(Codings, say_every_event) {
  const auto old = noise(90'000, 1);
  std::mt19937 random(2);
  for (int round = 0; round < 20; ++round) {
    std::string fresh;
    std::vector<Step> steps;
    std::uint64_t at = 0, quoted = 0;
    for (int i = 0; i < 300; ++i) {
      Step step{.copy = random() % 3 == 0 ? random() % 200 : 4, .event = static_cast<Event>(random() % 5)};
      fresh += old.substr(at, step.copy);
      at += step.copy;
      step.count = 1 + random() % 40;
      switch (step.event) {
        case Event::seek: {
          const std::uint64_t to = random() % 10'000 + 1;
          step.distance = static_cast<std::int64_t>(to == at ? to + 1 : to) - static_cast<std::int64_t>(at);
          at = static_cast<std::uint64_t>(static_cast<std::int64_t>(at) + step.distance);
          break;
        }
        case Event::word:
          for (unsigned byte = 0; byte < 4; ++byte) fresh += random() % 2 != 0 ? static_cast<char>(old[at + byte] + 1) : old[at + byte];
          at += 4;
          break;
        case Event::quote: {
          const std::uint64_t from = random() % 10'000;
          step.distance = static_cast<std::int64_t>(from) - static_cast<std::int64_t>(quoted);
          fresh += old.substr(from, step.count);
          quoted = from + step.count;
          break;
        }
        case Event::substitute: at += step.count; [[fallthrough]];
        case Event::insert: fresh += noise(step.count, random()); break;
      }
      steps.push_back(step);
    }
    steps.push_back({.copy = old.size() - at, .is_end = true});
    fresh += old.substr(at);
    const auto delta = write_header({Method::splice, fresh.size(), old.size()}) + write_splice(old, fresh, steps, GetParam());
    ASSERT_EQ(applied(old, delta, fresh.size()), fresh);
  }
}

TEST_P(Codings, bear_any_bytes) {
  const auto old = noise(5'000, 3);
  for (unsigned seed = 0; seed < 300; ++seed) {
    const auto delta = write_header({Method::splice, 50'000, old.size()}) + static_cast<char>(GetParam()) + noise(seed * 7, seed);
    std::uint64_t bytes = 0;
    (void)apply(old, delta, {50'000}, [&](std::string_view piece) {
      bytes += piece.size();
      return Result<>{};
    });
    EXPECT_LE(bytes, 50'000u);
  }
}
INSTANTIATE_TEST_SUITE_P(All, Codings, testing::Values(Coding::mixed, Coding::raw, Coding::words));

}  // namespace
}  // namespace picket::delta
