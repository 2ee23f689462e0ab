#include "bus/wire/channel.hpp"

#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "bus/wire/socket.hpp"
#include "runtime/io_loop.hpp"

namespace picket::bus::wire {
namespace {

constexpr Status kGone = status_of(Code::unavailable);
constexpr int kFramesAtOnce = 32;  // then other descriptors have their turn

// One buffer for all channels of a loop: frames are used up before the next is received.
std::string& receive_buffer() {
  static thread_local std::string buffer;
  return buffer;
}

class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(runtime::IoLoop& loop, UniqueFd socket, Channel::Listener& listener) : loop_(loop), socket_(std::move(socket)), listener_(&listener) {}

  void start() {
    if (listener_ == nullptr || !socket_) return;  // closed before it began
    watch_ = loop_.watch(socket_.get(), [self = weak_from_this()] { if (const auto s = self.lock()) s->read(); },
                         [self = weak_from_this()] { if (const auto s = self.lock()) s->write(); });
    watch_->ask_readable();
  }

  // Any thread.
  Status send(const Frame& frame) {
    const std::scoped_lock lock(mutex_);
    if (why_closed_) return kGone;
    if (waiting_.empty()) {
      const auto sent = try_send(socket_.get(), frame);
      if (sent) return kOk;
      if (sent.error().code == Code::too_large) return status_of(Code::too_large);
      if (sent.error().code == Code::unavailable) return kGone;  // what the other side sent before it went is still to be read
      if (sent.error().code != Code::busy) {
        close_soon(sent.error());
        return kGone;
      }
    }
    auto packet = encode(frame);
    if (!packet) return status_of(packet.error().code);
    waiting_bytes_ += packet->size();
    waiting_.push_back(std::move(*packet));
    full_ = full_ || waiting_.size() >= kFullFrames || waiting_bytes_ >= kFullBytes;
    if (waiting_.size() > kMostFrames || waiting_bytes_ > kMostBytes) {
      close_soon({Code::too_large, "the other side does not read its socket"});
      return kGone;
    }
    if (waiting_.size() == 1)
      loop_.post([self = weak_from_this()] { if (const auto s = self.lock(); s && s->watch_) s->watch_->ask_writable(); });
    return kOk;
  }
  bool is_full() const {
    const std::scoped_lock lock(mutex_);
    return full_;
  }
  void close(Error why) {
    const std::scoped_lock lock(mutex_);
    if (!why_closed_) close_soon(std::move(why));
  }

  // On the loop's thread: the owner goes.
  void abandon() {
    listener_ = nullptr;
    watch_.reset();
    const std::scoped_lock lock(mutex_);
    if (!why_closed_) why_closed_ = Error{Code::cancelled, "closed"};
    waiting_.clear();
    socket_.reset();
  }

 private:
  void close_soon(Error why) {  // under the lock
    why_closed_ = std::move(why);
    waiting_.clear();
    waiting_bytes_ = 0;
    loop_.post([self = weak_from_this()] { if (const auto s = self.lock()) s->report_close(); });
  }

  void report_close() {
    watch_.reset();
    Error why;
    {
      const std::scoped_lock lock(mutex_);
      socket_.reset();
      why = *why_closed_;
    }
    if (auto* listener = std::exchange(listener_, nullptr)) listener->on_closed(why);
  }

  void read() {
    const auto keep = shared_from_this();  // a callback may destroy the owner
    for (int i = 0; i < kFramesAtOnce; ++i) {
      {
        const std::scoped_lock lock(mutex_);
        if (why_closed_) return;
      }
      auto frame = try_receive(socket_.get(), receive_buffer());
      if (!frame) {
        if (frame.error().code == Code::busy) break;
        close(std::move(frame).error());
        return;
      }
      listener_->on_frame(*frame);
      if (listener_ == nullptr) return;
    }
    if (watch_) watch_->ask_readable();
  }

  void write() {
    const auto keep = shared_from_this();
    bool room_again = false;
    {
      const std::scoped_lock lock(mutex_);
      while (!waiting_.empty()) {
        const auto sent = try_send_bytes(socket_.get(), waiting_.front());
        if (!sent) {
          if (sent.error().code == Code::unavailable) waiting_.clear(), waiting_bytes_ = 0;  // reading tells of the end
          else if (sent.error().code != Code::busy) close_soon(sent.error());
          else if (watch_) watch_->ask_writable();
          break;
        }
        waiting_bytes_ -= waiting_.front().size();
        waiting_.pop_front();
      }
      if (full_ && waiting_.size() < kFullFrames / 2 && waiting_bytes_ < kFullBytes / 2) {
        full_ = false;
        room_again = !why_closed_;
      }
    }
    if (room_again && listener_ != nullptr) listener_->on_writable();
  }

  runtime::IoLoop& loop_;
  mutable std::mutex mutex_;
  UniqueFd socket_;                    // closed under the lock; senders use it under the lock, the loop without
  Channel::Listener* listener_;        // the loop's
  std::unique_ptr<runtime::IoLoop::Watch> watch_;  // the loop's
  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool full_ = false;
  std::optional<Error> why_closed_;
};

class SocketChannel final : public Channel {
 public:
  SocketChannel(runtime::IoLoop& loop, std::shared_ptr<Link> link) : loop_(loop), link_(std::move(link)) {}
  SocketChannel(const SocketChannel&) = delete;
  SocketChannel& operator=(const SocketChannel&) = delete;
  ~SocketChannel() override {
    if (!loop_.run_and_wait([this] { link_->abandon(); })) link_->abandon();
  }
  [[nodiscard]] Status send(const Frame& frame) override { return link_->send(frame); }
  [[nodiscard]] bool is_full() const override { return link_->is_full(); }
  void close(Error why) override { link_->close(std::move(why)); }

 private:
  runtime::IoLoop& loop_;
  std::shared_ptr<Link> link_;
};

}  // namespace

std::unique_ptr<Channel> Channel::make(runtime::IoLoop& loop, UniqueFd socket, Listener& listener) {
  auto link = std::make_shared<Link>(loop, std::move(socket), listener);
  auto channel = std::make_unique<SocketChannel>(loop, link);
  loop.post([link] { link->start(); });
  return channel;
}

}  // namespace picket::bus::wire
