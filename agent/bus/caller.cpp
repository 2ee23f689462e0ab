#include "bus/caller.hpp"

#include <condition_variable>
#include <mutex>
#include <unordered_map>

#include "base/listed.hpp"
#include "bus/waiting.hpp"

namespace picket::bus {
namespace {

// The router answers every request by its deadline; beyond that it has ended, or is stuck.
constexpr std::chrono::seconds kGrace{5};

struct Waiter {
  Waiter(std::uint64_t window, bool is_stream) : arrivals(window, is_stream) {}
  std::mutex mutex;
  std::condition_variable changed;
  Arrivals arrivals;
};

// Shared by the caller and its streams, any of which may go first.
class Desk final : public Handler {
 public:
  Desk() = default;
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;
  ~Desk() override { peer.reset(); }  // before what its calls use

  void on_stream(Token token, const MessagePtr& chunk) override {
    if (const auto waiter = find(token)) {
      const std::scoped_lock lock(waiter->mutex);
      waiter->arrivals.add_chunk(chunk);
      waiter->changed.notify_all();
    }
  }
  void on_reply(Token token, Status status, const MessagePtr& message) override {
    if (const auto waiter = find(token)) {
      const std::scoped_lock lock(waiter->mutex);
      waiter->arrivals.end(status, message->content_type(), message->payload());
      waiter->changed.notify_all();
    }
    remove(token);
  }

  [[nodiscard]] Result<std::pair<Token, std::shared_ptr<Waiter>>> ask(const Request& request, bool is_stream) {
    auto waiter = std::make_shared<Waiter>(request.credit, is_stream);
    Token token = 0;
    {
      const std::scoped_lock lock(mutex_);
      token = ++last_token_;
      waiters_.emplace(token, waiter);
    }
    if (const auto status = peer->request(request, token); status != kOk) {
      remove(token);
      return fail(refusal(status, request));
    }
    return std::pair(token, std::move(waiter));
  }

  std::unique_ptr<Peer> peer;

 private:
  [[nodiscard]] Error refusal(Status status, const Request& request) const {
    const auto whom = request.to.empty() ? std::string("anybody") : std::string(request.to);
    switch (code_of(status)) {
      case Code::unavailable: return {Code::unavailable, request.to.empty() ? cat("nobody answers ", request.topic) : cat(request.to, " does not answer ", request.topic), true};
      case Code::denied: return {Code::denied, cat("not allowed to ask ", request.topic)};
      case Code::busy: return {Code::busy, cat("the queue of ", whom, " that answers ", request.topic, " is full")};
      case Code::conflict: return {Code::conflict, cat("several answer ", request.topic, " (", listed(peer->answerers(request.topic)), "); name one")};
      default: return error_of(status, cat("request to ", request.topic, " is malformed or too large"), false);
    }
  }
  [[nodiscard]] std::shared_ptr<Waiter> find(Token token) {
    const std::scoped_lock lock(mutex_);
    const auto found = waiters_.find(token);
    return found == waiters_.end() ? nullptr : found->second;
  }
  void remove(Token token) {
    const std::scoped_lock lock(mutex_);
    waiters_.erase(token);
  }

  std::mutex mutex_;
  Token last_token_ = 0;
  std::unordered_map<Token, std::shared_ptr<Waiter>> waiters_;
};

class BusStream final : public Caller::Stream {
 public:
  BusStream(std::shared_ptr<Desk> desk, Token token, std::shared_ptr<Waiter> waiter, std::chrono::steady_clock::time_point last, const core::CancelToken& cancel)
      : desk_(std::move(desk)), token_(token), waiter_(std::move(waiter)), last_(last),
        registration_(cancel.on_cancel([desk = desk_.get(), token] { desk->peer->cancel(token); })) {}
  BusStream(const BusStream&) = delete;
  BusStream& operator=(const BusStream&) = delete;
  ~BusStream() override {
    registration_.reset();
    desk_->peer->cancel(token_);  // NOT_FOUND when it has ended
  }

  [[nodiscard]] Result<MessagePtr> next(std::chrono::milliseconds patience) override {
    std::unique_lock lock(waiter_->mutex);
    const auto now = std::chrono::steady_clock::now();
    const auto until = std::min(last_, now + std::min<std::chrono::milliseconds>(patience, std::chrono::hours(24)));
    if (!waiter_->changed.wait_until(lock, until, [&] { return waiter_->arrivals.has_next(); })) {
      if (until < last_) return fail(Code::timeout, "nothing has come yet");
      waiter_->arrivals.end(status_of(Code::unavailable), {}, "the bus has stopped");
    }
    std::uint64_t grant = 0;
    auto taken = waiter_->arrivals.take(grant);
    lock.unlock();
    if (grant > 0) desk_->peer->grant(token_, grant);
    return taken;
  }
  [[nodiscard]] const Reply& reply() const override { return waiter_->arrivals.reply(); }

 private:
  std::shared_ptr<Desk> desk_;
  const Token token_;
  const std::shared_ptr<Waiter> waiter_;
  const std::chrono::steady_clock::time_point last_;
  std::unique_ptr<core::CancelToken::Registration> registration_;
};

class BusCaller final : public Caller {
 public:
  explicit BusCaller(std::shared_ptr<Desk> desk) : desk_(std::move(desk)) {}

  [[nodiscard]] Result<Reply> call(const Request& request, const core::CancelToken& cancel) override {
    PICKET_LET(stream, start(request, cancel, false));
    for (;;) {
      auto next = stream->next(std::chrono::hours(24));
      if (!next) return fail(std::move(next).error());
      if (!*next) return stream->reply();
    }
  }

  [[nodiscard]] Result<std::unique_ptr<Stream>> open(const Request& request, std::uint64_t window, const core::CancelToken& cancel) override {
    auto with_window = request;
    with_window.credit = window;
    return start(with_window, cancel, true);
  }

  [[nodiscard]] Peer& peer() override { return *desk_->peer; }

 private:
  [[nodiscard]] Result<std::unique_ptr<Stream>> start(const Request& request, const core::CancelToken& cancel, bool is_stream) {
    if (cancel.is_cancelled()) return fail(Code::cancelled, cat("request to ", request.topic, " was cancelled"));
    const auto last = std::chrono::steady_clock::now() + request.timeout + kGrace;
    PICKET_LET(asked, desk_->ask(request, is_stream));
    return std::make_unique<BusStream>(desk_, asked.first, std::move(asked.second), last, cancel);
  }

  std::shared_ptr<Desk> desk_;
};

}  // namespace

Result<std::unique_ptr<Caller>> Caller::attach(Router& router, PeerOptions options) {
  auto desk = std::make_shared<Desk>();
  PICKET_LET(peer, router.attach(std::move(options), *desk));
  desk->peer = std::move(peer);
  return std::make_unique<BusCaller>(std::move(desk));
}

}  // namespace picket::bus
