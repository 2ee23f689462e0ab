#include "bus/router_core.hpp"
#include "runtime/timers.hpp"

namespace picket::bus {
namespace {

class AttachedPeer final : public Peer {
 public:
  explicit AttachedPeer(std::shared_ptr<PeerCore> core) : core_(std::move(core)) {}
  AttachedPeer(const AttachedPeer&) = delete;
  AttachedPeer& operator=(const AttachedPeer&) = delete;
  ~AttachedPeer() override { (void)core_->detach(std::chrono::milliseconds::max()); }

  [[nodiscard]] Status publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload) override {
    return core_->publish(topic, key, content_type, payload);
  }
  [[nodiscard]] Status subscribe(std::string_view filter) override { return core_->subscribe(filter); }
  Status unsubscribe(std::string_view filter) override { return core_->unsubscribe(filter); }
  [[nodiscard]] Status request(const Request& request, Token token) override { return core_->request(request, token); }
  Status grant(Token token, std::uint64_t bytes) override { return core_->grant(token, bytes); }
  Status cancel(Token token) override { return core_->cancel(token); }
  Status respond(RequestId id, Status status, std::string_view content_type, std::string_view payload) override {
    return core_->respond(id, status, content_type, payload);
  }
  [[nodiscard]] Status stream_write(RequestId id, std::string_view chunk) override { return core_->stream_write(id, chunk); }
  [[nodiscard]] std::uint64_t credit(RequestId id) const override { return core_->credit(id); }
  [[nodiscard]] PeerCounters counters() const override { return core_->counters(); }
  [[nodiscard]] const std::string& name() const override { return core_->name(); }
  [[nodiscard]] std::vector<std::string> answerers(std::string_view topic) const override { return core_->answerers(topic); }
  void narrow(const AllowList& allow) override { core_->narrow(allow); }
  void pause() override { core_->pause(); }
  void resume() override { core_->resume(); }
  void count_loss(std::uint64_t count) override { core_->count_loss(count); }
  [[nodiscard]] bool detach(std::chrono::milliseconds limit) override { return core_->detach(limit); }
  [[nodiscard]] Result<> take_over() override { return core_->take_over(); }
  [[nodiscard]] bool leave_if_idle() override { return core_->leave_if_idle(); }

 private:
  std::shared_ptr<PeerCore> core_;
};

class CoreRouter final : public Router {
 public:
  CoreRouter(runtime::Executor& executor, runtime::Timers* timers)
      : own_timers_(timers == nullptr ? runtime::Timers::make() : nullptr),
        core_(std::make_shared<RouterCore>(executor, timers == nullptr ? *own_timers_ : *timers)) {}
  CoreRouter(const CoreRouter&) = delete;
  CoreRouter& operator=(const CoreRouter&) = delete;
  // A peer that is left over may still refer to the core, but no longer to the timers.
  ~CoreRouter() override { core_->deadlines().stop(); }

  [[nodiscard]] Result<std::unique_ptr<Peer>> attach(PeerOptions options, Handler& handler) override {
    PICKET_LET(peer, core_->attach(std::move(options), handler));
    return std::make_unique<AttachedPeer>(std::move(peer));
  }
  void withdraw(std::string_view topic, std::string_view publisher) override {
    if (auto* found = core_->find_topic(topic)) core_->withdraw(*found, publisher);
  }
  void forget(std::string_view topic, std::string_view key) override { core_->forget(topic, key); }
  void set_tap(Tap tap) override { core_->set_tap(std::move(tap)); }
  [[nodiscard]] std::vector<TopicInfo> topics() const override { return core_->topics(); }

 private:
  std::unique_ptr<runtime::Timers> own_timers_;
  std::shared_ptr<RouterCore> core_;
};

}  // namespace

std::unique_ptr<Router> Router::make(runtime::Executor& executor, runtime::Timers* timers) { return std::make_unique<CoreRouter>(executor, timers); }

}  // namespace picket::bus
