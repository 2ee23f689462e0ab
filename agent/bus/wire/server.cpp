#include "bus/wire/server.hpp"

#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "bus/wire/bridge.hpp"
#include "bus/wire/socket.hpp"
#include "runtime/io_loop.hpp"

namespace picket::bus::wire {
namespace {

constexpr std::chrono::seconds kHelloPatience{5};
constexpr std::chrono::milliseconds kAcceptPause{100};  // when there is no descriptor to spare

using ConnectionId = std::uint64_t;

// A socket that has not said HELLO yet, or a bridge.
struct Connection {
  UniqueFd socket;
  std::unique_ptr<runtime::IoLoop::Watch> watch;
  std::unique_ptr<runtime::IoLoop::Delay> patience;
  std::unique_ptr<Bridge> bridge;
  unsigned number = 0;  // in its name; 0: none yet
};

// All on the loop's thread but count().
class Reception : public std::enable_shared_from_this<Reception> {
 public:
  Reception(Router& router, runtime::IoLoop& loop, ServerOptions options, UniqueFd listener)
      : router_(router), loop_(loop), options_(std::move(options)), listener_(std::move(listener)) {}

  void start() {
    watch_ = loop_.watch(listener_.get(), [self = weak_from_this()] { if (const auto s = self.lock()) s->accept(); }, nullptr);
    watch_->ask_readable();
  }
  void stop() {
    watch_.reset();
    pause_.reset();
    for (auto& [id, connection] : connections_)
      if (connection.bridge) connection.bridge->close({Code::unavailable, "picketd is ending"});
    connections_.clear();
    count_ = 0;
    listener_.reset();
    ::unlink(options_.path.c_str());
  }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  void accept() {
    for (;;) {
      UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!socket) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN) return watch_->ask_readable();
        // Out of descriptors: readable stays true, so asking at once would spin.
        pause_ = loop_.after(kAcceptPause, [self = weak_from_this()] { if (const auto s = self.lock()) s->watch_->ask_readable(); });
        return;
      }
      if (connections_.size() >= options_.max_connections) {
        refuse(socket.get(), {Code::busy, "too many connections"});
        continue;
      }
      (void)set_buffers(socket.get());
      greet(std::move(socket));
    }
  }

  static void refuse(int socket, const Error& why) {
    (void)try_send(socket, {.type = Type::goodbye, .status = status_of(why.code),
                            .text = whole_characters(why.message, 255)});
  }

  void greet(UniqueFd socket) {
    const auto id = ++last_id_;
    auto& connection = connections_[id];
    connection.socket = std::move(socket);
    connection.watch = loop_.watch(connection.socket.get(), [self = weak_from_this(), id] { if (const auto s = self.lock()) s->take_hello(id); }, nullptr);
    connection.watch->ask_readable();
    connection.patience = loop_.after(kHelloPatience, [self = weak_from_this(), id] { if (const auto s = self.lock()) s->remove(id); });
    count_ = connections_.size();
  }

  void take_hello(ConnectionId id) {
    auto& connection = connections_.at(id);
    std::string buffer;
    const auto frame = try_receive(connection.socket.get(), buffer);
    if (!frame && frame.error().code == Code::busy) return connection.watch->ask_readable();
    connection.watch.reset();
    connection.patience.reset();
    const auto opened = frame ? open(id, connection, *frame) : Result<>(fail(frame.error()));
    if (opened) return;
    if (connection.socket) refuse(connection.socket.get(), opened.error());
    remove(id);
  }

  [[nodiscard]] Result<> open(ConnectionId id, Connection& connection, const Frame& hello) {
    if (hello.type != Type::hello) return fail(Code::invalid, "the first frame must be HELLO");
    if (hello.number != kVersion)
      return fail(Code::unsupported, cat("picketd speaks version ", std::to_string(kVersion), " of the protocol, the caller version ", std::to_string(hello.number)));
    struct ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(connection.socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return fail_errno("see who is calling");
    const PeerCredentials caller{credentials.pid, credentials.uid, credentials.gid};
    PICKET_LET(allow, options_.allow(caller));
    unsigned number = 1;
    while (numbers_.contains(number)) ++number;
    auto name = options_.name ? options_.name(caller) : std::string("picketctl");
    if (number > 1) name += cat("#", std::to_string(number));
    // WELCOME goes first: once the bridge stands, messages may follow.
    PICKET_TRY(try_send(connection.socket.get(), {.type = Type::welcome, .number = kVersion, .text = name}));
    const auto self = weak_from_this();
    BridgeOptions bridge;
    bridge.on_closed = [self, id](const Error&) { if (const auto s = self.lock()) s->remove(id); };
    // The bridge owns the socket from here on, also when it fails; a copy lets the refusal be told.
    UniqueFd copy(::fcntl(connection.socket.get(), F_DUPFD_CLOEXEC, 3));
    auto made = Bridge::make(router_, {.name = std::move(name), .allow = std::move(allow), .queue = options_.queue, .standing = options_.standing}, loop_, std::move(connection.socket), std::move(bridge));
    if (!made) {
      connection.socket = std::move(copy);
      return fail(std::move(made).error());
    }
    connection.bridge = std::move(*made);
    connection.number = number;
    numbers_.insert(number);
    return {};
  }

  void remove(ConnectionId id) {
    const auto found = connections_.extract(id);
    if (found.empty()) return;
    numbers_.erase(found.mapped().number);
    count_ = connections_.size();
  }

  Router& router_;
  runtime::IoLoop& loop_;
  const ServerOptions options_;
  UniqueFd listener_;
  std::unique_ptr<runtime::IoLoop::Watch> watch_;
  std::unique_ptr<runtime::IoLoop::Delay> pause_;
  std::map<ConnectionId, Connection> connections_;
  std::set<unsigned> numbers_;
  ConnectionId last_id_ = 0;
  std::atomic<std::size_t> count_{0};
};

class UnixServer final : public Server {
 public:
  UnixServer(runtime::IoLoop& loop, std::shared_ptr<Reception> reception) : loop_(loop), reception_(std::move(reception)) {}
  UnixServer(const UnixServer&) = delete;
  UnixServer& operator=(const UnixServer&) = delete;
  ~UnixServer() override {
    if (!loop_.run_and_wait([this] { reception_->stop(); })) reception_->stop();
  }
  [[nodiscard]] std::size_t connections() const override { return reception_->count(); }

 private:
  runtime::IoLoop& loop_;
  std::shared_ptr<Reception> reception_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Router& router, runtime::IoLoop& loop, ServerOptions options) {
  PICKET_LET(listener, listen_at(options.path, options.mode));
  if (options.group && ::chown(options.path.c_str(), static_cast<uid_t>(-1), *options.group) != 0)
    return fail_errno(cat("give ", options.path.native(), " to its group"));
  auto reception = std::make_shared<Reception>(router, loop, std::move(options), std::move(listener));
  loop.run_and_wait([&] { reception->start(); });
  return std::make_unique<UnixServer>(loop, std::move(reception));
}

}  // namespace picket::bus::wire
