// Asks plugins to load a set, and waits for what they say.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <picket/component/v1/component.pb.h>

#include "bus/caller.hpp"
#include "core/cancel.hpp"
#include "update/explain.hpp"

namespace picket::update {

class Consumers {
 public:
  Consumers(bus::Caller& caller, Explain& explain) : caller_(caller), explain_(explain) {}

  struct Confirmed {
    bool is_pending = false;   // somebody knows only after a restart whether it stays
    std::string text;          // of that one
  };
  // Asks one after the other; stops at the first that refuses, crashes or does not answer in time, and says who and why.
  // Code::cancelled: nobody knows.
  [[nodiscard]] Result<Confirmed> confirm(const std::vector<std::string>& plugins, const component::v1::ActiveSet& set, bool restored, std::chrono::milliseconds limit,
                                          const core::CancelToken& cancel);

 private:
  bus::Caller& caller_;
  Explain& explain_;
};

inline constexpr std::string_view kActivateTopic = "picket.component.activate";
inline constexpr std::string_view kActivateType = "application/x-protobuf; messageType=picket.component.v1.ActivateRequest";

}  // namespace picket::update
