#include "curl_source/loop.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>

namespace curl_source {
namespace {

constexpr std::size_t kMostWaiting = 64;

}  // namespace

class Loop::Multi {
 public:
  Multi() {
    ::curl_global_init(CURL_GLOBAL_DEFAULT);  // counted and thread-safe since 7.84
    handle_ = ::curl_multi_init();
    if (handle_ == nullptr) return;
    // One transfer per connection: a paused HTTP/2 stream would hold up the others of its connection.
    ::curl_multi_setopt(handle_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
    ::curl_multi_setopt(handle_, CURLMOPT_MAXCONNECTS, 8L);
  }
  ~Multi() {
    // FTP says goodbye on connections it kept and waits for the answer: on one to a server that hangs, for two minutes.
    for (const curl_socket_t socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    if (handle_ != nullptr) ::curl_multi_cleanup(handle_);
    ::curl_global_cleanup();
  }
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;
  [[nodiscard]] CURLM* get() const { return handle_; }

  void add(CURL* easy) {
    ::curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Multi::open_socket);
    ::curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
    ::curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &Multi::close_socket);
    ::curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, static_cast<void*>(this));
    ::curl_multi_add_handle(handle_, easy);
  }

  // Ends a transfer that still runs. libssh2 says goodbye too, gives up after a second in which this thread stands still, and then never
  // frees its session: on a socket that is shut down it neither waits nor forgets.
  void cut(CURL* easy) {
    long port = 0;
    ::curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &port);
    for (const curl_socket_t socket : sockets_)
      if (port != 0 && local_port(socket) == port) ::shutdown(socket, SHUT_RDWR);
    ::curl_multi_remove_handle(handle_, easy);
  }

 private:
  static long local_port(curl_socket_t socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
    return address.ss_family == AF_INET6 ? ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port) : 0;
  }
  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* where) {
    const int fd = ::socket(where->family, where->socktype | SOCK_CLOEXEC, where->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    try {
      static_cast<Multi*>(self)->sockets_.insert(fd);
    } catch (...) {
      ::close(fd);
      return CURL_SOCKET_BAD;
    }
    return fd;
  }
  static int close_socket(void* self, curl_socket_t fd) {
    static_cast<Multi*>(self)->sockets_.erase(fd);
    return ::close(fd);
  }

  CURLM* handle_ = nullptr;
  std::set<curl_socket_t> sockets_;
};

Loop::Loop(LoopOptions options) : options_(std::move(options)) {}

Loop::~Loop() { stop(); }

bool Loop::submit(std::unique_ptr<Transfer> transfer) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || waiting_.size() >= kMostWaiting) return false;
  waiting_.push_back(std::move(transfer));
  if (running_) {
    work_came_.notify_one();
    if (multi_ != nullptr) ::curl_multi_wakeup(multi_);
    return true;
  }
  if (thread_.joinable()) thread_.join();  // it has left its loop and holds nothing
  running_ = true;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    running_ = false;
    waiting_.pop_back();
    throw;
  }
  return true;
}

void Loop::wake() {
  const std::lock_guard lock(mutex_);
  if (multi_ != nullptr) ::curl_multi_wakeup(multi_);
}

void Loop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
    if (multi_ != nullptr) ::curl_multi_wakeup(multi_);
  }
  work_came_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Loop::take_new(std::vector<std::unique_ptr<Transfer>>& running) {
  std::unique_lock lock(mutex_);
  if (running.empty() && waiting_.empty() && !stopping_)
    work_came_.wait_for(lock, options_.linger, [&] { return stopping_ || !waiting_.empty(); });
  if (stopping_ || (running.empty() && waiting_.empty())) {
    // From here on nobody touches the multi handle but this thread, and submit starts another one.
    multi_ = nullptr;
    running_ = false;
    return false;
  }
  while (!waiting_.empty() && running.size() < options_.parallel) {
    running.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return true;
}

void Loop::run() {
  Multi multi;
  Resolver resolver(options_.fallback_resolvers);
  {
    const std::lock_guard lock(mutex_);
    multi_ = multi.get();
  }
  std::vector<std::unique_ptr<Transfer>> running;
  std::size_t begun = 0;  // the first so many of `running` are known to libcurl
  while (take_new(running)) {
    for (; begun < running.size();) {
      const auto ready = multi.get() != nullptr ? running[begun]->prepare() : failed(PICKET_E_INTERNAL, "libcurl cannot be started");
      if (ready) {
        running[begun]->use_resolver(resolver);
        multi.add(running[begun]->easy());
        ++begun;
      } else {
        running[begun]->fail(ready.error());
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(begun));
      }
    }
    int active = 0, left = 0;
    ::curl_multi_perform(multi.get(), &active);
    while (const CURLMsg* message = ::curl_multi_info_read(multi.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const easy = message->easy_handle;
      const CURLcode code = message->data.result;
      Transfer* transfer = nullptr;
      ::curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
      transfer->look_at_connection();
      ::curl_multi_remove_handle(multi.get(), easy);
      if (transfer->ended(code) == Transfer::Step::again) ::curl_multi_add_handle(multi.get(), easy);
    }
    resolver.process();
    const auto now = Clock::now();
    auto next = now + std::chrono::seconds(10);
    for (std::size_t i = 0; i < running.size();) {
      const auto serviced = running[i]->service(now);
      next = std::min(next, serviced.until);
      if (serviced.next == Transfer::Next::go_on) {
        ++i;
        continue;
      }
      if (running[i]->is_running()) multi.cut(running[i]->easy());
      if (serviced.next == Transfer::Next::again) {
        ::curl_multi_add_handle(multi.get(), running[i++]->easy());
        next = now;
        continue;
      }
      running[i]->finish();  // harmless when nobody waits
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
      --begun;
    }
    if (running.empty()) continue;  // take_new waits
    const auto wait = resolver.wait_at_most(std::max(std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()), std::chrono::milliseconds(0))).count();
    std::vector<curl_waitfd> sockets;
    resolver.add_to(sockets);
    ::curl_multi_poll(multi.get(), sockets.data(), static_cast<unsigned>(sockets.size()), static_cast<int>(std::clamp<long long>(wait, 0, 10'000)), nullptr);
  }
  for (std::size_t i = 0; i < begun; ++i)
    if (running[i]->is_running()) multi.cut(running[i]->easy());
}

}  // namespace curl_source
