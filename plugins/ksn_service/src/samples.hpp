// Files that clients send: parts in order, digest checked, resumable, under a quota. Any thread.
#pragma once

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
};

class Samples {
 public:
  explicit Samples(SampleSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] bool takes_any() const { return !settings_.folder.empty(); }
  [[nodiscard]] bool wishes() const { return takes_any() && settings_.wish_unknown; }
  // Whether this file is not here yet and there is room for some.
  [[nodiscard]] bool wants(std::string_view digest);
  // The file system's trouble is UNAVAILABLE; what nobody wants NOT_TAKEN. Throws nothing.
  [[nodiscard]] Response take(const v1::ContentRequest& request);

 private:
  [[nodiscard]] std::filesystem::path path_of(std::string_view digest, bool whole) const;
  void measure();

  const SampleSettings settings_;
  std::mutex mutex_;
  std::uint64_t held_bytes_ = 0;
  bool measured_ = false;
};

}  // namespace ksn_service
