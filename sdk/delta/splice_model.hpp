// What the splice method says and, in texts, how likely each word of it is; one text for writing and reading, so that both think alike.
//
// A delta is: copy length, event, copy length, event ... until the new content is complete. A copy goes on at the old position. Events:
//   substitute M  M literals, the old position goes on with them: a changed value
//   insert M      M literals, the old position stays
//   seek S        the old position moves by S, not 0
//   word          the next 4 bytes are the old 4, as a little-endian number, plus a number: a reference to what has moved
//   quote S M     M bytes of the old content, S after where the last quotation ended (the first: after its beginning); the old position stays
// Literals are predicted from what came before them, from the old bytes that stand where they go, and from the longest repetition in what was
// inserted so far and its surroundings. Words are predicted from where equal old values went.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "delta/echo.hpp"
#include "delta/mixing.hpp"
#include "delta/splice_context.hpp"

namespace picket::delta {

enum class Event : unsigned { substitute, insert, seek, word, quote };

// How likely each word of it is: the first byte says it.
enum class Coding : std::uint8_t {
  mixed,  // for texts: every bit is a mixture of many opinions
  raw,    // the same, but literals are what nothing predicts, like digests
  words,  // for tables of words: word_model.hpp
};

template <class Coder>
class SpliceModel {
 public:
  SpliceModel(Coder& coder, Coding coding) : coder_(coder), raw_(coding == Coding::raw) {}

  std::uint64_t copy_length(std::uint64_t value) {
    const auto out = number(value, 0, last_event_ * 64 + bucket(last_copy_), hash(static_cast<std::uint32_t>(last_copy_), last_event_, static_cast<std::uint32_t>(copy_before_)));
    copy_before_ = last_copy_;
    last_copy_ = out;
    return out;
  }

  Event event(Event value) {
    const auto copied = bucket(last_copy_);
    const auto history = events_ & 0xfff;
    unsigned node = 1;
    for (int bit = 2; bit >= 0; --bit) {
      const int known = static_cast<int>(static_cast<unsigned>(value) >> bit) & 1;
      const auto exact = hash(static_cast<std::uint32_t>(last_copy_), history & 63);
      const int now = flag(known, {hash(1001, events_ & 7, node), hash(1002, history * 64 + copied, node), hash(1003, exact, node), hash(1004, copied, node)}, kind_weights_[node & 7]);
      node = node * 2 + static_cast<unsigned>(now);
    }
    last_event_ = node & 7;
    events_ = (events_ << 3) | last_event_;
    return static_cast<Event>(last_event_);
  }

  std::uint64_t literal_count(std::uint64_t value) {  // at least 1
    const auto out = number(value - 1, 1 + (last_event_ & 1), bucket(last_copy_), bucket(last_count_)) + 1;
    last_count_ = out;
    return out;
  }
  std::uint64_t quote_length(std::uint64_t value) { return number(value - 1, 4, bucket(last_copy_), 0) + 1; }

  std::int64_t seek_distance(std::int64_t value) { return distance(value, false); }  // not 0
  std::int64_t quote_distance(std::int64_t value) {
    const auto out = distance(value >= 0 ? value + 1 : value, true);
    return out > 0 ? out - 1 : out;
  }

  // What both sides know about the place where they are: bytes that were not literals,
  void passed(std::string_view bytes) { context_.after(bytes); }
  // that literals follow, beside the old content from `at`,
  void begin_literals(std::string_view old, std::uint64_t at, std::uint64_t count) {
    if (count >= echo_from) context_.surround(echo_, old, at);
    streak_ = position_ = 0;
  }
  // and for each of them the old byte that stands there and where it goes in the new content.
  unsigned literal(unsigned value, unsigned expected, std::uint64_t) {
    unsigned out = 0;
    if (raw_) {
      for (int bit = 7; bit >= 0; --bit) out = out * 2 + static_cast<unsigned>(coder_.code(static_cast<int>(value >> bit) & 1, 0x8000));
    } else {
      out = mixed_literal(value, context_.before(), expected);
    }
    context_.push(out);
    return out;
  }

  // The new word that stands for the old one.
  std::uint32_t word(std::uint32_t value, std::uint32_t old) {
    std::array<std::uint32_t, 4> guesses{near_[slot(old, 6)], near_[slot(old, 10)], near_[slot(old, 16)], last_delta_};
    const auto delta = value - old;
    std::uint32_t out = 0;
    bool found = false;
    unsigned misses = 0;
    for (unsigned i = 0; i < guesses.size() && !found; ++i) {
      bool known = guesses[i] == 0;
      for (unsigned j = 0; j < i; ++j) known |= guesses[j] == guesses[i];
      if (known) continue;
      const auto hit = flag(delta == guesses[i], {hash(1020, i), hash(1021, i, trust_[slot(old, 10) & 0xffff]), hash(1022, i, misses, last_event_hits_ & 15), hash(1023, i, old >> 20)},
                            word_weights_[i]);
      if (hit) {
        out = guesses[i];
        found = true;
      } else {
        ++misses;
      }
    }
    if (!found) {
      // A new number: its high bytes are mostly those of a small one.
      const auto size = delta < 0x8000'0000u ? delta : 0u - delta;
      const bool back = flag(delta >= 0x8000'0000u, {hash(1030, 0), hash(1031, old >> 24), hash(1032, last_delta_ >> 31), hash(1033, old >> 16)}, sign_weights_) != 0;
      const auto read = static_cast<std::uint32_t>(number(size, 6, bucket(last_delta_), old >> 20));
      out = back ? 0u - read : read;
    }
    trust_[slot(old, 10) & 0xffff] = static_cast<std::uint8_t>((trust_[slot(old, 10) & 0xffff] << 1) | (misses == 0 && found));
    last_event_hits_ = (last_event_hits_ << 1) | (misses == 0 && found);
    near_[slot(old, 6)] = near_[slot(old, 10)] = near_[slot(old, 16)] = last_delta_ = out;
    return old + out;
  }

 private:
  static constexpr unsigned table_bits = 16, orders = 4;
  static constexpr unsigned most_bits = 48;  // no length has more; a hostile delta may say so

  template <class... Parts>
  static std::uint32_t hash(Parts... parts) {
    std::uint32_t out = 0x811c'9dc5u;
    ((out = (out ^ static_cast<std::uint32_t>(parts)) * 0x9e37'79b1u, out ^= out >> 15), ...);
    return out;
  }
  static unsigned bucket(std::uint64_t value) { return static_cast<unsigned>(std::bit_width(value)); }
  static std::size_t slot(std::uint32_t old, unsigned shift) { return hash(old >> shift, shift) & 0xfffff; }

  int flag(int bit, std::array<std::uint32_t, 4> contexts, mixing::Weights& weights) {
    mixer_.clear();
    for (std::size_t i = 0; i < contexts.size(); ++i) mixer_.add(small_[contexts[i]]);
    bit = coder_.code(bit, mixer_.mix(weights, 0x6000));
    mixer_.learn(bit, 10);
    for (const auto context : contexts) mixing::learn(small_[context], bit, 255);
    return bit;
  }

  // How many bits it has, then these bits from the top.
  std::uint64_t number(std::uint64_t value, unsigned kind, std::uint32_t a, std::uint32_t b) {
    const auto size = bucket(value);
    unsigned node = 1;
    for (int bit = 5; bit >= 0; --bit)
      node = node * 2 + static_cast<unsigned>(flag(static_cast<int>(size >> bit) & 1, {hash(kind, 1, node), hash(kind, 2, node, a), hash(kind, 3, node, b), hash(kind, 4, node, a, b)},
                                                   number_weights_[kind][0]));
    const auto bits = std::min(node & 63, most_bits);
    if (bits <= 1) return bits;
    std::uint64_t out = 1;
    for (auto left = bits - 1; left-- > 0;) {
      if (bits > 8 && left + 5 < bits) {  // noise, but for what is always a multiple of something
        auto& counter = small_[hash(kind, 9, left, bits < 14 ? 0 : left > 8)];
        const auto p = mixing::p12_of(counter) * 16 + 8;
        const int bit = coder_.code(static_cast<int>(value >> left) & 1, p);
        mixing::learn(counter, bit, 255);
        out = out * 2 + static_cast<std::uint64_t>(bit);
        continue;
      }
      const auto prefix = static_cast<std::uint32_t>(out);
      out = out * 2 + static_cast<std::uint64_t>(flag(static_cast<int>(value >> left) & 1,
                                                      {hash(kind, 5, left, bits < 14 ? 0 : left > 8), hash(kind, 6, bits, prefix), hash(kind, 7, bits, prefix, a), hash(kind, 8, bits, prefix, b)},
                                                      number_weights_[kind][left < 15 ? left + 1 : 15]));
    }
    return out;
  }

  std::int64_t distance(std::int64_t value, bool quote) {  // not 0
    const auto before = static_cast<std::uint32_t>((events_ >> 3) & 7);
    const bool back = flag(value < 0, {hash(1010, quote), hash(1011, before, quote), hash(1012, last_back_, quote), hash(1013, bucket(last_count_), quote)}, sign_weights_) != 0;
    const auto size = number(static_cast<std::uint64_t>(value < 0 ? -value : value) - 1, quote ? 5u : 3u, before * 2 + back, hash(static_cast<std::uint32_t>(last_count_), before, back)) + 1;
    last_back_ = back;
    return back ? -static_cast<std::int64_t>(size) : static_cast<std::int64_t>(size);
  }

  unsigned mixed_literal(unsigned value, std::uint64_t before, unsigned expected) {
    const auto c4 = static_cast<std::uint32_t>(before), c1 = c4 & 0xff;
    const auto streak = streak_ > 3 ? 3u : streak_;
    const std::array<std::uint32_t, orders> contexts{hash(1, c1), hash(2, c4 & 0xffff), hash(3, c4 & 0xffffff), hash(5, expected, streak, position_ > 2 ? 3 : position_)};
    auto guess = echo_.guess();
    const auto guessed_length = echo_.length() > 15 ? 15u : echo_.length();
    // One question instead of eight, where the answer is mostly yes.
    const bool surely = guess >= 0 && guessed_length > 3;
    if (surely) {
      const auto likely = static_cast<unsigned>(guess);
      const auto agreed = likely == expected ? 1 + streak : 0;
      if (flag(value == likely, {hash(1050, guessed_length, agreed), hash(1051, likely, c1), hash(1052, hits_ & 15, guessed_length), hash(1053, contexts[2], likely)}, guess_weights_[guessed_length]) != 0) {
        hits_ = hits_ * 2 + 1;
        return settle(likely, expected);
      }
      hits_ *= 2;
      guess = -1;
    }
    unsigned node = 1;
    std::array<mixing::SmallCounter*, orders> rows{};
    bool hopeful = guess >= 0, expecting = true;
    for (int bit = 7; bit >= 0; --bit) {
      if (bit == 7 || bit == 3)
        for (unsigned i = 0; i < orders; ++i) rows[i] = &literals_[(std::size_t{i} << table_bits) | (hash(contexts[i], node) & ((1u << table_bits) - 16))];
      const auto column = bit > 3 ? node : (node & ((1u << (3 - bit)) - 1)) | (1u << (3 - bit));
      mixer_.clear();
      for (const auto* row : rows) mixer_.add(row[column]);
      mixing::Counter* repeat = nullptr;
      if (hopeful) {
        const auto next = static_cast<unsigned>(guess >> bit) & 1;
        repeat = &small_[hash(1040, guessed_length, next)];
        mixer_.add(*repeat);
      } else {
        mixer_.add(0);
      }
      auto& known = small_[hash(1041, node)];
      mixer_.add(known);
      const auto set = (hopeful ? 1 + (guessed_length > 7 ? 2u : guessed_length > 3 ? 1u : 0u) : 0) * 8 + (expecting ? 1 + streak : 0);
      auto& weights = literal_weights_[set];
      const int now = coder_.code(static_cast<int>(value >> bit) & 1, mixer_.mix(weights, 0x4800));
      mixer_.learn(now, 6);
      for (auto* row : rows) mixing::learn(row[column], now);
      if (repeat != nullptr) mixing::learn(*repeat, now, 255);
      mixing::learn(known, now, 255);
      node = node * 2 + static_cast<unsigned>(now);
      hopeful = hopeful && ((static_cast<unsigned>(guess) | 256u) >> bit) == node;
      expecting = expecting && ((expected | 256u) >> bit) == node;
    }
    return settle(node & 255, expected);
  }
  unsigned settle(unsigned out, unsigned expected) {
    streak_ = out == expected ? streak_ + 1 : 0;
    ++position_;
    echo_.push(static_cast<std::uint8_t>(out));
    return out;
  }

  Coder& coder_;
  const bool raw_;
  mixing::Mixer mixer_;
  mixing::Counters<mixing::Counter> small_{16};
  mixing::Counters<mixing::SmallCounter> literals_{table_bits + 3};
  std::array<mixing::Weights, 8> kind_weights_{};
  std::array<std::array<mixing::Weights, 16>, 7> number_weights_{};
  std::array<mixing::Weights, 40> literal_weights_{};
  std::array<mixing::Weights, 4> word_weights_{};
  mixing::Weights sign_weights_{};
  std::array<mixing::Weights, 16> guess_weights_{};
  unsigned hits_ = 0;
  Echo echo_;
  SpliceContext context_;
  std::vector<std::uint32_t> near_ = std::vector<std::uint32_t>(1 << 20);
  std::vector<std::uint8_t> trust_ = std::vector<std::uint8_t>(1 << 16);
  std::uint64_t last_copy_ = 0, copy_before_ = 0, last_count_ = 0;
  std::uint32_t events_ = 0, last_event_ = 0, last_delta_ = 0, last_event_hits_ = 0;
  unsigned streak_ = 0, position_ = 0;
  bool last_back_ = false;
};

}  // namespace picket::delta
