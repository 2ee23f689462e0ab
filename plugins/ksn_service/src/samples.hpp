// Files that clients send, or the beginnings of files: parts in order, resumable, under a quota; the digest of a whole file is checked. Any thread.
// Wishes are not remembered: who may ask could have any digest wished for. What bounds the folder is its quota, in which the smallest file counts as
// a block, and how many files may be unfinished.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "refusal.hpp"

#include "base/result.hpp"

namespace ksn_service {

struct SampleSettings {
  std::filesystem::path folder;  // empty: none are taken
  std::uint64_t quota_bytes = 1'000'000'000, most_bytes = 50'000'000;
  bool wish_unknown = false;     // ask clients in extended mode for files that nobody knows
  std::uint64_t wish_bytes = 0;  // only for so many bytes from the beginning; 0: all of it
  std::chrono::minutes sweep_when_crowded{10};  // how soon it is looked again for what gives way
};

class Samples {
 public:
  explicit Samples(SampleSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] bool takes_any() const { return !settings_.folder.empty(); }
  // The folder is made where there is none. Code::io and others: nothing can be kept there.
  [[nodiscard]] picket::Result<> look() const;
  [[nodiscard]] bool wishes() const { return takes_any() && settings_.wish_unknown; }
  // Whether this file, or its beginning, is not here yet and there is room for some; then `out` says what is wished for.
  [[nodiscard]] bool wants(std::string_view digest, v1::Wish& out);
  // The file system's trouble is UNAVAILABLE; what nobody wants NOT_TAKEN. Throws nothing.
  [[nodiscard]] Response take(const v1::ContentRequest& request);

 private:
  // DIGEST.sample: checked. DIGEST.0-BYTES.piece: of what is said to be this file. With .part behind it: not all of it is here.
  [[nodiscard]] std::filesystem::path sample_of(std::string_view digest) const;
  [[nodiscard]] std::filesystem::path piece_of(std::string_view digest) const;
  void measure();
  [[nodiscard]] bool has_room(std::uint64_t bytes, bool begins);

  const SampleSettings settings_;
  std::mutex mutex_;
  std::uint64_t held_bytes_ = 0, unfinished_ = 0;
  std::chrono::steady_clock::time_point look_again_{};
  bool crowded_ = false;  // nothing more fits since the last look
};

}  // namespace ksn_service
