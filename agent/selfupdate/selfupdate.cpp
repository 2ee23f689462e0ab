#include "selfupdate/selfupdate.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

#include <picket/component/v1/component.pb.h>
#include <picket/update/v1/report.pb.h>

#include "bus/caller.hpp"
#include "core/cancel.hpp"
#include "runtime/timers.hpp"
#include "runtime/worker.hpp"
#include "selfupdate/plugin_sets.hpp"
#include "selfupdate/slots.hpp"

namespace picket::selfupdate {
namespace {

namespace v1 = component::v1;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kActivate = "picket.component.activate", kActive = "picket.component.active", kEngine = "picket.update.status";
constexpr milliseconds kMargin{1500};      // an answer comes before the asker's deadline
constexpr milliseconds kLoadLimit{30'000}, kLookAgain{200};
constexpr unsigned kIdleLooks = 2;

class Self final : public SelfUpdate, private bus::Handler {
 public:
  Self(Options options, Parts parts) : options_(std::move(options)), parts_(std::move(parts)), worker_("self"), later_("self.later") {}
  ~Self() override { stop(); }

  Result<> open() {
    std::string problem;
    auto choices = Choices::open(options_.state_dir / "plugins", problem);
    if (!problem.empty()) parts_.log(true, problem);
    sets_ = std::make_unique<PluginSets>(parts_.plugins, std::move(choices), [this](const std::string& id, const auto& wanted) { prime(id, wanted); },
                                         [this](const std::string& id) { return primed(id); }, parts_.log);
    sets_->tell_host();
    if (parts_.link) slots_ = std::make_unique<AgentSlots>(*parts_.link, parts_.io, options_.keys, options_.version);
    bus::PeerOptions asking;
    asking.name = cat(kPeer, ".asks");
    asking.allow.asks = {std::string(kEngine)};
    PICKET_LET(caller, bus::Caller::attach(parts_.router, std::move(asking)));
    caller_ = std::move(caller);
    bus::PeerOptions me;
    me.name = kPeer;
    me.allow.answers = {std::string(kActivate)};
    me.allow.asks = {std::string(kActivate)};
    me.allow.subscribes = {std::string(kActive)};
    me.starts_paused = true;
    PICKET_LET(peer, parts_.router.attach(std::move(me), *this));
    peer_ = std::move(peer);
    if (const auto status = peer_->subscribe(kActive); status != bus::kOk) return fail(Code::internal, cat("subscribe to ", kActive));
    peer_->resume();
    return {};
  }

  void started() override {
    if (!parts_.link) return parts_.settled();
    if (auto said = parts_.link->say_ready(); !said) parts_.log(true, said.error().message);
    const auto state = parts_.link->state();
    if (state && !state->trial) return parts_.settled();
    look_ = parts_.timers.start(std::max(parts_.link->settle(), milliseconds(1)), milliseconds(1000), [this] { settle(); });
  }

  void stop() override {
    if (is_stopped_.exchange(true)) return;
    shutdown_.cancel();
    if (look_ != 0) parts_.timers.cancel(look_);
    {
      // What is being started beside others is ended; again, because it may just have been begun.
      std::unique_lock lock(mutex_);
      do {
        changed_.notify_all();
        lock.unlock();
        if (sets_) sets_->stop();
        lock.lock();
      } while (!changed_.wait_for(lock, kLookAgain, [this] { return at_work_ == 0; }));
    }
    worker_.stop();
    later_.stop();
    peer_.reset();
    caller_.reset();
  }

  std::vector<plugin_host::Demand> demands() const override {
    std::vector<plugin_host::Demand> out;
    for (const auto& component : options_.plugin_components) out.push_back({component, "agent", std::string(kPeer), true, true});
    if (parts_.link && !options_.agent_component.empty()) out.push_back({options_.agent_component, "agent", std::string(kPeer), true, true});
    return out;
  }

  Shown shown() const override {
    if (!parts_.link) return {};
    const auto here = parts_.link->slot();
    Shown out{std::string(to_string(here)), shown_name(here), false};
    const auto state = parts_.link->state();
    if (!state) {
      out.text += cat("; ", state.error().message);
      return out;
    }
    if (here != launcher::Slot::package) out.text += cat(" (", state->of(here).set, "), ", state->trial ? "on trial" : "confirmed");
    if (const auto& now = state->probation; now && now->crashes > 0 && !state->trial) out.text += cat(", crashed ", std::to_string(now->crashes), now->crashes == 1 ? " time" : " times", " since");
    if (const auto& back = state->taken_back) {
      out.is_taken_back = true;
      out.text += cat("; picketd ", back->version, " (", back->set, ") was taken back from ", shown_name(back->slot), ": ", back->why);
    }
    return out;
  }

 private:
  static std::string shown_name(launcher::Slot slot) { return launcher::shown(slot); }

  // Timers' thread. Well is what stays up, with plugins that run: else the launcher takes it back when the time has passed.
  void settle() {
    const auto plugins = parts_.plugins.list();
    const auto is_up = [](const auto& status) { return status.state == plugin_host::State::running || status.state == plugin_host::State::stopped; };
    if (!plugins.empty() && std::ranges::none_of(plugins, is_up)) {
      if (!std::exchange(has_complained_, true)) parts_.log(true, "no plugin runs: this picketd is not confirmed");
      return;
    }
    if (!is_well_said_.exchange(true)) {
      if (auto said = parts_.link->say_well(); !said) parts_.log(true, said.error().message);
    }
    parts_.timers.cancel(look_);
    parts_.settled();
  }

  // ---- bus::Handler, on the peer's strand ----

  void on_message(const bus::MessagePtr& message) override {
    v1::ActiveSet set;
    if (!set.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size()))) return;
    bool is_gone = false;
    {
      const std::lock_guard lock(mutex_);
      auto& known = active_[set.component()];
      is_gone = set.release() == 0 && known.release() != 0;
      known = set;
    }
    // Nothing of it is in force any more, and nobody is asked about that.
    if (is_gone && is_of_plugins(set.component()))
      worker_.post([this, component = set.component()] {
        const AtWork work(*this);
        if (auto done = sets_->activate(component, {}, steady_clock::now() + std::chrono::minutes(10)); !done) parts_.log(true, cat(component, ": ", done.error().message));
      });
  }

  void on_request(bus::RequestId id, const bus::MessagePtr& message) override {
    v1::ActivateRequest question;
    if (!question.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size())))
      return static_cast<void>(peer_->respond(id, bus::status_of(Code::invalid), "", "not an ActivateRequest"));
    const auto until = steady_clock::now() + milliseconds(message->deadline_ms()) - kMargin;
    worker_.post([this, id, question = std::move(question), until] { activate(id, question.set(), until); });
  }

  // ---- the worker's thread ----

  [[nodiscard]] bool is_of_plugins(std::string_view component) const { return std::ranges::find(options_.plugin_components, component) != options_.plugin_components.end(); }

  struct AtWork {
    explicit AtWork(Self& of) : self(of) {
      const std::lock_guard lock(self.mutex_);
      ++self.at_work_;
    }
    AtWork(const AtWork&) = delete;
    AtWork& operator=(const AtWork&) = delete;
    ~AtWork() {
      const std::lock_guard lock(self.mutex_);
      --self.at_work_;
      self.changed_.notify_all();
    }
    Self& self;
  };

  void activate(bus::RequestId id, const v1::ActiveSet& set, steady_clock::time_point until) {
    const AtWork work(*this);
    if (set.component() == options_.agent_component) ++wishes_;  // what was wished before is not wished any more
    auto answer = [&]() -> Result<AgentAnswer> {
      if (is_of_plugins(set.component())) {
        PICKET_LET(text, sets_->activate(set.component(), set.path(), until));
        return AgentAnswer{std::move(text)};
      }
      if (set.component() == options_.agent_component && slots_) return slots_->activate(set.path(), until, shutdown_.token());
      return fail(Code::unsupported, cat(set.component(), " is no component of the agent here"));
    }();
    if (!answer) {
      parts_.log(true, cat(set.component(), " release ", std::to_string(set.release()), ": ", answer.error().message));
      static_cast<void>(peer_->respond(id, bus::status_of(answer.error().code), "", answer.error().message));
      return;
    }
    parts_.log(false, cat(set.component(), " release ", std::to_string(set.release()), ": ", answer->text));
    v1::ActivateReply reply;
    reply.set_text(answer->text);
    reply.set_pending(answer->wish.has_value());
    static_cast<void>(peer_->respond(id, bus::kOk, "application/x-protobuf; messageType=picket.component.v1.ActivateReply", reply.SerializeAsString()));
    // Not here: the same run may bring plugins, which are put in force here.
    if (answer->wish) later_.post([this, wish = *answer->wish, number = wishes_.load()] { hand_over(wish, number); });
  }

  // The run that brought it ends first: who asked for it gets an answer, and the history its line.
  void hand_over(const Wish& wish, std::uint64_t number) {
    for (unsigned idle = 0; idle < kIdleLooks;) {
      if (wishes_ != number) return;
      {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, kLookAgain, [&] { return is_stopped_.load(); })) return;
      }
      auto asked = caller_->call({.topic = kEngine, .to = {}, .content_type = {}, .payload = {}, .timeout = milliseconds(5000)}, shutdown_.token());
      update::v1::StatusReply status;
      if (!asked || !status.ParseFromString(asked->payload)) continue;
      idle = status.state() == "running" ? 0 : idle + 1;
    }
    if (wishes_ != number) return;
    parts_.log(false, cat("picketd ", wish.version, " of ", shown_name(wish.slot), " is to take over"));
    if (auto said = parts_.link->say_try(wish.slot, wish.set, wish.version); !said) parts_.log(true, said.error().message);
  }

  // The databases that a plugin serves are handed to its new version before it takes over: without them it is not well. Supervisor's thread.
  void prime(const std::string& plugin, const std::vector<plugin_host::Demand>& demands) {
    const std::lock_guard lock(mutex_);
    auto& state = primes_[plugin];
    state = {};
    for (const auto& demand : demands) {
      const auto found = active_.find(demand.component);
      if (found == active_.end() || found->second.release() == 0) continue;
      v1::ActivateRequest question;
      *question.mutable_set() = found->second;
      const auto payload = question.SerializeAsString();
      const auto token = next_token_++;
      const auto status = peer_->request({.topic = kActivate, .to = bus::standby_address(plugin), .content_type = "application/x-protobuf; messageType=picket.component.v1.ActivateRequest",
                                          .payload = payload, .timeout = kLoadLimit}, token);
      if (status != bus::kOk) continue;  // it does not answer this: it looks at the state topic, or at nothing
      tokens_[token] = {plugin, demand.component};
      ++state.open;
    }
  }

  Result<> primed(const std::string& plugin) {
    std::unique_lock lock(mutex_);
    const auto known = primes_.find(plugin);
    if (known == primes_.end()) return {};
    changed_.wait_for(lock, kLoadLimit + kMargin, [&] { return known->second.open == 0 || is_stopped_.load(); });
    const auto state = std::move(known->second);
    primes_.erase(known);
    if (state.open != 0) return fail(Code::cancelled, "picketd is stopping");
    if (!state.refused.empty()) return fail(Code::conflict, cat(plugin, ": its new version could not load ", state.refused));
    return {};
  }

  void on_reply(bus::Token token, bus::Status status, const bus::MessagePtr& message) override {
    const std::lock_guard lock(mutex_);
    const auto found = tokens_.find(token);
    if (found == tokens_.end()) return;
    const auto [plugin, component] = std::move(found->second);
    tokens_.erase(found);
    const auto state = primes_.find(plugin);
    if (state == primes_.end() || state->second.open == 0) return;
    --state->second.open;
    if (status != bus::kOk) state->second.refused = cat(component, ": ", message ? message->payload() : std::string_view("no answer"));
    changed_.notify_all();
  }

  const Options options_;
  Parts parts_;
  std::unique_ptr<PluginSets> sets_;
  std::unique_ptr<AgentSlots> slots_;
  std::unique_ptr<bus::Caller> caller_;
  std::unique_ptr<bus::Peer> peer_;
  core::CancelSource shutdown_;
  std::atomic<bool> is_stopped_{false}, is_well_said_{false};
  bool has_complained_ = false;  // timers' thread
  runtime::Timers::Id look_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, v1::ActiveSet, std::less<>> active_;
  struct PrimeState {
    unsigned open = 0;
    std::string refused;
  };
  std::map<std::string, PrimeState> primes_;                              // plugin -> what it was handed
  std::map<bus::Token, std::pair<std::string, std::string>> tokens_;      // -> plugin, component
  bus::Token next_token_ = 1;
  unsigned at_work_ = 0;
  std::atomic<std::uint64_t> wishes_{0};
  runtime::Worker worker_, later_;
};

}  // namespace

Result<std::unique_ptr<SelfUpdate>> SelfUpdate::open(Options options, Parts parts) {
  auto self = std::make_unique<Self>(std::move(options), std::move(parts));
  PICKET_TRY(self->open());
  return self;
}

}  // namespace picket::selfupdate
