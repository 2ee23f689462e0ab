// picketctl's end of the bus: blocking, for one thread, needs neither Asio nor a router.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "bus/caller.hpp"
#include "core/cancel.hpp"

namespace picket::bus::wire {

// While one call waits, frames for others (messages, other streams) are kept, up to a limit; beyond it the oldest kept
// messages are dropped and counted (lost()).
class Client {
 public:
  // "cannot reach picketd at /run/picket/picketd.sock: no such file; is it running?"
  [[nodiscard]] static Result<std::unique_ptr<Client>> connect(const std::filesystem::path& path, std::chrono::milliseconds timeout,
                                                                std::string_view program = "picketctl");
  virtual ~Client() = default;

  // As Caller's. Waiting ends within 50 ms of a cancellation (Code::cancelled); the answerer is told.
  [[nodiscard]] virtual Result<Reply> call(const Request& request, const core::CancelToken& cancel = {}) = 0;
  using Stream = Caller::Stream;
  [[nodiscard]] virtual Result<std::unique_ptr<Stream>> open(const Request& request, std::uint64_t window, const core::CancelToken& cancel = {}) = 0;

  [[nodiscard]] virtual Result<> publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload) = 0;
  [[nodiscard]] virtual Result<> subscribe(std::string_view filter) = 0;
  [[nodiscard]] virtual Result<> unsubscribe(std::string_view filter) = 0;
  // The next message of a subscription. Code::timeout: none came; unavailable: picketd has ended.
  [[nodiscard]] virtual Result<MessagePtr> next(std::chrono::milliseconds timeout, const core::CancelToken& cancel = {}) = 0;
  [[nodiscard]] virtual std::uint64_t lost() const = 0;

  [[nodiscard]] virtual const std::string& name() const = 0;  // given by picketd: "picketctl", "picketctl#2", "picketctl@1000#3"
};

}  // namespace picket::bus::wire
