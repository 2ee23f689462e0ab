#include "bus/wire/bridge.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/listed.hpp"
#include "bus/wire/answers.hpp"
#include "bus/wire/channel.hpp"
#include "runtime/io_loop.hpp"

namespace picket::bus::wire {
namespace {

// Losses are told together: a flood of publications must not cause a flood of news about it.
constexpr std::chrono::milliseconds kTellLosses{20};

class SocketBridge final : public Bridge, private Handler, private Channel::Listener {
 public:
  SocketBridge(runtime::IoLoop& loop, BridgeOptions options) : loop_(loop), options_(std::move(options)), active_(options_.is_active) {}
  SocketBridge(const SocketBridge&) = delete;
  SocketBridge& operator=(const SocketBridge&) = delete;
  ~SocketBridge() override {
    // Each side calls the other: first the peer falls silent but stays, then the channel goes.
    if (peer_) (void)peer_->detach(std::chrono::milliseconds::max());
    if (!loop_.run_and_wait([this] { end_on_loop(); })) end_on_loop();
  }

  [[nodiscard]] Result<> start(Router& router, PeerOptions peer, UniqueFd socket) {
    peer.is_quick = true;       // a frame into the socket, or behind those that wait
    peer.starts_paused = true;  // until all that its handler uses is there
    PICKET_LET(attached, router.attach(std::move(peer), *this));
    peer_ = std::move(attached);
    answers_.emplace(*peer_, [this](RequestId id, std::uint64_t total) { pass_on({.type = Type::credit, .token = id, .number = total}); });
    // On the loop, so that no frame comes before this object is complete.
    if (!loop_.run_and_wait([&] { channel_ = Channel::make(loop_, std::move(socket), *this); }))
      return fail(Code::unavailable, "the I/O loop has stopped");
    resume_if_possible();
    return {};
  }

  [[nodiscard]] Status send(const Frame& frame) override { return channel_->send(frame); }
  void close(Error why) override {
    (void)send({.type = Type::goodbye, .status = status_of(why.code), .text = whole_characters(why.message, 255)});
    channel_->close(std::move(why));
  }
  void set_active(bool active) override {
    active_ = active;
    if (!active) peer_->pause();
    else resume_if_possible();
  }
  [[nodiscard]] Peer& peer() override { return *peer_; }

 private:
  // What the peer hears, on its strand or the thread that brings it (PeerOptions::is_quick): the lock of answers_, which is held while the bus is called
  // to respond, is never taken for a reply.
  void on_message(const MessagePtr& m) override {
    pass_on({.type = Type::message, .number = m->kind() == Kind::state ? 0U : 1U, .topic = m->topic(), .key = m->key(),
             .content_type = m->content_type(), .text = m->sender(), .payload = m->payload()});
  }
  void on_request(RequestId id, const MessagePtr& m) override {
    answers_->open(id);
    pass_on({.type = Type::request_in, .token = id, .number = m->deadline_ms(), .topic = m->topic(),
             .content_type = m->content_type(), .text = m->sender(), .payload = m->payload()});
  }
  void on_stream(Token token, const MessagePtr& chunk) override {
    pass_on({.type = Type::stream_in, .token = token, .payload = chunk->payload()});
  }
  void on_reply(Token token, Status status, const MessagePtr& m) override {
    pass_on({.type = Type::reply, .status = status, .token = token, .topic = m->topic(), .content_type = m->content_type(),
             .text = m->sender(), .payload = m->payload()});
  }
  void on_credit(RequestId id, std::uint64_t) override { answers_->credit(id); }
  void on_cancel(RequestId id) override {
    answers_->cancel(id);
    pass_on({.type = Type::cancel_in, .token = id});
  }

  void pass_on(const Frame& frame) {
    (void)send(frame);
    if (!channel_->is_full()) return;
    // What is not sent waits in the peer's own queue, whose limits make its publishers BUSY.
    peer_->pause();
    resume_if_possible();  // it may have become writable in between, and would not say so again
  }
  void resume_if_possible() {
    if (active_ && !channel_->is_full()) peer_->resume();
  }

  // What the other side says, on the loop.
  void on_frame(const Frame& frame) override {
    if (frame.type >= Type::first_other) {
      const auto hook = options_.on_other_frame;  // a copy: it may destroy this
      return hook ? hook(frame) : break_off(frame, "not expected here");
    }
    switch (frame.type) {
      case Type::publish: return publish(frame);
      case Type::subscribe: return tell_result(frame, active_ ? peer_->subscribe(frame.topic) : status_of(Code::denied));
      case Type::unsubscribe: return tell_result(frame, peer_->unsubscribe(frame.topic));
      case Type::request: return request(frame);
      case Type::grant: (void)peer_->grant(frame.token, frame.number); return;
      case Type::cancel: (void)peer_->cancel(frame.token); return;
      case Type::respond: return answer(frame, answers_->respond(frame.token, frame.status, frame.content_type, frame.payload));
      case Type::stream_write: return answer(frame, answers_->write(frame.token, frame.payload));
      case Type::goodbye: return channel_->close({Code::unavailable, frame.text.empty() ? "the other side said goodbye" : cat("the other side: ", frame.text)});
      default: return break_off(frame, "goes the other way");
    }
  }
  void on_writable() override {
    resume_if_possible();
    tell_losses();
  }
  void on_closed(const Error& why) override {
    (void)peer_->detach(std::chrono::milliseconds(0));
    if (const auto hook = options_.on_closed) hook(why);
  }

  void break_off(const Frame& frame, std::string_view why) { close({Code::invalid, cat(to_string(frame.type), ": ", why)}); }
  void answer(const Frame& frame, const Result<>& result) {
    if (!result) break_off(frame, result.error().message);
  }

  void tell_result(const Frame& frame, Status status) {
    if (frame.token == 0) return;
    const auto text = status == kOk ? std::string_view() : to_string(code_of(status));
    (void)send({.type = Type::result, .status = status, .token = frame.token, .text = text});
  }

  void publish(const Frame& frame) {
    const auto status = active_ ? peer_->publish(frame.topic, frame.key, frame.content_type, frame.payload) : status_of(Code::denied);
    if (status == status_of(Code::busy) && frame.token == 0) {
      // Only topics of its allow-list can be BUSY, so that this table is bounded.
      ++losses_[std::string(frame.topic)];
      peer_->count_loss(1);
      if (!loss_delay_) loss_delay_ = loop_.after(kTellLosses, [this] { loss_delay_.reset(), tell_losses(); });
    }
    tell_result(frame, status);
  }
  void tell_losses() {
    while (!losses_.empty() && !loss_delay_ && !channel_->is_full()) {
      const auto loss = losses_.extract(losses_.begin());
      (void)send({.type = Type::loss, .number = loss.mapped(), .topic = loss.key()});
    }
  }

  void request(const Frame& frame) {
    const auto credit = static_cast<std::uint64_t>(std::max<Status>(frame.status, 0));
    const auto timeout = std::chrono::milliseconds(std::min<std::uint64_t>(frame.number, 1ULL << 40));
    const auto status = active_ ? peer_->request({frame.topic, frame.text, frame.content_type, frame.payload, timeout, credit}, frame.token)
                                : status_of(Code::denied);
    if (status == kOk) return;
    (void)send({.type = Type::reply, .status = status, .token = frame.token, .topic = frame.topic,
                .payload = refusal(status, frame)});
  }
  [[nodiscard]] std::string refusal(Status status, const Frame& frame) const {
    const auto what = cat("request to ", frame.topic, ": ");
    if (status == status_of(Code::unavailable)) return cat(what, frame.text.empty() ? "nobody" : frame.text, frame.text.empty() ? " answers it" : " does not answer it");
    if (status == status_of(Code::denied)) return cat(what, "not allowed");
    if (status == status_of(Code::busy)) return cat(what, "the answering side's queue is full");
    if (status == status_of(Code::conflict)) {
      const auto answerers = frame.text.empty() ? peer_->answerers(frame.topic) : std::vector<std::string>();
      return cat(what, answerers.size() > 1 ? cat("several answer it (", listed(answerers), "); name one") : "its token is in use by another request that is open");
    }
    return cat(what, to_string(code_of(status)));
  }

  void end_on_loop() {
    loss_delay_.reset();
    channel_.reset();
  }

  runtime::IoLoop& loop_;
  const BridgeOptions options_;
  std::atomic<bool> active_;
  std::unique_ptr<Peer> peer_;
  std::optional<Answers> answers_;
  std::unique_ptr<Channel> channel_;
  std::map<std::string, std::uint64_t> losses_;  // the loop's
  std::unique_ptr<runtime::IoLoop::Delay> loss_delay_;
};

}  // namespace

Result<std::unique_ptr<Bridge>> Bridge::make(Router& router, PeerOptions peer, runtime::IoLoop& loop, UniqueFd socket, BridgeOptions options) {
  auto bridge = std::make_unique<SocketBridge>(loop, std::move(options));
  PICKET_TRY(bridge->start(router, std::move(peer), std::move(socket)));
  return bridge;
}

}  // namespace picket::bus::wire
