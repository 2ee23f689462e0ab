// Why each thing happened in the last run. Written by the run's thread, read by whoever asks.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <picket/update/v1/report.pb.h>

#include "core/clock.hpp"

namespace picket::update {

class Explain {
 public:
  static constexpr std::size_t kMaxSteps = 1000;

  explicit Explain(const core::Clock& clock) : clock_(clock) {}

  void begin(std::uint64_t run);
  struct About {
    std::string_view component{}, source{}, file{};
  };
  void say(const About& about, std::string_view decision);
  [[nodiscard]] v1::ExplainReply reply(std::string_view component) const;  // empty: all; bounded in bytes by the bus's payload limit

 private:
  const core::Clock& clock_;
  mutable std::mutex mutex_;
  std::uint64_t run_ = 0;
  std::chrono::milliseconds began_{};
  std::vector<v1::ExplainStep> steps_;
};

}  // namespace picket::update
