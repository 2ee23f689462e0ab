// The splice method for tables of words: what splice_model.hpp says, each bit by one opinion and most things by one bit. Less small for texts, many
// times as fast: whoever moves a few hundred thousand references waits for them.
//
// Copy lengths, and the events after them, mostly repeat what followed the same ones the last time: one bit says so. Words are predicted from where
// equal old values went. Literals are mostly new words: what they are like depends on the place in the word and on which bytes before were zero.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "delta/mixing.hpp"
#include "delta/splice_model.hpp"

namespace picket::delta {

template <class Coder>
class WordModel {
 public:
  explicit WordModel(Coder& coder) : coder_(coder) {}

  std::uint64_t copy_length(std::uint64_t value) {
    auto& likely = copies_[(copy_history_ * 0x9e37'79b1u) >> 18];
    expected_event_ = 5;
    auto out = likely.copy;
    if (bit(value == out, copy_hits_[likely.trust & 15])) {
      likely.trust = static_cast<std::uint8_t>(likely.trust << 1 | 1);
      expected_event_ = likely.event;
    } else {
      likely.trust = static_cast<std::uint8_t>(likely.trust << 1);
      out = static_cast<std::uint32_t>(number(value, 0, std::min(bucket(last_copy_), 7u)));
      likely.copy = out;
    }
    entry_ = &likely;
    last_copy_ = out;
    copy_history_ = (copy_history_ << 12) ^ (static_cast<std::uint32_t>(out) << 3);
    return out;
  }

  Event event(Event value) {
    static constexpr std::array order{Event::word, Event::seek, Event::substitute, Event::insert};
    auto& counters = events_[(expected_event_ * 512 + (event_history_ & 511)) & 4095];
    auto out = Event::quote;
    for (unsigned i = 0; i < order.size(); ++i)
      if (bit(value == order[i], counters[i])) {
        out = order[i];
        break;
      }
    entry_->event = static_cast<std::uint8_t>(out);
    event_history_ = event_history_ << 3 | static_cast<unsigned>(out);
    copy_history_ ^= static_cast<unsigned>(out);
    return out;
  }

  std::uint64_t literal_count(std::uint64_t value) { return number(value - 1, 1, event_history_ & 7) + 1; }
  std::uint64_t quote_length(std::uint64_t value) { return number(value - 1, 1, 7) + 1; }
  std::int64_t seek_distance(std::int64_t value) { return signed_number(value, 2 + (event_history_ >> 3 & 1)); }
  std::int64_t quote_distance(std::int64_t value) { return signed_number(value, 4); }

  void passed(std::string_view bytes) {
    for (const char c : bytes.substr(bytes.size() > 4 ? bytes.size() - 4 : 0)) zeros_ = zeros_ << 1 | (c == 0);
  }
  void begin_literals(std::string_view, std::uint64_t, std::uint64_t) {}
  unsigned literal(unsigned value, unsigned, std::uint64_t at) {
    auto& counters = literals_[(at & 3) << 4 | (zeros_ & 15)];
    unsigned node = 1;
    for (int i = 7; i >= 0; --i) node = node << 1 | static_cast<unsigned>(bit(static_cast<int>(value >> i) & 1, counters[node], 30));
    zeros_ = zeros_ << 1 | ((node & 255) == 0);
    return node & 255;
  }

  // The new word that stands for the old one.
  std::uint32_t word(std::uint32_t value, std::uint32_t old) {
    const std::array<std::uint32_t*, 3> places{&near(old, 6), &near(old, 10), &near(old, 16)};
    const std::array<std::uint32_t, 4> guesses{*places[0], *places[1], *places[2], last_delta_};
    auto& trust = trust_[(old >> 8) & 0xffff];
    const auto delta = value - old;
    std::uint32_t out = 0;
    unsigned misses = 0;
    bool found = false;
    for (unsigned i = 0; i < guesses.size() && !found; ++i) {
      bool known = guesses[i] == 0;
      for (unsigned j = 0; j < i; ++j) known |= guesses[j] == guesses[i];
      if (known) continue;
      found = bit(delta == guesses[i], guess_hits_[i][misses][(trust & 15) << 3 | (word_hits_ & 7)]) != 0;
      if (found) out = guesses[i];
      else ++misses;
    }
    if (!found) out = static_cast<std::uint32_t>(signed_number(static_cast<std::int32_t>(delta), 5));
    const bool hit = found && misses == 0;
    trust = static_cast<std::uint8_t>(trust << 1 | hit);
    word_hits_ = word_hits_ << 1 | hit;
    for (auto* place : places) *place = out;
    last_delta_ = out;
    return old + out;
  }

 private:
  static constexpr unsigned most_bits = 48;  // no length has more; a hostile delta may say so

  struct Copy {
    std::uint32_t copy = 0;  // nobody writes a longer one: SuffixIndex::max_text
    std::uint8_t event = 5, trust = 0;
  };
  // How many bits it has, then these bits: the upper ones by what is above them.
  struct Number {
    std::array<mixing::Counter, 64> size{};
    std::array<std::array<mixing::Counter, 16>, most_bits + 1> upper{};
  };
  struct Numbers {
    std::array<Number, 8> each{};
    std::array<std::array<mixing::Counter, most_bits>, most_bits + 1> lower{};
  };

  static unsigned bucket(std::uint64_t value) { return static_cast<unsigned>(std::bit_width(value)); }
  std::uint32_t& near(std::uint32_t old, unsigned shift) { return near_[shift == 6 ? 0 : shift == 10 ? 1 : 2][((old >> shift) * 0x9e37'79b1u) >> 16]; }

  int bit(int value, mixing::Counter& counter, unsigned limit = 127) {
    value = coder_.code(value, mixing::p16_of(counter));
    mixing::learn(counter, value, limit);
    return value;
  }

  std::uint64_t number(std::uint64_t value, unsigned kind, unsigned place) {
    auto& counters = numbers_[kind].each[place];
    const auto size = bucket(value);
    unsigned node = 1;
    for (int i = 5; i >= 0; --i) node = node << 1 | static_cast<unsigned>(bit(static_cast<int>(size >> i) & 1, counters.size[node]));
    const auto bits = std::min(node & 63, most_bits);
    if (bits <= 1) return bits;
    std::uint64_t out = 1;
    for (auto left = bits - 1; left-- > 0;) {
      auto& counter = left + 5 < bits ? numbers_[kind].lower[bits][left] : counters.upper[bits][out];
      out = out << 1 | static_cast<unsigned>(bit(static_cast<int>(value >> left) & 1, counter));
    }
    return out;
  }
  std::int64_t signed_number(std::int64_t value, unsigned kind) {
    const bool back = bit(value < 0, signs_[kind]) != 0;
    const auto out = static_cast<std::int64_t>(number(static_cast<std::uint64_t>(value < 0 ? -value : value), kind, back));
    return back ? -out : out;
  }

  Coder& coder_;
  std::vector<Copy> copies_ = std::vector<Copy>(1 << 14);
  Copy* entry_ = copies_.data();
  std::array<mixing::Counter, 16> copy_hits_{};
  std::vector<std::array<mixing::Counter, 4>> events_ = std::vector<std::array<mixing::Counter, 4>>(4096);
  std::vector<Numbers> numbers_ = std::vector<Numbers>(6);
  std::array<mixing::Counter, 8> signs_{};
  std::vector<std::array<mixing::Counter, 256>> literals_ = std::vector<std::array<mixing::Counter, 256>>(64);
  std::vector<std::vector<std::uint32_t>> near_ = std::vector<std::vector<std::uint32_t>>(3, std::vector<std::uint32_t>(1 << 16));
  std::vector<std::uint8_t> trust_ = std::vector<std::uint8_t>(1 << 16);
  std::array<std::array<std::array<mixing::Counter, 128>, 4>, 4> guess_hits_{};
  std::uint64_t last_copy_ = 0;
  std::uint32_t copy_history_ = 0, event_history_ = 0, expected_event_ = 5, last_delta_ = 0, word_hits_ = 0, zeros_ = 0;
};

}  // namespace picket::delta
