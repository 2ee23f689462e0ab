// For straight-line code on a thread of its own: ask and wait. Never used on an executor thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "core/cancel.hpp"

namespace picket::bus {

struct Reply {
  std::string content_type;
  std::string payload;
};

class Caller {
 public:
  // Attaches a peer of its own with this allow-list.
  [[nodiscard]] static Result<std::unique_ptr<Caller>> attach(Router& router, PeerOptions options);
  virtual ~Caller() = default;

  // Waits for the answer, at most request.timeout, and no longer than `cancel` allows. A failed answer is an Error with its text.
  [[nodiscard]] virtual Result<Reply> call(const Request& request, const core::CancelToken& cancel = {}) = 0;

  // A deadline that passed is Code::timeout for call(), but Code::expired for a stream, where Code::timeout means "not yet".
  // Chunks in order until the answer: next() gives a chunk, or nullptr once the final answer (OK) has come, or the error.
  // `window` bytes are in flight at most. Destroying the stream before the end cancels the request.
  class Stream {
   public:
    virtual ~Stream() = default;
    [[nodiscard]] virtual Result<MessagePtr> next(std::chrono::milliseconds patience) = 0;  // Code::timeout: nothing came; may be called again
    [[nodiscard]] virtual const Reply& reply() const = 0;                                     // after next() gave nullptr; of an error only its content type
  };
  [[nodiscard]] virtual Result<std::unique_ptr<Stream>> open(const Request& request, std::uint64_t window, const core::CancelToken& cancel = {}) = 0;

  [[nodiscard]] virtual Peer& peer() = 0;
};

}  // namespace picket::bus
