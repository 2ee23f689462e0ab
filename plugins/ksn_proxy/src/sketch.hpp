// How often a key was asked for lately, in about four bits a counter: a count-min sketch that forgets (TinyLFU, Einziger et al. 2017).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ksn_proxy {

class Sketch {
 public:
  // `keys`: about how many are to be told apart.
  explicit Sketch(std::size_t keys);
  // The four counters of a key lie in one cache line.
  void add(std::uint64_t hash);
  void raise(std::uint64_t hash, unsigned to);  // to at least so often
  // One more of a key that is counted elsewhere: how soon is forgotten goes by all of them.
  void note() {
    if (++additions_ >= sample_) halve();
  }
  [[nodiscard]] std::uint8_t halvings() const { return halvings_; }  // so often all was halved, by 256
  [[nodiscard]] unsigned estimate(std::uint64_t hash) const;  // 0 to 15
  [[nodiscard]] const void* place_of(std::uint64_t hash) const { return &words_[block_of(hash)]; }

 private:
  [[nodiscard]] std::size_t block_of(std::uint64_t hash) const { return (hash >> 20 & mask_) * 8; }
  void halve();
  template <class Change>
  void each_counter(std::uint64_t hash, Change&& change);  // of the key: its word and where it lies in it

  std::vector<std::uint64_t> words_;   // blocks of 8
  std::size_t mask_;                   // of blocks
  std::size_t additions_ = 0, sample_;
  std::uint8_t halvings_ = 0;
};

}  // namespace ksn_proxy
