#include "server.hpp"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <condition_variable>
#include <optional>
#include <thread>

#include "worker.hpp"

namespace distribution_point {
namespace {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
using asio::ip::tcp;
using std::chrono::milliseconds;

// Of a server that ends: who kept a connection has so long to ask once more and be told that it closes.
constexpr milliseconds kIdleLasts{500}, kLook{20};

class ServerImpl final : public Server {
 public:
  ServerImpl(const ServerSettings& settings, Parts parts) : shared_(settings, std::move(parts)) {}
  ~ServerImpl() override {
    for (auto& worker : workers_) worker->stop();
    for (auto& thread : threads_) thread.join();
    listeners_.clear();
    certificate_timer_.reset();
    workers_.clear();
  }

  [[nodiscard]] Result<> open(picket::plugin::Sockets inherited) {
    const auto& settings = shared_.settings;
    if (settings.https_port >= 0) {
      auto certificate = tls_server::ServedCertificate::open(settings.certificate, settings.key);
      if (!certificate) return fail(std::move(certificate).error(), "setting https_port");
      shared_.certificate = std::move(*certificate);
    }
    const std::size_t threads = settings.threads != 0 ? settings.threads : std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4);
    for (std::size_t i = 0; i < threads; ++i) {
      workers_.push_back(std::make_unique<Worker>(shared_));
      if (shared_.parts.catalogue) workers_.back()->use(shared_.parts.catalogue);
    }
    shared_.parts.catalogue.reset();
    struct Wish {
      std::string name, address;
      int port;
      bool tls;
      picket::UniqueFd socket;
    };
    std::vector<Wish> wishes;
    for (const auto& address : settings.addresses)
      for (const bool tls : {false, true}) {
        const int port = tls ? settings.https_port : settings.http_port;
        auto name = cat(tls ? "https " : "http ", address, " ", std::to_string(port));
        if (port >= 0) wishes.push_back({name, address, port, tls, std::exchange(inherited[name], {})});
      }
    inherited.clear();  // what is not wanted any more must not hold a port
    for (auto& wish : wishes) PICKET_TRY(listen(wish.name, wish.address, wish.port, wish.tls, std::move(wish.socket)));
    for (auto& listener : listeners_) accept(*listener);
    if (shared_.certificate) {
      certificate_timer_.emplace(workers_.front()->io());
      look_at_certificate();
    }
    for (auto& worker : workers_) threads_.emplace_back([&worker = *worker] { worker.run(); });
    return {};
  }

  void serve(std::shared_ptr<const Catalogue> catalogue) override {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t waiting = workers_.size();
    for (auto& worker : workers_)
      asio::post(worker->io(), [&, &one = *worker] {
        one.use(catalogue);
        const std::lock_guard lock(mutex);
        --waiting;
        changed.notify_all();  // under the lock: the waiter's variables die with its return
      });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting == 0; });
  }

  void drain(milliseconds limit) override {
    asio::post(workers_.front()->io(), [this] {
      is_draining_ = true;
      for (auto& listener : listeners_) {
        boost::system::error_code ignored;
        listener->pause.cancel();
        listener->acceptor.close(ignored);
      }
    });
    for (auto& worker : workers_) asio::post(worker->io(), [&one = *worker] { one.drain(); });
    const auto began = std::chrono::steady_clock::now();
    for (auto now = began; now - began < limit && shared_.counters.connections > 0; now = std::chrono::steady_clock::now()) {
      if (now - began > kIdleLasts)
        for (auto& worker : workers_) asio::post(worker->io(), [&one = *worker] { one.close_idle(); });
      std::this_thread::sleep_for(kLook);
    }
  }

  [[nodiscard]] std::vector<std::string> addresses() const override { return addresses_; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> listening() const override {
    std::vector<std::pair<std::string, int>> out;
    for (const auto& listener : listeners_) out.emplace_back(listener->name, listener->socket);
    return out;
  }
  [[nodiscard]] const ServerCounters& counters() const override { return shared_.counters; }

 private:
  struct Listener {
    tcp::acceptor acceptor;
    asio::steady_timer pause;
    bool tls;
    std::string name;
    int socket = -1;  // the acceptor's
  };

  [[nodiscard]] Result<> listen(const std::string& name, const std::string& address, int port, bool tls, picket::UniqueFd inherited) {
    boost::system::error_code error;
    const auto ip = asio::ip::make_address(address, error);
    if (error) return fail(Code::invalid, cat("setting listen: '", address, "' is no network address"));
    const tcp::endpoint endpoint(ip, static_cast<std::uint16_t>(port));
    auto& io = workers_.front()->io();
    auto listener = std::make_unique<Listener>(Listener{tcp::acceptor(io), asio::steady_timer(io), tls, name});
    auto& acceptor = listener->acceptor;
    if (inherited) {
      acceptor.assign(endpoint.protocol(), inherited.get(), error);
      if (!error) static_cast<void>(inherited.release());
    } else {
      acceptor.open(endpoint.protocol(), error);
      if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
      if (!error && ip.is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
      if (!error) acceptor.bind(endpoint, error);
      if (!error) acceptor.listen(4096, error);
    }
    if (error)
      return fail(error == boost::system::errc::address_in_use ? Code::conflict : Code::io, cat("listen on ", address, ":", std::to_string(port), ": ", error.message()));
    listener->socket = acceptor.native_handle();
    const auto bound = acceptor.local_endpoint(error);
    addresses_.push_back(cat(tls ? "https " : "http ", ip.is_v6() ? "[" : "", address, ip.is_v6() ? "]:" : ":", std::to_string(bound.port())));
    listeners_.push_back(std::move(listener));
    return {};
  }

  void look_at_certificate() {
    certificate_timer_->expires_after(shared_.settings.certificate_look);
    certificate_timer_->async_wait([this](const boost::system::error_code& stopped) {
      if (stopped) return;
      const auto renewed = shared_.certificate->look();
      const auto& parts = shared_.parts;
      if (!renewed && parts.warn) parts.warn(renewed.error().message);
      if (renewed && *renewed && parts.inform) parts.inform(cat("serves the renewed certificate ", shared_.settings.certificate.native()));
      look_at_certificate();
    });
  }

  void accept(Listener& listener) {
    auto& worker = *workers_[next_++ % workers_.size()];
    listener.acceptor.async_accept(worker.io(), [this, &listener, &worker](const boost::system::error_code& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || (error && is_draining_)) return;
      if (error) {
        // No file descriptor is left, or the client went away. What is open goes on; new ones wait a moment.
        if (error == boost::system::errc::too_many_files_open && !told_files_.exchange(true) && shared_.parts.warn)
          shared_.parts.warn("new connections wait: the limit of open files is reached (LimitNOFILE)");
        listener.pause.expires_after(std::chrono::milliseconds(50));
        listener.pause.async_wait([this, &listener](const boost::system::error_code& stopped) {
          if (!stopped && !is_draining_) accept(listener);
        });
        return;
      }
      take(listener, worker, std::move(socket));
      if (!is_draining_) accept(listener);
    });
  }

  void take(const Listener& listener, Worker& worker, tcp::socket socket) {
    boost::system::error_code error;
    const auto peer = socket.remote_endpoint(error);
    if (error) return;
    const auto from = picket::Address::from(peer.data());
    if (!from || !shared_.admit(*from)) return Worker::turn_away(std::move(socket), listener.tls);
    asio::post(worker.io(), [&worker, from = *from, tls = listener.tls, socket = std::move(socket)]() mutable { worker.adopt(std::move(socket), from, tls); });
  }

  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::optional<asio::steady_timer> certificate_timer_;  // of the first worker
  std::vector<std::thread> threads_;
  std::vector<std::string> addresses_;
  std::size_t next_ = 0;
  bool is_draining_ = false;  // of the first worker's thread, as the listeners
  std::atomic<bool> told_files_{false};
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerSettings& settings, Parts parts, picket::plugin::Sockets inherited) {
  auto server = std::make_unique<ServerImpl>(settings, std::move(parts));
  PICKET_TRY(server->open(std::move(inherited)));
  return server;
}

}  // namespace distribution_point
