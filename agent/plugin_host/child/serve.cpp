#include "plugin_host/child/serve.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include <poll.h>

#include "bus/wire/socket.hpp"
#include "isolation/frames.hpp"
#include "isolation/sandbox.hpp"
#include "plugin_host/child/outbox.hpp"
#include "plugin_host/child/remote_calls.hpp"
#include "plugin_host/child/trial.hpp"
#include "plugin_host/library.hpp"
#include "plugin_host/plugin_calls.hpp"
#include "runtime/timers.hpp"

namespace picket::plugin_host::child {

namespace {

namespace wire = bus::wire;
using wire::Frame;
using wire::Type;

constexpr std::size_t max_waiting_frames = 4096, max_waiting_bytes = 4u << 20;
constexpr int frames_per_turn = 64;  // then timers and the outbox get theirs
constexpr auto setup_patience = std::chrono::seconds(10);

class Server {
 public:
  Server(UniqueFd socket, std::unique_ptr<Outbox> outbox) : socket_(std::move(socket)), outbox_(std::move(outbox)) {}

  Result<> run(UniqueFd library) {
    PICKET_LET(first, wire::receive(socket_.get(), buffer_, setup_patience));
    if (first.type != isolation::kSetup || first.number != isolation::kProtocol) return fail(Code::invalid, "picketd did not begin with a setup of this protocol");
    PICKET_LET(setup, isolation::Setup::parse(first.payload));
    auto ready = make_plugin(std::move(library), setup);
    Frame frame = result_frame(isolation::kReady, ready);
    if (ready) frame.number = plugin_->can_apply() ? 1 : 0;
    outbox_->send(frame, true);
    auto served = ready ? loop() : std::move(ready);
    if (plugin_ != nullptr) plugin_->destroy();
    return served;
  }

 private:
  Result<> make_plugin(UniqueFd library, const isolation::Setup& setup) {
    PICKET_TRY(inspect_library(library.get(), false));
    PICKET_TRY(isolation::sandbox_before_load());
    PICKET_LET(entry, load_library(std::move(library)));
    timers_ = runtime::Timers::make();  // its thread's stack belongs to us, not to the plugin's limit
    PICKET_TRY(isolation::sandbox_before_create(setup.memory_mb));
    calls_ = std::make_shared<RemoteCalls>(setup, *outbox_);
    watch_ = std::make_unique<CallWatch>(*timers_, std::chrono::milliseconds(setup.callback_ms), [this](const char* what, std::chrono::milliseconds so_far) {
      Frame frame;
      frame.type = isolation::kOverrun;
      frame.text = what;
      frame.number = static_cast<std::uint64_t>(so_far.count());
      outbox_->send(frame, true);
    });
    auto tables = std::make_shared<HostTables>(calls_, setup.extensions);
    PICKET_LET(plugin, PluginCalls::create(*entry, setup.id, tables, *watch_));
    plugin_ = std::move(plugin);
    return {};
  }

  // `text` lives as long as the result.
  static Frame result_frame(Type type, const Result<>& result) {
    Frame frame;
    frame.type = type;
    if (!result) {
      frame.status = bus::status_of(result.error().code);
      frame.payload = result.error().message;
    }
    return frame;
  }

  Result<> loop() {
    for (;;) {
      pollfd fds[2] = {{socket_.get(), static_cast<short>(POLLIN | (outbox_->is_empty() ? 0 : POLLOUT)), 0}, {outbox_->wake_fd(), POLLIN, 0}};
      if (::poll(fds, 2, patience()) < 0 && errno != EINTR) return fail_errno("poll");
      if ((fds[0].revents & POLLOUT) != 0 || fds[1].revents != 0)
        if (!outbox_->flush()) return {};
      run_timers();
      for (int i = 0; i < frames_per_turn; ++i) {
        const auto frame = wire::try_receive(socket_.get(), buffer_);
        if (!frame && frame.error().code == Code::busy) break;
        if (!frame && frame.error().code == Code::unavailable) return {};  // picketd is done with us
        if (!frame) return fail(frame.error());
        if (frame->type == Type::goodbye) return {};
        take(*frame);
      }
    }
  }

  int patience() const {
    const auto next = plugin_->is_started() ? calls_->next_timer() : std::nullopt;
    if (!next) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - RemoteCalls::Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
  }

  void run_timers() {
    // At most each timer once a turn: a period of 1 ms must not shut out messages.
    const auto now = RemoteCalls::Clock::now();
    for (int i = 0; i < 64 && plugin_->is_started(); ++i) {
      const auto id = calls_->take_due(now);
      if (!id) return;
      plugin_->on_timer(*id);
    }
  }

  static Incoming incoming(const Frame& frame) {
    const auto timeout = frame.type == Type::request_in ? static_cast<std::uint32_t>(std::min<std::uint64_t>(frame.number, UINT32_MAX)) : 0;
    return {frame.topic, frame.key, frame.content_type, frame.text, frame.payload, timeout};
  }

  void take(const Frame& frame) {
    if (frame.type == isolation::kStart) return answer(isolation::kStarted, frame.number, plugin_->start(frame.payload, frame.number));
    if (frame.type == isolation::kApply) return answer(isolation::kApplied, frame.number, plugin_->apply(frame.payload, frame.number));
    if (frame.type == isolation::kStop) return stop(std::chrono::milliseconds(std::min<std::uint64_t>(frame.number, 86'400'000)));
    if (frame.type == isolation::kPing) return answer(isolation::kPong, frame.number, {});
    switch (frame.type) {
      case Type::message: return plugin_->on_message(incoming(frame));
      case Type::request_in:
        calls_->opened(frame.token);
        return plugin_->on_request(frame.token, incoming(frame));
      case Type::stream_in:
        if (calls_->is_asked(frame.token)) plugin_->on_stream(frame.token, frame.payload);
        return;
      case Type::reply:
        if (calls_->replied(frame.token)) plugin_->on_reply(frame.token, frame.status, incoming(frame));
        return;
      case Type::credit:
        if (const auto now = calls_->credited(frame.token, frame.number); now) plugin_->on_credit(frame.token, *now);
        return;
      case Type::cancel_in:
        if (calls_->closed(frame.token)) plugin_->on_cancel(frame.token);
        return;
      case Type::loss: return plugin_->on_loss(frame.topic, frame.number);
      default: return;  // WELCOME, RESULT: nothing that a plugin waits for
    }
  }

  void stop(std::chrono::milliseconds deadline) {
    const auto stopped = plugin_->stop(deadline);
    calls_->forget_all();
    plugin_->destroy();  // nothing of it is left when picketd hears that it stopped
    answer(isolation::kStopped, 0, stopped);
  }

  void answer(Type type, std::uint64_t number, const Result<>& result) {
    Frame frame = result_frame(type, result);
    frame.number = number;
    outbox_->send(frame, true);
  }

  const UniqueFd socket_;
  const std::unique_ptr<Outbox> outbox_;
  std::string buffer_;
  std::unique_ptr<runtime::Timers> timers_;
  std::shared_ptr<RemoteCalls> calls_;
  std::unique_ptr<CallWatch> watch_;
  std::unique_ptr<PluginCalls> plugin_;
};

}  // namespace

Result<> serve(UniqueFd socket, UniqueFd library) {
  PICKET_TRY(wire::set_buffers(socket.get()));
  PICKET_LET(outbox, Outbox::make(socket.get(), max_waiting_frames, max_waiting_bytes));
  Server server(std::move(socket), std::move(outbox));
  return server.run(std::move(library));
}

}  // namespace picket::plugin_host::child
