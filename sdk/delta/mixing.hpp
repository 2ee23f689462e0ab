// Probabilities of bits: adaptive counters, mixed in the logistic domain. Integers only, so that every machine computes the same.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace picket::delta::mixing {

// A logit is a number of 1/256 from -3071 to 3071; a probability is 16 bits.
inline constexpr int max_logit = 3071;

namespace detail {

// Made of operations that IEEE 754 rounds in one way only, and at compile time.
consteval double exponential(double x) {
  const double part = x / 1024;
  double term = 1, sum = 1;
  for (int i = 1; i < 20; ++i) {
    term = term * part / i;
    sum = sum + term;
  }
  for (int i = 0; i < 10; ++i) sum = sum * sum;
  return sum;
}

consteval std::array<std::uint16_t, 2 * max_logit + 1> make_squash() {
  std::array<std::uint16_t, 2 * max_logit + 1> out{};
  for (int i = -max_logit; i <= max_logit; ++i) {
    const double p = 65536 / (1 + exponential(-i / 256.0));
    out[static_cast<std::size_t>(i + max_logit)] = static_cast<std::uint16_t>(p < 1 ? 1 : p > 65535 ? 65535 : p);
  }
  return out;
}
inline constexpr auto squash_table = make_squash();

consteval std::array<std::int16_t, 4096> make_stretch() {
  std::array<std::int16_t, 4096> out{};
  int logit = -max_logit;
  for (int p = 0; p < 4096; ++p) {
    while (logit < max_logit && squash_table[static_cast<std::size_t>(logit + max_logit)] < p * 16 + 8) ++logit;
    out[static_cast<std::size_t>(p)] = static_cast<std::int16_t>(logit);
  }
  return out;
}
inline constexpr auto stretch_table = make_stretch();

consteval std::array<std::uint16_t, 1024> make_rates() {
  std::array<std::uint16_t, 1024> out{};
  for (int n = 0; n < 1024; ++n) out[static_cast<std::size_t>(n)] = static_cast<std::uint16_t>(65536 * 2 / (2 * n + 3));
  return out;
}
inline constexpr auto rates = make_rates();

}  // namespace detail

inline unsigned squash(int logit) {
  if (logit > max_logit) logit = max_logit;
  if (logit < -max_logit) logit = -max_logit;
  return detail::squash_table[static_cast<std::size_t>(logit + max_logit)];
}
inline int stretch(unsigned p12) { return detail::stretch_table[p12]; }

// 22 bits of probability that the bit is 1, less one half, and 10 bits of how often it was asked: zero is a fresh one.
using Counter = std::uint32_t;
inline unsigned p12_of(Counter counter) { return (counter ^ 0x8000'0000u) >> 20; }
inline unsigned p16_of(Counter counter) { return (counter ^ 0x8000'0000u) >> 16 | 1; }
inline void learn(Counter& counter, int bit, unsigned limit) {
  const auto n = counter & 1023;
  auto p = static_cast<std::int64_t>((counter ^ 0x8000'0000u) >> 10);
  const std::int64_t target = -bit & ((1 << 22) - 1);
  p += ((target - p) * detail::rates[n]) >> 16;
  counter = ((static_cast<std::uint32_t>(p) << 10) ^ 0x8000'0000u) | (n < limit ? n + 1 : n);
}

// A smaller one, where there are so many that the processor's caches decide the speed: 12 bits of probability and 4 of how often.
using SmallCounter = std::uint16_t;
inline unsigned p12_of(SmallCounter counter) { return (counter ^ 0x8000u) >> 4; }
inline void learn(SmallCounter& counter, int bit) {
  const unsigned n = counter & 15, state = counter ^ 0x8000u;
  auto p = static_cast<int>(state >> 4);
  p += (((bit ? 4095 : 0) - p) * static_cast<int>(detail::rates[n + (n >> 2)])) / 65536;
  counter = static_cast<SmallCounter>(((static_cast<unsigned>(p) << 4) ^ 0x8000u) | (n < 15 ? n + 1 : n));
}

// Counters that begin at zero, from pages that cost nothing until they are touched.
template <class Kind>
class Counters {
 public:
  explicit Counters(unsigned bits) : mask_((std::size_t{1} << bits) - 1), counters_(static_cast<Kind*>(std::calloc(mask_ + 1, sizeof(Kind)))) {
    if (!counters_) throw std::bad_alloc();
  }
  Kind& operator[](std::size_t index) { return counters_.get()[index & mask_]; }

 private:
  struct Free {
    void operator()(Kind* counters) const { std::free(counters); }
  };
  std::size_t mask_;
  std::unique_ptr<Kind, Free> counters_;
};

// Up to 8 opinions about one bit become one. The weights belong to the caller: one set for each situation.
struct Weights {
  std::array<std::int32_t, 10> each{};
  std::uint32_t asked = 0;
};

class Mixer {
 public:
  void clear() { count_ = 0; }
  void add(int logit) { logits_[count_++] = logit; }
  // A counter's opinion, stronger the more it has seen.
  void add(const Counter& counter) { add(stretch(p12_of(counter))); }
  void add(const SmallCounter& counter) { add(stretch(p12_of(counter))); }

  unsigned mix(Weights& weights, std::int32_t first_weight) {
    weights_ = &weights;
    if (weights.asked == 0) weights.each.fill(first_weight);
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < count_; ++i) sum += std::int64_t{weights.each[i]} * logits_[i];
    p_ = squash(static_cast<int>(sum >> 16));
    return p_ < 16 ? 16 : p_ > 65520 ? 65520 : p_;
  }
  void learn(int bit, int rate) {
    const std::int64_t wrong = (bit << 16) - static_cast<std::int64_t>(p_);
    // Fast at first: a small delta is over before slow weights have moved.
    const auto speed = rate + (weights_->asked < 32 ? rate * 2 : weights_->asked < 128 ? rate : 0);
    for (std::size_t i = 0; i < count_; ++i) weights_->each[i] += static_cast<std::int32_t>((logits_[i] * wrong * speed) >> 20);
    if (weights_->asked < 1024) ++weights_->asked;
  }

 private:
  std::array<std::int32_t, 10> logits_{};
  std::size_t count_ = 0;
  Weights* weights_ = nullptr;
  unsigned p_ = 0;
};

}  // namespace picket::delta::mixing
