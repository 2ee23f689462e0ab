#include "plugin_host/isolated.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "base/bytes.hpp"
#include "bus/wire/bridge.hpp"
#include "bus/wire/socket.hpp"
#include "isolation/frames.hpp"
#include "plugin_host/host_tables.hpp"
#include "plugin_host/in_process.hpp"
#include "plugin_host/plugin_calls.hpp"
#include "runtime/child_process.hpp"
#include "runtime/io_loop.hpp"
#include "runtime/timers.hpp"

namespace picket::plugin_host {

namespace {

namespace wire = bus::wire;
using std::chrono::milliseconds;
using wire::Frame;

constexpr int socket_in_child = 3, library_in_child = 4;

// Callbacks come on the I/O loop, commands from the supervisor; what both touch is under the lock. Whatever the child sends is
// taken only where the order of isolation/frames.hpp expects it: the rest ends it.
class Core final : public std::enable_shared_from_this<Core> {
 public:
  Core(IsolatedOptions options, PluginHost::Parts parts, const std::shared_ptr<InstanceEvents>& events)
      : options_(std::move(options)), parts_(parts), events_(events) {}

  Result<> make() {
    PICKET_LET(sockets, wire::socket_pair());
    wire::BridgeOptions bridge;
    bridge.is_active = false;
    bridge.on_other_frame = [self = weak_from_this()](const Frame& frame) {
      if (const auto core = self.lock()) core->take(frame);
    };
    bridge.on_closed = [self = weak_from_this()](const Error& why) {
      if (const auto core = self.lock()) core->closed(why);
    };
    auto peer = peer_options(options_.manifest, options_.standing);
    peer.stands_by = options_.stands_by;
    PICKET_LET(made, wire::Bridge::make(parts_.router, std::move(peer), parts_.io, std::move(sockets.first), std::move(bridge)));
    bridge_ = std::move(made);
    PICKET_LET(child, runtime::ChildProcess::start(parts_.io, child_options(sockets.second.get())));
    const std::lock_guard lock(mutex_);
    child_ = std::move(child);
    return {};
  }

  // No callback runs after this. The supervisor's thread.
  void end() {
    {
      const std::lock_guard lock(mutex_);
      phase_ = Phase::ended;
    }
    if (const auto timer = ping_timer_.exchange(0); timer != 0) parts_.timers.cancel(timer);
    bridge_.reset();
    child_.reset();
  }

  void start(const Settings& settings) {
    isolation::Setup setup;
    const auto& manifest = options_.manifest;
    setup.id = manifest.id;
    setup.extensions = known_extensions();
    for (const auto& published : manifest.topics.publishes) setup.publishes.push_back(published.topic);
    setup.subscribes = manifest.topics.subscribes;
    setup.answers = manifest.topics.answers;
    setup.asks = manifest.topics.asks;
    setup.callback_ms = manifest.limits.callback_ms;
    setup.memory_mb = manifest.limits.memory_mb;
    setup.storage_dir = options_.storage_dir.native();
    setup.storage_bytes = std::uint64_t{manifest.limits.storage_mb} << 20;
    {
      const std::lock_guard lock(mutex_);
      settings_ = settings;
      phase_ = Phase::loading;
    }
    const auto text = setup.to_json();
    if (text.size() > bus::kMaxPayload || settings.json.size() > bus::kMaxPayload)
      return ended({Code::too_large, cat("its ", text.size() > bus::kMaxPayload ? "lists of topics" : "settings", " are larger than ", std::to_string(bus::kMaxPayload), " bytes")}, true);
    send(isolation::kSetup, isolation::kProtocol, text);
  }

  void apply(const Settings& settings) {
    if (settings.json.size() > bus::kMaxPayload) return tell([&](InstanceEvents& e) { e.on_applied(settings.revision, fail(Code::too_large, "settings are too large")); });
    ++applies_;
    send(isolation::kApply, settings.revision, settings.json);
  }

  void stop(milliseconds deadline) {
    {
      const std::lock_guard lock(mutex_);
      if (phase_ != Phase::starting && phase_ != Phase::running) {
        phase_ = Phase::ended;  // no instance yet, or none any more
        return tell([](InstanceEvents& e) { e.on_stopped({}); });
      }
      phase_ = Phase::stopping;
    }
    send(isolation::kStop, static_cast<std::uint64_t>(deadline.count()), {});
  }

  [[nodiscard]] bool can_apply() const { return can_apply_.load(); }
  [[nodiscard]] int pid() const { return child_ != nullptr ? child_->pid() : 0; }
  [[nodiscard]] bus::PeerCounters counters() const { return bridge_->peer().counters(); }
  [[nodiscard]] bus::Peer& peer() { return bridge_->peer(); }

 private:
  enum class Phase { made, loading, starting, running, stopping, stopped, ended };

  runtime::ChildOptions child_options(int socket) {
    runtime::ChildOptions child;
    child.argv = {options_.program.native(), "--serve", "--socket", std::to_string(socket_in_child), "--library", std::to_string(library_in_child)};
    child.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
    child.fds = {{socket, socket_in_child}, {options_.library, library_in_child}};
    child.name = options_.manifest.id;
    child.on_line = [self = weak_from_this()](bool is_stderr, std::string_view line) {
      const auto core = self.lock();
      if (core == nullptr) return;
      // What the child says last on standard error is often why it ends.
      if (is_stderr && !line.empty()) core->last_line_ = plain_line(line, 300);
      core->tell([&](InstanceEvents& e) { e.on_log(is_stderr ? PICKET_LOG_WARNING : PICKET_LOG_INFO, clean_line(line)); });
    };
    child.on_exit = [self = weak_from_this()](const runtime::ExitStatus& status) {
      if (const auto core = self.lock()) core->exited(status);
    };
    return child;
  }

  void send(isolation::Type type, std::uint64_t number, std::string_view payload) {
    Frame frame;
    frame.type = type;
    frame.number = number;
    frame.payload = payload;
    static_cast<void>(bridge_->send(frame));  // when it cannot be sent, the connection is closing: closed() follows
  }

  template <class Tell>
  void tell(Tell&& tell) {
    if (const auto events = events_.lock()) tell(*events);
  }

  // ---- on the loop ----

  void take(const Frame& frame) {
    const auto phase = [this] {
      const std::lock_guard lock(mutex_);
      return phase_;
    }();
    if (phase == Phase::ended) return;
    if (frame.type == isolation::kLog) return tell([&](InstanceEvents& e) { e.on_log(frame.status, clean_line(frame.payload)); });
    if (frame.type == isolation::kReady && phase == Phase::loading) return ready(frame);
    if (frame.type == isolation::kStarted && (phase == Phase::starting || phase == Phase::stopping)) return started(frame, phase);
    if (frame.type == isolation::kStopped && phase == Phase::stopping) return stopped(frame);
    if (frame.type == isolation::kApplied && applies_ > 0) {
      --applies_;
      return tell([&](InstanceEvents& e) { e.on_applied(frame.number, result_of(frame)); });
    }
    if (frame.type == isolation::kPong) {
      if (frame.number == ping_.load()) is_ping_open_.store(false);
      return;
    }
    const bool is_health = frame.status >= PICKET_HEALTH_HEALTHY && frame.status <= PICKET_HEALTH_FAILED;
    if (frame.type == isolation::kObserved && is_health && phase != Phase::loading)
      return tell([&](InstanceEvents& e) { e.on_observed(frame.number, static_cast<Health>(frame.status), clean_line(frame.payload)); });
    if (frame.type == isolation::kHealth && is_health && phase != Phase::loading)
      return tell([&](InstanceEvents& e) { e.on_health(static_cast<Health>(frame.status), clean_line(frame.payload)); });
    if (frame.type == isolation::kOverrun && phase != Phase::loading) {
      if (!std::exchange(has_overrun_, true))
        tell([&](InstanceEvents& e) { e.on_overrun(clean_line(frame.text), milliseconds(std::min<std::uint64_t>(frame.number, 86'400'000))); });
      return;
    }
    bridge_->close({Code::invalid, "it said something that is not expected now"});
  }

  static Result<> result_of(const Frame& frame) {
    if (frame.status == bus::kOk) return {};
    const auto text = clean_line(frame.payload);
    return fail(bus::code_of(frame.status), text.empty() ? status_text(frame.status) : text);
  }

  void ready(const Frame& frame) {
    if (auto made = result_of(frame); !made) return ended(std::move(made).error(), true);
    can_apply_.store(frame.number == 1);
    Settings settings;
    {
      const std::lock_guard lock(mutex_);
      if (phase_ != Phase::loading) return;
      phase_ = Phase::starting;
      settings = settings_;
    }
    bridge_->set_active(true);  // it subscribes within start
    send(isolation::kStart, settings.revision, settings.json);
  }

  void started(const Frame& frame, Phase phase) {
    if (phase == Phase::stopping) return;  // asked to stop meanwhile
    auto result = result_of(frame);
    {
      const std::lock_guard lock(mutex_);
      if (phase_ != Phase::starting) return;
      if (result) phase_ = Phase::running;
      // Under the lock, so that end() finds it.
      if (result) ping_timer_ = parts_.timers.start(options_.ping_period, options_.ping_period, [self = weak_from_this()] {
        if (const auto core = self.lock()) core->ping();
      });
    }
    tell([&](InstanceEvents& e) { e.on_started(std::move(result)); });
  }

  void stopped(const Frame& frame) {
    {
      const std::lock_guard lock(mutex_);
      phase_ = Phase::stopped;
    }
    bridge_->set_active(false);
    tell([&](InstanceEvents& e) { e.on_stopped(result_of(frame)); });
  }

  // The reason is best known from how the process ended; a connection that broke without that is a reason of its own.
  void closed(const Error& why) {
    if (why.code != Code::unavailable && why.code != Code::cancelled) broke_off_ = why.message;
    const std::lock_guard lock(mutex_);
    if (child_ != nullptr) child_->kill();
  }

  void exited(const runtime::ExitStatus& status) {
    Phase phase;
    {
      const std::lock_guard lock(mutex_);
      phase = phase_;
    }
    auto text = broke_off_.empty() ? cat(phase == Phase::loading ? "ended while it was loaded: " : "ended: ", status.text())
                                   : cat("its connection was closed: ", broke_off_);
    if (broke_off_.empty() && !last_line_.empty()) text += cat(" (", last_line_, ")");
    ended({Code::unavailable, std::move(text)}, phase == Phase::loading);
  }

  void ended(Error why, bool refused) {
    {
      const std::lock_guard lock(mutex_);
      if (phase_ == Phase::ended) return;
      phase_ = Phase::ended;
    }
    tell([&](InstanceEvents& e) { e.on_ended(std::move(why), refused); });
  }

  // ---- on the timers' thread ----

  void ping() {
    // PONG comes after the calls before it: a call of a whole period is a hang, whatever the child's own watch says of it.
    if (is_ping_open_.exchange(true))
      return ended({Code::timeout, cat("does not answer: no sign of life for ", std::to_string(options_.ping_period.count()), " ms")}, false);
    send(isolation::kPing, ++ping_, {});
  }

  const IsolatedOptions options_;
  const PluginHost::Parts parts_;
  const std::weak_ptr<InstanceEvents> events_;
  std::mutex mutex_;
  Phase phase_ = Phase::made;
  Settings settings_;
  std::atomic<bool> can_apply_{false}, is_ping_open_{false};
  std::atomic<std::uint64_t> ping_{0};
  std::atomic<int> applies_{0};
  std::atomic<runtime::Timers::Id> ping_timer_{0};
  bool has_overrun_ = false;           // the loop's, as the next two
  std::string last_line_, broke_off_;
  std::unique_ptr<wire::Bridge> bridge_;
  std::unique_ptr<runtime::ChildProcess> child_;
};

class Isolated final : public Instance {
 public:
  explicit Isolated(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  ~Isolated() override { core_->end(); }
  void start(const Settings& settings) override { core_->start(settings); }
  void apply(const Settings& settings) override { core_->apply(settings); }
  void stop(milliseconds deadline) override { core_->stop(deadline); }
  [[nodiscard]] Result<> take_over() override { return core_->peer().take_over(); }
  [[nodiscard]] bool leave_if_idle() override { return core_->peer().leave_if_idle(); }
  void narrow(const bus::AllowList& allow) override { core_->peer().narrow(allow); }
  [[nodiscard]] bool can_apply() const override { return core_->can_apply(); }
  [[nodiscard]] int pid() const override { return core_->pid(); }
  [[nodiscard]] bus::PeerCounters counters() const override { return core_->counters(); }
  [[nodiscard]] const char* stuck_in() const override { return nullptr; }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

Result<std::unique_ptr<Instance>> make_isolated(IsolatedOptions options, PluginHost::Parts parts, std::shared_ptr<InstanceEvents> events) {
  auto core = std::make_shared<Core>(std::move(options), parts, events);
  if (auto made = core->make(); !made) {
    core->end();
    return fail(std::move(made).error());
  }
  return std::make_unique<Isolated>(std::move(core));
}

}  // namespace picket::plugin_host
