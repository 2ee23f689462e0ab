#include "bus/wire/client.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <unordered_map>

#include <poll.h>

#include "bus/waiting.hpp"
#include "bus/wire/socket.hpp"

namespace picket::bus::wire {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kCancelCheck{50};
constexpr milliseconds kSendPatience{10'000};
constexpr std::chrono::seconds kGrace{5};  // picketd answers by the deadline; after this it is stuck
constexpr std::size_t kKeptMessages = 4096;
constexpr std::size_t kKeptBytes = 32u << 20;

steady_clock::time_point after(milliseconds timeout) { return steady_clock::now() + std::min<milliseconds>(timeout, std::chrono::hours(24 * 365)); }

// The connection, shared with streams that may outlive the client. One thread.
class Connection {
 public:
  explicit Connection(UniqueFd socket) : socket_(std::move(socket)) {}

  [[nodiscard]] Result<std::string> greet(std::string_view program, milliseconds timeout) {
    if (auto sent = send({.type = Type::hello, .number = kVersion, .text = program.substr(0, 255)}); !sent) return fail(last_word(std::move(sent).error()));
    auto frame = receive(socket_.get(), buffer_, timeout);
    if (!frame) return fail(last_word(std::move(frame).error()));
    if (frame->type == Type::goodbye) return fail(error_of(frame->status, frame->text, false));
    if (frame->type != Type::welcome || frame->number != kVersion) return fail(Code::invalid, "it does not speak Picket's protocol");
    return std::string(frame->text);
  }

  [[nodiscard]] Result<> send(const Frame& frame) {
    if (broken_) return fail(Error(*broken_));
    auto sent = wire::send(socket_.get(), frame, kSendPatience);
    if (!sent && sent.error().code == Code::unavailable) return break_off({Code::unavailable, "picketd has closed the connection"});
    return sent;
  }

  // Takes what comes until `done`. Code::timeout, cancelled, or why the connection ended.
  template <class Done>
  [[nodiscard]] Result<> wait(steady_clock::time_point until, const core::CancelToken& cancel, const Done& done) {
    for (;;) {
      if (done()) return {};
      if (broken_) return fail(Error(*broken_));
      if (cancel.is_cancelled()) return fail(Code::cancelled, "cancelled");
      auto frame = try_receive(socket_.get(), buffer_);
      if (frame) {
        take(*frame);
        continue;
      }
      if (frame.error().code != Code::busy) {
        (void)break_off(frame.error().code == Code::unavailable ? Error{Code::unavailable, "picketd has closed the connection"} : frame.error());
        continue;
      }
      const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
      if (left.count() <= 0) return fail(Code::timeout, "nothing has come");
      struct pollfd wait_for{socket_.get(), POLLIN, 0};
      ::poll(&wait_for, 1, static_cast<int>(std::min(left, kCancelCheck).count()));
    }
  }

  [[nodiscard]] Token next_token() { return ++last_token_; }
  std::unordered_map<Token, Arrivals> open;
  std::unordered_map<Token, std::optional<Error>> results;
  std::deque<MessagePtr> messages;
  std::uint64_t lost = 0;
  std::size_t kept_bytes = 0;

 private:
  [[nodiscard]] Result<> break_off(Error why) {
    if (!broken_) broken_ = std::move(why);
    return fail(Error(*broken_));
  }

  // A picketd that refuses a connection says why and closes it: what it said is still there when the closing was noticed first, behind the
  // error that the closing left in the socket.
  [[nodiscard]] Error last_word(Error why) {
    for (int attempt = 0; attempt < 2; ++attempt)
      if (auto frame = try_receive(socket_.get(), buffer_); frame && frame->type == Type::goodbye) return error_of(frame->status, frame->text, false);
    return why;
  }

  void take(const Frame& frame) {
    switch (frame.type) {
      case Type::message: return keep(frame);
      case Type::stream_in:
        if (const auto found = open.find(frame.token); found != open.end())
          found->second.add_chunk(Message::make({.kind = Kind::request, .payload = frame.payload}));
        return;
      case Type::reply:
        // What the bus itself refuses has no sender.
        if (const auto found = open.find(frame.token); found != open.end())
          found->second.end(frame.status, frame.content_type, frame.payload, frame.status == status_of(Code::unavailable) && frame.text.empty());
        return;
      case Type::result:
        if (const auto found = results.find(frame.token); found != results.end())
          found->second = frame.status == kOk ? Error{Code::internal, {}} : error_of(frame.status, frame.text, false);
        return;
      case Type::goodbye: (void)break_off({Code::unavailable, frame.text.empty() ? "picketd has closed the connection" : std::string(frame.text)}); return;
      default: return;  // of a newer picketd: not for this client
    }
  }

  void keep(const Frame& frame) {
    messages.push_back(Message::make({.kind = frame.number == 0 ? Kind::state : Kind::event, .topic = frame.topic, .key = frame.key,
                                      .content_type = frame.content_type, .sender = frame.text, .payload = frame.payload}));
    kept_bytes += messages.back()->bytes();
    while (messages.size() > kKeptMessages || kept_bytes > kKeptBytes) {
      kept_bytes -= messages.front()->bytes();
      messages.pop_front();
      ++lost;
    }
  }

  UniqueFd socket_;
  std::string buffer_;
  Token last_token_ = 0;
  std::optional<Error> broken_;
};

class SocketStream final : public Client::Stream {
 public:
  SocketStream(std::shared_ptr<Connection> connection, Token token, steady_clock::time_point last, core::CancelToken cancel)
      : connection_(std::move(connection)), token_(token), last_(last), cancel_(std::move(cancel)) {}
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;
  ~SocketStream() override {
    if (!arrivals().is_ended()) (void)connection_->send({.type = Type::cancel, .token = token_});
    connection_->open.erase(token_);
  }

  [[nodiscard]] Result<MessagePtr> next(milliseconds patience) override {
    const auto until = std::min(after(patience), last_);
    auto waited = connection_->wait(until, cancel_, [&] { return arrivals().has_next(); });
    if (!waited) {
      // The answer that the cancellation brings is not waited for: the caller wants to go.
      if (waited.error().code == Code::timeout && until == last_) return fail(Code::unavailable, "picketd does not answer");
      return fail(std::move(waited).error());
    }
    std::uint64_t grant = 0;
    auto taken = arrivals().take(grant);
    if (grant > 0) PICKET_TRY(connection_->send({.type = Type::grant, .token = token_, .number = grant}));
    return taken;
  }
  [[nodiscard]] const Reply& reply() const override { return arrivals().reply(); }

 private:
  [[nodiscard]] Arrivals& arrivals() const { return connection_->open.at(token_); }
  std::shared_ptr<Connection> connection_;
  const Token token_;
  const steady_clock::time_point last_;
  const core::CancelToken cancel_;
};

class SocketClient final : public Client {
 public:
  SocketClient(std::shared_ptr<Connection> connection, std::string name) : connection_(std::move(connection)), name_(std::move(name)) {}

  [[nodiscard]] Result<Reply> call(const Request& request, const core::CancelToken& cancel) override {
    PICKET_LET(stream, start(request, request.credit, cancel, false));
    for (;;) {
      PICKET_LET(chunk, stream->next(std::chrono::hours(24 * 365)));
      if (!chunk) return stream->reply();
    }
  }
  [[nodiscard]] Result<std::unique_ptr<Stream>> open(const Request& request, std::uint64_t window, const core::CancelToken& cancel) override {
    return start(request, window, cancel, true);
  }

  [[nodiscard]] Result<> publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload) override {
    return ask({.type = Type::publish, .topic = topic, .key = key, .content_type = content_type, .payload = payload}, "publish ");
  }
  [[nodiscard]] Result<> subscribe(std::string_view filter) override { return ask({.type = Type::subscribe, .topic = filter}, "subscribe to "); }
  [[nodiscard]] Result<> unsubscribe(std::string_view filter) override { return ask({.type = Type::unsubscribe, .topic = filter}, "unsubscribe from "); }

  [[nodiscard]] Result<MessagePtr> next(milliseconds timeout, const core::CancelToken& cancel) override {
    auto& messages = connection_->messages;
    PICKET_TRY(connection_->wait(after(timeout), cancel, [&] { return !messages.empty(); }));
    auto message = std::move(messages.front());
    messages.pop_front();
    connection_->kept_bytes -= message->bytes();
    return message;
  }
  [[nodiscard]] std::uint64_t lost() const override { return connection_->lost; }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  [[nodiscard]] Result<std::unique_ptr<Stream>> start(const Request& request, std::uint64_t window, const core::CancelToken& cancel, bool is_stream) {
    if (cancel.is_cancelled()) return fail(Code::cancelled, "cancelled");
    if (request.timeout.count() < 1) return fail(Code::invalid, "a request's timeout is at least a millisecond");
    const auto token = connection_->next_token();
    const auto credit = static_cast<Status>(std::min<std::uint64_t>(window, 1U << 30));
    PICKET_TRY(connection_->send({.type = Type::request, .status = credit, .token = token, .number = static_cast<std::uint64_t>(request.timeout.count()),
                                  .topic = request.topic, .content_type = request.content_type, .text = request.to, .payload = request.payload}));
    connection_->open.emplace(token, Arrivals(static_cast<std::uint64_t>(credit), is_stream));
    return std::make_unique<SocketStream>(connection_, token, after(request.timeout + kGrace), cancel);
  }

  // For what picketd answers at once.
  [[nodiscard]] Result<> ask(Frame frame, std::string_view doing) {
    frame.token = connection_->next_token();
    PICKET_TRY(connection_->send(frame));
    connection_->results.emplace(frame.token, std::nullopt);
    auto waited = connection_->wait(after(kSendPatience), {}, [&] { return connection_->results.at(frame.token).has_value(); });
    const auto result = connection_->results.extract(frame.token);
    if (!waited) return fail(std::move(waited).error(), cat(doing, frame.topic));
    if (result.mapped()->message.empty()) return {};
    return fail(Error(*result.mapped()), cat(doing, frame.topic));
  }

  std::shared_ptr<Connection> connection_;
  const std::string name_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::connect(const std::filesystem::path& path, milliseconds timeout, std::string_view program) {
  PICKET_LET(socket, connect_to(path, timeout));
  auto connection = std::make_shared<Connection>(std::move(socket));
  auto name = connection->greet(program, timeout);
  if (!name) {
    auto why = std::move(name).error();
    if (why.code == Code::timeout) why.message = "it accepted the connection but does not answer";
    return fail(std::move(why), cat("cannot reach picketd at ", path.native()));
  }
  return std::make_unique<SocketClient>(std::move(connection), std::move(*name));
}

}  // namespace picket::bus::wire
