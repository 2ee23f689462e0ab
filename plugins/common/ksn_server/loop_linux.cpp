#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "ksn_server/loop.hpp"

namespace ksn_server {
namespace {

constexpr std::uint64_t kInboxId = 0, kListenerId = 1;  // of slot 0 and generation 0, which no connection has
constexpr int kAtOnce = 128;

std::string peer_of(const sockaddr_storage& from) {
  char text[INET6_ADDRSTRLEN] = "";
  if (from.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(from).sin_addr, text, sizeof text);
  } else if (from.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(from).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) ::inet_ntop(AF_INET, &address.s6_addr[12], text, sizeof text);
    else ::inet_ntop(AF_INET6, &address, text, sizeof text);
  }
  return text;
}

}  // namespace

Budget* Shared::admit(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  if (connections.load(std::memory_order_relaxed) >= settings.most_connections) return nullptr;
  auto& of_peer = per_peer_[peer];
  if (of_peer.connections >= settings.most_per_peer) return nullptr;
  if (of_peer.connections++ == 0) {
    of_peer.budget.most = settings.most_held_per_peer;
    of_peer.budget.all = &budget;
  }
  connections.fetch_add(1, std::memory_order_relaxed);
  return &of_peer.budget;
}

void Shared::leave(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  connections.fetch_sub(1, std::memory_order_relaxed);
  if (const auto found = per_peer_.find(peer); found != per_peer_.end() && --found->second.connections == 0) per_peer_.erase(found);
}

// ---- Inbox

picket::Result<> Inbox::open() {
  event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_) return picket::fail_errno("make an eventfd");
  return {};
}

void Inbox::wake() {
  if (std::exchange(woken_, true)) return;
  const std::uint64_t one = 1;
  (void)!::write(event_.get(), &one, sizeof one);
}

void Inbox::deliver(std::uint64_t connection, std::uint32_t stream, int status, std::string body) {
  if (thread_.load(std::memory_order_relaxed) == std::this_thread::get_id() && loop_->answer_at_once(connection, stream, status, body)) return;
  const std::lock_guard lock(mutex_);
  if (gone_) return;
  deliveries_.push_back({connection, stream, status, std::move(body)});
  wake();
}

void Inbox::adopt(Newcomer newcomer) {
  const std::lock_guard lock(mutex_);
  if (gone_) return;
  newcomers_.push_back(std::move(newcomer));
  wake();
}

void Inbox::belongs_to(Loop* loop) {
  loop_ = loop;
  thread_.store(loop != nullptr ? std::this_thread::get_id() : std::thread::id());
}

void Inbox::close(bool now) {
  const std::lock_guard lock(mutex_);
  stop_ = true;
  if (now) {
    gone_ = true;
    deliveries_.clear();
    newcomers_.clear();
  }
  wake();
}

void Inbox::finish() {
  const std::lock_guard lock(mutex_);
  finishing_ = true;
  wake();
}

bool Inbox::take(std::vector<Delivery>& deliveries, std::vector<Newcomer>& newcomers) {
  std::uint64_t count = 0;
  (void)!::read(event_.get(), &count, sizeof count);
  const std::lock_guard lock(mutex_);
  woken_ = false;
  deliveries.swap(deliveries_);
  newcomers.swap(newcomers_);
  return !stop_;
}

// ---- Loop

Loop::~Loop() { inbox_->close(true); }

picket::Result<> Loop::open() {
  PICKET_TRY(inbox_->open());
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return picket::fail_errno("make an epoll");
  scratch_.resize(kScratch);
  look_at_clock();
  watch(inbox_->event(), kInboxId, EPOLLIN, true);
  return {};
}

void Loop::listen_on(int listener, std::vector<std::shared_ptr<Inbox>> loops) {
  listener_ = listener;
  loops_ = std::move(loops);
  watch(listener_, kListenerId, EPOLLIN, true);
}

void Loop::watch(int socket, std::uint64_t id, std::uint32_t events, bool is_new) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_.get(), is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event) != 0) throw std::bad_alloc();  // ENOMEM, ENOSPC
}

void Loop::look_at_clock() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  now_ms_ = static_cast<std::int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000 + 1;
  const std::time_t wall = std::time(nullptr);
  if (wall == date_of_ && !date_.empty()) return;
  date_of_ = wall;
  std::tm parts{};
  ::gmtime_r(&wall, &parts);
  char text[40];
  // The C locale: nothing of a plugin changes the thread's.
  date_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
}

Connection* Loop::find(std::uint64_t id) {
  const auto slot = static_cast<std::uint32_t>(id);
  if (slot >= slots_.size() || slots_[slot].generation != static_cast<std::uint32_t>(id >> 32)) return nullptr;
  return slots_[slot].connection.get();
}

void Loop::end(std::uint64_t id) {
  auto& slot = slots_[static_cast<std::uint32_t>(id)];
  slot.connection.reset();
  if (++slot.generation == 0) slot.generation = 1;
  free_.push_back(static_cast<std::uint32_t>(id));
  --count_;
}

void Loop::join(Newcomer newcomer) {
  std::uint32_t at = 0;
  try {
    if (free_.empty()) {
      free_.reserve(slots_.size() + 1);  // so that end() cannot fail
      at = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      at = free_.back();
      free_.pop_back();
    }
    const auto id = static_cast<std::uint64_t>(slots_[at].generation) << 32 | at;
    slots_[at].connection = std::make_unique<Connection>(*this, id, std::move(newcomer.socket), newcomer.peer, *newcomer.budget);
    ++count_;
  } catch (const std::bad_alloc&) {
    shared_.leave(newcomer.peer);
    if (at < slots_.size() && !slots_[at].connection) free_.push_back(at);
  }
}

bool Loop::answer_at_once(std::uint64_t connection, std::uint32_t stream, int status, std::string& body) {
  return at_work != nullptr && at_work == find(connection) && at_work->answer_at_once(stream, status, body);
}

void Loop::accept_all() {
  for (int i = 0; i < kAtOnce; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    picket::UniqueFd socket(::accept4(listener_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      // No descriptor or no memory is left: what is open goes on, new ones wait for the next tick. Else a client went away.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pauses_accepting_ = true;
        watch(listener_, kListenerId, 0, false);
      }
      if (errno != EINTR && errno != ECONNABORTED) return;
      continue;
    }
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto peer = peer_of(from);
    auto* budget = shared_.admit(peer);
    if (budget == nullptr) {
      shared_.turned_away.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    loops_[next_++ % loops_.size()]->adopt({std::move(socket), std::move(peer), budget});
  }
}

void Loop::tick() {
  last_tick_ = now_ms_;
  if (pauses_accepting_) {
    pauses_accepting_ = false;
    watch(listener_, kListenerId, EPOLLIN, false);
  }
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].connection && !slots_[i].connection->is_in_time()) end(static_cast<std::uint64_t>(slots_[i].generation) << 32 | i);
}

void Loop::finish() {
  if (listener_ >= 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, std::exchange(listener_, -1), nullptr);
  pauses_accepting_ = false;
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].connection && !slots_[i].connection->finish()) end(static_cast<std::uint64_t>(slots_[i].generation) << 32 | i);
}

void Loop::run() {
  // OpenSSL knows no MSG_NOSIGNAL. Blocked for this thread only: the process's handling is not ours to change.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  inbox_->belongs_to(this);
  std::vector<Inbox::Delivery> deliveries;
  std::vector<Newcomer> newcomers;
  epoll_event events[kAtOnce];
  for (bool goes_on = true; goes_on;) {
    // Nobody is connected: nothing wakes it but a newcomer.
    const int count = ::epoll_wait(epoll_.get(), events, kAtOnce, count_ == 0 && !pauses_accepting_ ? -1 : 1000);
    look_at_clock();
    for (int i = 0; i < count; ++i) {
      const auto id = events[i].data.u64;
      if (id == kInboxId) {
        deliveries.clear();
        newcomers.clear();
        goes_on = inbox_->take(deliveries, newcomers);
        for (auto& one : newcomers) join(std::move(one));
        for (auto& one : deliveries)
          if (auto* connection = find(one.connection); connection != nullptr && !connection->on_answer(one.stream, one.status, std::move(one.body))) end(one.connection);
        continue;
      }
      bool keep = id == kListenerId;  // which has no slot
      try {
        if (id == kListenerId) {
          if (listener_ >= 0) accept_all();
          continue;
        }
        auto* connection = find(id);
        keep = connection == nullptr || connection->on_ready(events[i].events);
      } catch (const std::bad_alloc&) {
        at_work = nullptr;
      }
      if (!keep) end(id);
    }
    if (inbox_->is_finishing()) finish();
    if (now_ms_ - last_tick_ >= 1000) tick();
  }
  slots_.clear();
  inbox_->belongs_to(nullptr);
  inbox_->close(true);
}

}  // namespace ksn_server
