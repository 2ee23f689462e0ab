#pragma once

#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/executor.hpp"
#include "unit/bus/recorder.hpp"

namespace picket::bus {

using namespace std::chrono_literals;

inline constexpr Status kBusy = status_of(Code::busy);
inline constexpr Status kDenied = status_of(Code::denied);
inline constexpr Status kInvalid = status_of(Code::invalid);
inline constexpr Status kNotFound = status_of(Code::not_found);
inline constexpr Status kUnavailable = status_of(Code::unavailable);
inline constexpr Status kConflict = status_of(Code::conflict);

class BusTest : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<Peer> attach(Handler& handler, std::string name, AllowList allow, QueueLimits queue = {}) {
    auto peer = router->attach({.name = std::move(name), .allow = std::move(allow), .queue = queue}, handler);
    if (!peer) {
      ADD_FAILURE() << peer.error().message;
      return nullptr;
    }
    return std::move(*peer);
  }

  std::unique_ptr<runtime::Executor> executor = runtime::Executor::make(2, 50ms);
  std::unique_ptr<Router> router = Router::make(*executor);
};

}  // namespace picket::bus
