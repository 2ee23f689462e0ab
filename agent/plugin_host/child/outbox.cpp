#include "plugin_host/child/outbox.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include "bus/wire/socket.hpp"

namespace picket::plugin_host::child {

namespace wire = bus::wire;

Result<std::unique_ptr<Outbox>> Outbox::make(int socket, std::size_t max_frames, std::size_t max_bytes) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno("eventfd");
  return std::unique_ptr<Outbox>(new Outbox(socket, max_frames, max_bytes, std::move(wake)));
}

bus::Status Outbox::send(const wire::Frame& frame, bool must_fit) {
  const std::lock_guard lock(mutex_);
  if (is_gone_) return bus::status_of(Code::unavailable);
  if (waiting_.empty()) {
    const auto sent = wire::try_send(socket_, frame);
    if (sent) return bus::kOk;
    if (sent.error().code == Code::unavailable) is_gone_ = true;
    if (sent.error().code != Code::busy) return bus::status_of(sent.error().code);
  }
  auto packet = wire::encode(frame);
  if (!packet) return bus::status_of(Code::invalid);
  if (!must_fit && (waiting_.size() >= max_frames_ || waiting_bytes_ + packet->size() > max_bytes_)) return bus::status_of(Code::busy);
  waiting_bytes_ += packet->size();
  waiting_.push_back(std::move(*packet));
  if (waiting_.size() == 1) wake();
  return bus::kOk;
}

void Outbox::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof one));  // full means that the loop is awake already
}

bool Outbox::is_empty() const {
  const std::lock_guard lock(mutex_);
  return waiting_.empty();
}

bool Outbox::flush() {
  std::uint64_t count = 0;
  static_cast<void>(!::read(wake_.get(), &count, sizeof count));
  const std::lock_guard lock(mutex_);
  while (!waiting_.empty() && !is_gone_) {
    const auto sent = wire::try_send_bytes(socket_, waiting_.front());
    if (!sent && sent.error().code == Code::busy) break;
    if (!sent) is_gone_ = true;
    waiting_bytes_ -= waiting_.front().size();
    waiting_.pop_front();
  }
  return !is_gone_;
}

}  // namespace picket::plugin_host::child
