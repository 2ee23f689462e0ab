#include "plugin_host/in_process.hpp"

#include <atomic>
#include <utility>

#include "bus/message.hpp"
#include "plugin_host/call_watch.hpp"
#include "plugin_host/host_tables.hpp"
#include "plugin_host/immortal.hpp"
#include "plugin_host/local_calls.hpp"
#include "plugin_host/plugin_calls.hpp"
#include "runtime/executor.hpp"

namespace picket::plugin_host {

namespace {

// Shared by the instance and its tasks on the strand. Life-cycle calls and the peer's bus calls run on one strand: that is the plugin thread.
class Core final : public bus::Handler, public std::enable_shared_from_this<Core> {
 public:
  Core(InProcessOptions options, PluginHost::Parts parts, const std::shared_ptr<InstanceEvents>& events)
      : id_(options.manifest.id),
        entry_(options.entry),
        events_(events),
        strand_(parts.executor.make_strand(id_)),
        watch_(parts.timers, std::chrono::milliseconds(options.manifest.limits.callback_ms),
               [events = std::weak_ptr(events)](const char* what, std::chrono::milliseconds so_far) {
                 if (const auto to = events.lock()) to->on_overrun(what, so_far);
               }),
        storage_bytes_(std::uint64_t{options.manifest.limits.storage_mb} << 20),
        storage_dir_(std::move(options.storage_dir)),
        timers_(parts.timers) {}

  // After construction, because the tasks need a weak pointer to this.
  Result<> attach(bus::Router& router, bus::PeerOptions options) {
    calls_ = std::make_shared<LocalCalls>(timers_, storage_dir_, storage_bytes_, events_, [self = weak_from_this()](std::uint64_t id) {
      const auto core = self.lock();
      if (core != nullptr) core->strand_->post([core, id] { core->run_timer(id); });
    });
    tables_ = std::make_shared<HostTables>(calls_, known_extensions());
    options.strand = strand_;
    PICKET_LET(peer, router.attach(std::move(options), *this));
    peer_ = std::move(peer);
    calls_->use(*peer_);
    return {};
  }

  void post_start(const Settings& settings) {
    strand_->post([self = shared_from_this(), settings] { self->start(settings); });
  }
  void post_apply(const Settings& settings) {
    strand_->post([self = shared_from_this(), settings] { self->apply(settings); });
  }
  void post_stop(std::chrono::milliseconds deadline) {
    strand_->post([self = shared_from_this(), deadline] { self->stop(deadline); });
  }

  // The supervisor's last word. A plugin that hangs keeps all of this for ever.
  void abandon(std::chrono::milliseconds patience) {
    is_abandoned_.store(true);
    if (peer_->detach(patience) && !has_plugin_.load()) return;
    keep_forever(shared_from_this());
  }

  [[nodiscard]] bool can_apply() const { return can_apply_.load(); }
  [[nodiscard]] bus::PeerCounters counters() const { return peer_->counters(); }
  [[nodiscard]] bus::Peer& peer() { return *peer_; }
  [[nodiscard]] const char* running() const {
    const char* hook = watch_.running();
    return hook != nullptr ? hook : life_call_.load();
  }

  void on_message(const bus::MessagePtr& m) override {
    with_plugin([&](PluginCalls& p) { p.on_message(incoming(*m)); });
  }
  void on_request(bus::RequestId id, const bus::MessagePtr& m) override {
    with_plugin([&](PluginCalls& p) { p.on_request(id, incoming(*m)); });
  }
  void on_stream(bus::Token token, const bus::MessagePtr& m) override {
    with_plugin([&](PluginCalls& p) { p.on_stream(token, m->payload()); });
  }
  void on_reply(bus::Token token, bus::Status status, const bus::MessagePtr& m) override {
    with_plugin([&](PluginCalls& p) { p.on_reply(token, status, incoming(*m)); });
  }
  void on_credit(bus::RequestId id, std::uint64_t bytes) override {
    with_plugin([&](PluginCalls& p) { p.on_credit(id, bytes); });
  }
  void on_cancel(bus::RequestId id) override {
    with_plugin([&](PluginCalls& p) { p.on_cancel(id); });
  }
  void on_loss(std::string_view topic, std::uint64_t count) override {
    with_plugin([&](PluginCalls& p) { p.on_loss(topic, count); });
  }

 private:
  static Incoming incoming(const bus::Message& m) { return {m.topic(), m.key(), m.content_type(), m.sender(), m.payload(), m.deadline_ms()}; }

  template <class Call>
  void with_plugin(Call&& call) {
    if (plugin_ != nullptr && plugin_->is_started()) call(*plugin_);
  }

  void run_timer(std::uint64_t id) {
    with_plugin([&](PluginCalls& p) {
      if (calls_->take_timer(id)) p.on_timer(id);
    });
  }

  template <class Tell>
  void tell(Tell&& tell) {
    const auto events = events_.lock();
    if (events != nullptr && !is_abandoned_.load()) tell(*events);
  }

  void start(const Settings& settings) {
    has_plugin_.store(true);  // before the next look: abandon() does the two the other way round
    if (is_abandoned_.load()) return;
    life_call_.store("create");
    if (plugin_ == nullptr) {
      auto made = PluginCalls::create(*entry_, id_, tables_, watch_);
      if (!made) {
        life_call_.store(nullptr);
        has_plugin_.store(false);
        return tell([&](InstanceEvents& events) { events.on_ended(std::move(made).error(), true); });
      }
      plugin_ = std::move(*made);
      can_apply_.store(plugin_->can_apply());
    }
    life_call_.store("start");
    auto started = plugin_->start(settings.json, settings.revision);
    life_call_.store(nullptr);
    tell([&](InstanceEvents& events) { events.on_started(std::move(started)); });
  }

  void apply(const Settings& settings) {
    if (is_abandoned_.load() || plugin_ == nullptr) return;
    auto applied = plugin_->apply(settings.json, settings.revision);
    tell([&](InstanceEvents& events) { events.on_applied(settings.revision, std::move(applied)); });
  }

  void stop(std::chrono::milliseconds deadline) {
    if (is_abandoned_.load()) return;
    Result<> stopped;
    if (plugin_ != nullptr) {
      life_call_.store("stop");
      stopped = plugin_->stop(deadline);
      calls_->let_go();
      life_call_.store("destroy");
      plugin_->destroy();
      plugin_.reset();
      life_call_.store(nullptr);
      has_plugin_.store(false);
    }
    tell([&](InstanceEvents& events) { events.on_stopped(std::move(stopped)); });
  }

  const std::string id_;
  const picket_entry* const entry_;
  const std::weak_ptr<InstanceEvents> events_;
  const std::shared_ptr<runtime::Strand> strand_;
  CallWatch watch_;
  const std::uint64_t storage_bytes_;
  const std::filesystem::path storage_dir_;
  runtime::Timers& timers_;
  std::shared_ptr<LocalCalls> calls_;
  std::shared_ptr<HostTables> tables_;
  std::unique_ptr<PluginCalls> plugin_;
  std::unique_ptr<bus::Peer> peer_;  // detaches before the plugin's tables go
  std::atomic<bool> can_apply_{false}, is_abandoned_{false}, has_plugin_{false};
  std::atomic<const char*> life_call_{nullptr};
};

class InProcess final : public Instance {
 public:
  explicit InProcess(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  ~InProcess() override { core_->abandon(std::chrono::milliseconds(200)); }
  void start(const Settings& settings) override { core_->post_start(settings); }
  void apply(const Settings& settings) override { core_->post_apply(settings); }
  void stop(std::chrono::milliseconds deadline) override { core_->post_stop(deadline); }
  [[nodiscard]] Result<> take_over() override { return core_->peer().take_over(); }
  [[nodiscard]] bool leave_if_idle() override { return core_->peer().leave_if_idle(); }
  void narrow(const bus::AllowList& allow) override { core_->peer().narrow(allow); }
  [[nodiscard]] bool can_apply() const override { return core_->can_apply(); }
  [[nodiscard]] int pid() const override { return 0; }
  [[nodiscard]] bus::PeerCounters counters() const override { return core_->counters(); }
  [[nodiscard]] const char* stuck_in() const override { return core_->running(); }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

bus::PeerOptions peer_options(const package::Manifest& manifest, Standing standing) {
  bus::PeerOptions out;
  out.name = manifest.id;
  out.standing = standing;
  for (const auto& published : manifest.topics.publishes)
    out.allow.publishes.push_back({published.topic, published.kind == package::TopicKind::state ? bus::Kind::state : bus::Kind::event});
  out.allow.subscribes = manifest.topics.subscribes;
  out.allow.answers = manifest.topics.answers;
  out.allow.asks = manifest.topics.asks;
  out.queue = {manifest.limits.queue_messages, manifest.limits.queue_bytes};
  return out;
}

Result<std::unique_ptr<Instance>> make_in_process(InProcessOptions options, PluginHost::Parts parts, std::shared_ptr<InstanceEvents> events) {
  auto wanted = peer_options(options.manifest, options.standing);
  auto core = std::make_shared<Core>(std::move(options), parts, events);
  PICKET_TRY(core->attach(parts.router, std::move(wanted)));
  return std::make_unique<InProcess>(std::move(core));
}

}  // namespace picket::plugin_host
