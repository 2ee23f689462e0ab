// Frames on their way to picketd, from any thread, without ever blocking: what the socket does not take now waits here, within limits.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "base/files.hpp"
#include "base/result.hpp"
#include "bus/bus.hpp"
#include "bus/wire/frame.hpp"

namespace picket::plugin_host::child {

class Outbox {
 public:
  // socket: borrowed. The limits hold for what a plugin sends; answers of the life cycle always fit.
  [[nodiscard]] static Result<std::unique_ptr<Outbox>> make(int socket, std::size_t max_frames, std::size_t max_bytes);

  // kOk; busy: the limits are reached; invalid: the frame cannot be encoded; unavailable: picketd is gone. Any thread.
  bus::Status send(const bus::wire::Frame& frame, bool must_fit = false);

  void wake();  // any thread: the main loop looks again

  // The main loop: readable after wake(), and when there is something to flush that was not there before.
  [[nodiscard]] int wake_fd() const { return wake_.get(); }
  [[nodiscard]] bool is_empty() const;
  // Sends what the socket takes. False: picketd is gone.
  [[nodiscard]] bool flush();

 private:
  Outbox(int socket, std::size_t max_frames, std::size_t max_bytes, UniqueFd wake)
      : socket_(socket), max_frames_(max_frames), max_bytes_(max_bytes), wake_(std::move(wake)) {}

  const int socket_;
  const std::size_t max_frames_, max_bytes_;
  const UniqueFd wake_;
  mutable std::mutex mutex_;
  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool is_gone_ = false;
};

}  // namespace picket::plugin_host::child
