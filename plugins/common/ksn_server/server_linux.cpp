#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "ksn_server/loop.hpp"
#include "ksn_server/server.hpp"

namespace ksn_server {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;

namespace {

constexpr std::chrono::milliseconds kLook{10};

// A client that offers neither goes on without ALPN, in HTTP/1.1.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr unsigned char ours[] = "\x2h2\x8http/1.1";
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, offered, offered_size) != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

struct Server::Parts {
  Shared shared;
  picket::UniqueFd listener;
  std::uint16_t port = 0;
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<std::thread> threads;

  [[nodiscard]] Result<> listen();
};

Result<> Server::Parts::listen() {
  const auto& settings = shared.settings;
  const auto where = cat("listen on ", settings.address, ":", std::to_string(settings.port));
  sockaddr_storage address{};
  socklen_t size = 0;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  if (::inet_pton(AF_INET, settings.address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(settings.port);
    size = sizeof v4;
  } else if (::inet_pton(AF_INET6, settings.address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(settings.port);
    size = sizeof v6;
  } else {
    return fail(Code::invalid, cat(where, ": this is no network address"));
  }
  if (!listener) {
    listener.reset(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1, off = 0;
    if (!listener) return picket::fail_errno(where);
    if (address.ss_family == AF_INET6) ::setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::listen(listener.get(), 4096) != 0)
      return picket::fail_errno(where);
  }
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return picket::fail_errno(where);
  port = ntohs(address.ss_family == AF_INET ? v4.sin_port : v6.sin6_port);
  return {};
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::start(Settings settings, Handler handler, picket::UniqueFd listener) {
  auto parts = std::make_unique<Parts>();
  parts->shared.settings = std::move(settings);
  parts->shared.handler = std::move(handler);
  auto& set = parts->shared.settings;
  parts->shared.budget.most = set.most_held_bytes;
  if (!set.plain) {
    PICKET_LET(certificate, tls_server::ServedCertificate::open(set.certificate_file, set.key_file, [](SSL_CTX* context) { ::SSL_CTX_set_alpn_select_cb(context, &choose_protocol, nullptr); }));
    parts->shared.certificate = std::move(certificate);
  }
  parts->listener = std::move(listener);
  PICKET_TRY(parts->listen());
  std::vector<std::shared_ptr<Inbox>> inboxes;
  for (unsigned i = 0; i < std::max(1u, set.threads); ++i) {
    parts->loops.push_back(std::make_unique<Loop>(parts->shared));
    PICKET_TRY(parts->loops.back()->open());
    inboxes.push_back(parts->loops.back()->inbox());
  }
  parts->loops.front()->listen_on(parts->listener.get(), std::move(inboxes));
  for (auto& loop : parts->loops) parts->threads.emplace_back([&one = *loop] { one.run(); });
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

std::uint16_t Server::port() const { return parts_->port; }

Result<bool> Server::look_at_certificate() {
  const auto& certificate = parts_->shared.certificate;
  return certificate ? certificate->look() : false;
}

picket::UniqueFd Server::drain(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  do {
    for (auto& loop : parts_->loops) loop->inbox()->finish();
    std::this_thread::sleep_for(kLook);
  } while (parts_->shared.connections > 0 && std::chrono::steady_clock::now() < until);
  return picket::UniqueFd(::fcntl(parts_->listener.get(), F_DUPFD_CLOEXEC, 0));
}

void Server::stop() {
  for (auto& loop : parts_->loops) loop->inbox()->close(false);
  for (auto& thread : parts_->threads)
    if (thread.joinable()) thread.join();
  parts_->listener.reset();
}

Counters Server::counters() const {
  const auto& shared = parts_->shared;
  return {shared.bytes_in, shared.bytes_out, shared.turned_away, shared.broken_off, shared.connections};
}

}  // namespace ksn_server
