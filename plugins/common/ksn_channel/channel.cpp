#include "ksn_channel/channel.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "ksn_channel/exchange.hpp"

namespace ksn_channel {
namespace {

using picket::cat;
using picket::Code;
using Clock = std::chrono::steady_clock;
using curl_source::Easy;

constexpr std::size_t kMostOpen = 8192, kMostIdleHandles = 16, kMostResolverSets = 8;
constexpr std::chrono::hours kMostDeadline(1);

}  // namespace

class Channel::Loop {
 public:
  Loop() {
    ::curl_global_init(CURL_GLOBAL_DEFAULT);  // counted and thread-safe since 7.84
    multi_ = ::curl_multi_init();
    if (multi_ == nullptr) return;
    ::curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
    ::curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, 8L);
    ::curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 16L);
  }
  ~Loop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    if (multi_ != nullptr) ::curl_multi_wakeup(multi_);
    if (thread_.joinable()) thread_.join();
    idle_.clear();
    if (multi_ != nullptr) ::curl_multi_cleanup(multi_);
    ::curl_global_cleanup();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  [[nodiscard]] picket::Result<> begin() {
    if (multi_ == nullptr) return picket::fail(Code::internal, "libcurl cannot be started");
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::exception& e) {
      return picket::fail(Code::internal, cat("no thread for KSN's channel: ", e.what()));
    }
    return {};
  }

  std::uint64_t post(Exchange::Order order) {
    std::uint64_t id = 0;
    {
      const std::lock_guard lock(mutex_);
      id = order.id = next_id_++;
      waiting_.push_back(std::move(order));
    }
    ::curl_multi_wakeup(multi_);
    return id;
  }
  void cancel(std::uint64_t id) {
    {
      const std::lock_guard lock(mutex_);
      cancelled_.insert(id);
    }
    ::curl_multi_wakeup(multi_);
  }

 private:
  using Open = std::map<std::uint64_t, std::unique_ptr<Exchange>>;

  // False: the end.
  bool take(std::deque<Exchange::Order>& fresh, std::set<std::uint64_t>& cancelled) {
    const std::lock_guard lock(mutex_);
    fresh.swap(waiting_);
    cancelled.swap(cancelled_);
    return !stopping_;
  }

  void open(Exchange::Order order) {
    auto exchange = std::make_unique<Exchange>(std::move(order));
    if (open_.size() >= kMostOpen) return exchange->finish({Code::busy, "too many messages to KSN wait already"});
    Easy easy;
    if (!idle_.empty()) {
      easy = std::move(idle_.back());
      idle_.pop_back();
    }
    auto& resolver = resolver_of(exchange->resolvers());
    if (auto ready = exchange->prepare(std::move(easy), resolver); !ready) return exchange->finish(std::move(ready).error());
    ::curl_multi_add_handle(multi_, exchange->easy());
    open_.emplace(exchange->id(), std::move(exchange));
  }

  curl_source::Resolver& resolver_of(const std::vector<std::string>& servers) {
    auto& resolver = resolvers_[servers];
    if (!resolver) resolver = std::make_unique<curl_source::Resolver>(servers);
    return *resolver;
  }
  // Settings change: sets of resolvers that nobody uses any more go when there are many.
  void forget_resolvers() {
    if (resolvers_.size() > kMostResolverSets && open_.empty()) resolvers_.clear();
  }

  // Takes it out; the caller finishes it.
  std::unique_ptr<Exchange> close(std::uint64_t id) {
    const auto found = open_.find(id);
    if (found == open_.end()) return nullptr;
    auto exchange = std::move(found->second);
    open_.erase(found);
    if (!exchange->is_looking_up()) ::curl_multi_remove_handle(multi_, exchange->easy());
    return exchange;
  }
  void keep_handle(Exchange& exchange) {
    if (idle_.size() >= kMostIdleHandles) return;
    auto easy = exchange.give_back();
    if (!easy) return;
    ::curl_easy_reset(easy.get());
    idle_.push_back(std::move(easy));
  }

  void collect() {
    int left = 0;
    while (const CURLMsg* message = ::curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      Exchange* exchange = nullptr;
      ::curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
      ::curl_multi_remove_handle(multi_, exchange->easy());
      if (exchange->ended(code)) finish(exchange->id());
    }
  }
  void finish(std::uint64_t id) {
    const auto exchange = close(id);
    if (!exchange) return;
    exchange->finish();
    keep_handle(*exchange);
  }

  void run() {
    std::deque<Exchange::Order> fresh;
    std::set<std::uint64_t> cancelled;
    while (true) {
      const bool go_on = take(fresh, cancelled);
      for (auto& order : fresh) open(std::move(order));
      fresh.clear();
      for (const auto id : cancelled)
        if (const auto exchange = close(id)) exchange->finish({Code::cancelled, "cancelled"});
      cancelled.clear();
      if (!go_on) break;
      int active = 0;
      ::curl_multi_perform(multi_, &active);
      collect();
      for (const auto& [servers, resolver] : resolvers_) resolver->process();
      const auto next = look_after(Clock::now());
      auto wait = std::max(std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()), std::chrono::milliseconds(0));
      std::vector<curl_waitfd> sockets;
      for (const auto& [servers, resolver] : resolvers_) {
        wait = resolver->wait_at_most(wait);
        resolver->add_to(sockets);
      }
      forget_resolvers();
      ::curl_multi_poll(multi_, sockets.data(), static_cast<unsigned>(sockets.size()), static_cast<int>(std::min<long long>(wait.count(), 600'000)), nullptr);
    }
    while (!open_.empty())
      if (const auto exchange = close(open_.begin()->first)) exchange->finish({Code::cancelled, "stopping"});
    // What `done` posts meanwhile is answered too; whoever posts in answer to that would go on for ever, and is left to itself.
    for (int round = 0; round < 8; ++round) {
      (void)take(fresh, cancelled);
      for (auto& order : fresh) Exchange(std::move(order)).finish({Code::cancelled, "stopping"});
      fresh.clear();
    }
    resolvers_.clear();
  }

  // Look-ups that came back, and deadlines. When to look again.
  Clock::time_point look_after(Clock::time_point now) {
    auto next = now + std::chrono::minutes(10);
    std::vector<std::uint64_t> over, late;
    for (const auto& [id, exchange] : open_) {
      if (exchange->is_looking_up()) {
        if (exchange->looked_up()) {
          ::curl_multi_add_handle(multi_, exchange->easy());
          next = now;
        } else if (exchange->has_answer()) {
          over.push_back(id);
          continue;
        }
      }
      if (now >= exchange->deadline()) late.push_back(id);
      next = std::min(next, exchange->deadline());
    }
    for (const auto id : over) finish(id);
    for (const auto id : late)
      if (const auto exchange = close(id)) exchange->finish({Code::timeout, cat(exchange->where(), ": no answer before the deadline")});
    return next;
  }

  CURLM* multi_ = nullptr;
  std::mutex mutex_;
  std::deque<Exchange::Order> waiting_;
  std::set<std::uint64_t> cancelled_;
  std::uint64_t next_id_ = 1;
  bool stopping_ = false;
  // The thread's own:
  Open open_;
  std::vector<Easy> idle_;
  std::map<std::vector<std::string>, std::unique_ptr<curl_source::Resolver>> resolvers_;
  std::thread thread_;
};

Channel::Channel(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Channel::~Channel() = default;

picket::Result<std::unique_ptr<Channel>> Channel::start() {
  auto loop = std::make_unique<Loop>();
  PICKET_TRY(loop->begin());
  return std::unique_ptr<Channel>(new Channel(std::move(loop)));
}

std::uint64_t Channel::post(const Road& road, std::string_view path, std::string body, std::chrono::milliseconds deadline, Done done) {
  const auto now = Clock::now();
  const auto until = now + std::clamp<std::chrono::milliseconds>(deadline, std::chrono::milliseconds(0), kMostDeadline);
  return loop_->post({0, road, std::string(path), std::move(body), now, until, std::move(done)});
}

void Channel::cancel(std::uint64_t id) { loop_->cancel(id); }

}  // namespace ksn_channel
