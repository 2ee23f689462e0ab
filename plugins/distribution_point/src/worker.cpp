#include "worker.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>

#include "connection.hpp"
#include "response.hpp"

namespace distribution_point {
namespace {

constexpr std::size_t kMostFiles = 256;              // open at a time and thread
constexpr std::uint64_t kSmallFile = 16'384;         // goes out with its head in one call
constexpr std::uint64_t kMostCached = 8u << 20;      // bytes of small files

}  // namespace

bool Shared::admit(const picket::Address& address) {
  if (counters.connections.fetch_add(1) >= settings.most_connections) {
    counters.connections.fetch_sub(1);
    counters.refused.fetch_add(1);
    return false;
  }
  const std::lock_guard lock(mutex_);
  auto& count = per_address_[address];
  if (count >= settings.most_per_address) {
    counters.connections.fetch_sub(1);
    counters.refused.fetch_add(1);
    return false;
  }
  ++count;
  return true;
}

void Shared::leave(const picket::Address& address) {
  counters.connections.fetch_sub(1);
  const std::lock_guard lock(mutex_);
  const auto found = per_address_.find(address);
  if (found != per_address_.end() && --found->second == 0) per_address_.erase(found);
}

Worker::Worker(Shared& shared) : shared_(shared), catalogue_(std::make_shared<Catalogue>()), scratch_(kScratch) { look_at_clocks(); }
Worker::~Worker() = default;

void Worker::look_at_clocks() {
  now_ = std::chrono::steady_clock::now();
  const std::time_t wall = shared_.parts.clock ? shared_.parts.clock() : std::time(nullptr);
  date_ = picket::cat("Date: ", http_date(wall), "\r\n");
  std::tm local{};
  ::localtime_r(&wall, &local);
  day_ = local.tm_wday;
  minute_ = local.tm_hour * 60 + local.tm_min;
}

void Worker::run() {
  // sendfile and OpenSSL know no MSG_NOSIGNAL. Blocked for this thread only: the process's handling is not ours to change.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  tick();
  io_.run();
}

void Worker::stop() {
  asio::post(io_, [this] {
    stopping_ = true;
    ticker_.cancel();
    for (auto it = members_.begin(); it != members_.end();)
      if (const auto member = (it++)->lock()) member->close();
    io_.stop();
  });
}

void Worker::close_idle() {
  for (auto it = members_.begin(); it != members_.end();)
    if (const auto member = (it++)->lock()) member->close_if_idle();
}

void Worker::tick() {
  if (stopping_) return;
  look_at_clocks();
  for (auto it = members_.begin(); it != members_.end();)
    if (const auto member = (it++)->lock()) member->check_deadline();
  ticker_.expires_after(std::chrono::seconds(1));
  ticker_.async_wait([this](const boost::system::error_code& error) {
    if (!error) tick();
  });
}

void Worker::adopt(asio::ip::tcp::socket socket, const picket::Address& from, bool tls) {
  auto connection = std::make_shared<Connection>(*this, std::move(socket), from);
  connection->start(members_.insert(members_.end(), connection), tls);
}

void Worker::turn_away(asio::ip::tcp::socket socket, bool tls) {
  boost::system::error_code ignored;
  if (!tls) {
    std::string out;
    answer_text(503, "text/plain", "too many connections\n", false, true, "", out);
    (void)::send(socket.native_handle(), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    // Unread bytes would turn the close into a reset, which can take the answer with it.
    char dropped[2048];
    (void)::recv(socket.native_handle(), dropped, sizeof dropped, MSG_DONTWAIT);
  }
  socket.close(ignored);
}

void Worker::use(std::shared_ptr<const Catalogue> catalogue) {
  files_.clear();  // keyed by entries of the old one
  cached_bytes_ = 0;
  catalogue_ = std::move(catalogue);
}

std::shared_ptr<OpenFile> Worker::open(const Entry& entry) {
  if (const auto known = files_.find(&entry); known != files_.end()) return known->second;
  auto file = std::make_shared<OpenFile>();
  file->fd.reset(::open(entry.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file->fd) return nullptr;
  if (entry.size <= kSmallFile && entry.size > 0) {
    auto bytes = picket::read_all(file->fd.get(), entry.size);
    if (!bytes || bytes->size() != entry.size) return nullptr;
    file->content = std::move(*bytes);
    file->fd.reset();
  }
  if (files_.size() >= kMostFiles || cached_bytes_ + file->content.size() > kMostCached) {
    // Whatever comes first: the order is as good as random, and a file that is in demand is back at once.
    cached_bytes_ -= files_.begin()->second->content.size();
    files_.erase(files_.begin());
  }
  cached_bytes_ += file->content.size();
  files_.emplace(&entry, file);
  return file;
}

}  // namespace distribution_point
