// Where picketctl connects: a local socket, and who may do what through it.
#pragma once

#include <memory>

#include "app/config.hpp"
#include "base/result.hpp"
#include "bus/bus.hpp"
#include "runtime/log.hpp"

namespace picket::runtime { class IoLoop; }

namespace picket::app {

class ControlSocket {
 public:
  // Root and picketd's own user may ask anything that picketctl asks; members of `socket-group` too. Others are refused.
  [[nodiscard]] static Result<std::unique_ptr<ControlSocket>> open(const Config& config, bus::Router& router, runtime::IoLoop& io, runtime::LogPart log);
  virtual ~ControlSocket() = default;
};

}  // namespace picket::app
