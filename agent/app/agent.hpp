// The object graph of picketd and its life.
#pragma once

#include <functional>
#include <memory>

#include "app/config.hpp"
#include "base/result.hpp"

namespace picket::app {

class Agent {
 public:
  // Builds and starts everything; returns when the plugins that can run do. An Error says what is missing and where.
  [[nodiscard]] static Result<std::unique_ptr<Agent>> start(const Config& config);
  virtual ~Agent() = default;       // stop()
  virtual void reload() = 0;        // local settings changed
  virtual void stop() = 0;          // in the reverse order of start; bounded
};

}  // namespace picket::app
