// How long a plugin that failed is left alone, and when it is given up: by its failures within the window.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>

#include "plugin_host/plugin_host.hpp"

namespace picket::plugin_host {

class BackOff {
 public:
  explicit BackOff(const Options::Restart& rule) : rule_(rule) {}

  // It failed just now, in monotonic time. How long it waits before the next try; nullopt: it is given up.
  [[nodiscard]] std::optional<std::chrono::milliseconds> failed(std::chrono::milliseconds now) {
    failures_.push_back(now);
    while (now - failures_.front() > rule_.window) failures_.pop_front();
    if (failures_.size() > rule_.tries) return std::nullopt;
    auto delay = rule_.first;
    for (std::size_t i = 1; i < failures_.size() && delay < rule_.most; ++i) delay *= 2;
    return std::min(delay, rule_.most);
  }
  [[nodiscard]] std::size_t failures() const { return failures_.size(); }
  void forget() { failures_.clear(); }

 private:
  const Options::Restart rule_;
  std::deque<std::chrono::milliseconds> failures_;  // within the window
};

}  // namespace picket::plugin_host
