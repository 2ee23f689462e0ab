#include "bench/ksn_load.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>

namespace picket::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kChunk = 64u << 10;

double seconds_of(Clock::duration time) { return std::chrono::duration<double>(time).count(); }
double cpu_now() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  const auto of = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return of(used.ru_utime) + of(used.ru_stime);
}

// What one connection is in the middle of.
struct Connection {
  int fd = -1;
  SSL* tls = nullptr;
  nghttp2_session* http2 = nullptr;
  std::size_t next = 0;               // body
  bool busy = false;
  Clock::time_point due;
  std::string out;                    // not yet sent
  // HTTP/1.1
  std::string head;
  std::uint64_t left = 0;
  bool in_body = false;
  // of the answer
  int status = 0;
  std::uint64_t got = 0;
  std::string* keeps = nullptr;       // the body, of one connection only
  const std::string* sending = nullptr;
  std::size_t sent = 0;
  bool done = false;
};

std::size_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t most, std::uint32_t* flags, nghttp2_data_source* source) {
  auto& connection = *static_cast<Connection*>(source->ptr);
  const auto count = std::min(most, connection.sending->size() - connection.sent);
  std::memcpy(to, connection.sending->data() + connection.sent, count);
  connection.sent += count;
  if (connection.sent == connection.sending->size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return count;
}

}  // namespace

class Load::Parts {
 public:
  explicit Parts(LoadOptions options) : options_(std::move(options)), chunk_(kChunk) {}
  ~Parts() {
    for (auto& one : connections_) {
      if (one->http2 != nullptr) ::nghttp2_session_del(one->http2);
      ::SSL_free(one->tls);
      if (one->fd >= 0) ::close(one->fd);
    }
    if (epoll_ >= 0) ::close(epoll_);
    ::SSL_CTX_free(context_);
  }

  [[nodiscard]] Result<> connect() {
    ::prctl(PR_SET_TIMERSLACK, 1000UL);  // nanoseconds, of this thread's sleeps
    context_ = ::SSL_CTX_new(::TLS_client_method());
    ::SSL_CTX_set_read_ahead(context_, 1);
    if (::SSL_CTX_load_verify_locations(context_, options_.certificate.c_str(), nullptr) != 1) return fail(Code::invalid, "the certificate cannot be read");
    ::SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < options_.connections; ++i) {
      auto one = std::make_unique<Connection>();
      PICKET_TRY(open(*one));
      one->next = i * 7919 % options_.bodies.size();
      if (i == 0) one->keeps = &last_;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = one.get();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, one->fd, &event);
      connections_.push_back(std::move(one));
    }
    if (!options_.http2)
      for (const auto& body : options_.bodies)
        requests_.push_back(cat("POST ", options_.path, " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: ", std::to_string(body.size()),
                                "\r\n\r\n", body));
    return {};
  }

  LoadResult drive(std::uint64_t requests, double seconds, double rate) {
    LoadResult out;
    const auto began = Clock::now();
    const double cpu = cpu_now();
    std::uint64_t begun = 0;
    std::deque<Connection*> idle;
    for (auto& one : connections_) idle.push_back(one.get());
    std::size_t busy = 0;
    const auto is_over = [&](Clock::time_point now) { return (seconds > 0 && seconds_of(now - began) >= seconds) || (requests > 0 && begun >= requests); };
    epoll_event events[256];
    for (;;) {
      auto now = Clock::now();
      const bool over = is_over(now);
      if (over && busy == 0) break;
      if (seconds_of(now - began) > seconds + 60 && seconds > 0) break;  // hangs
      const auto due = [&] { return began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(rate == 0 ? 0 : static_cast<double>(begun) / rate)); };
      while (!idle.empty() && !is_over(now) && (rate == 0 || due() <= now)) {
        auto* one = idle.front();
        idle.pop_front();
        one->due = rate == 0 ? now : due();
        if (rate > 0) out.sent_late.push_back(seconds_of(now - one->due) * 1000);
        begin(*one);
        ++begun;
        ++busy;
      }
      // Paced, it sleeps until the next is due, or an answer comes where all wait for one: a load that turns round takes a processor that others would take from the
      // server instead.
      const auto wait = rate == 0 || over || idle.empty() ? Clock::duration(std::chrono::seconds(1)) : std::clamp<Clock::duration>(due() - Clock::now(), Clock::duration(0), std::chrono::seconds(1));
      const auto seconds_of_wait = std::chrono::floor<std::chrono::seconds>(wait);
      const timespec until{seconds_of_wait.count(), std::chrono::nanoseconds(wait - seconds_of_wait).count()};
      const int count = ::epoll_pwait2(epoll_, events, 256, &until, nullptr);
      for (int i = 0; i < count; ++i) {
        auto& one = *static_cast<Connection*>(events[i].data.ptr);
        if (!receive(one)) {
          ++out.bad;
          one.busy = false;
          --busy;  // gone for good
          ::epoll_ctl(epoll_, EPOLL_CTL_DEL, one.fd, nullptr);
          continue;
        }
        if (!one.busy || !one.done) continue;
        ++out.requests;
        if (one.status != 200) ++out.bad;
        out.bytes += one.got;
        out.milliseconds.push_back(seconds_of(Clock::now() - one.due) * 1000);
        one.busy = false;
        --busy;
        idle.push_back(&one);
      }
    }
    out.seconds = seconds_of(Clock::now() - began);
    out.cpu_seconds = cpu_now() - cpu;
    std::sort(out.milliseconds.begin(), out.milliseconds.end());
    std::sort(out.sent_late.begin(), out.sent_late.end());
    return out;
  }
  [[nodiscard]] const std::string& last() const { return last_; }

 private:
  [[nodiscard]] Result<> open(Connection& one) {
    one.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(one.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(one.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return fail_errno("connect");
    one.tls = ::SSL_new(context_);
    ::SSL_set_fd(one.tls, one.fd);
    static constexpr unsigned char h2[] = "\x2h2", h1[] = "\x8http/1.1";
    ::SSL_set_alpn_protos(one.tls, options_.http2 ? h2 : h1, options_.http2 ? 3 : 9);
    if (::SSL_connect(one.tls) != 1) return fail(Code::unavailable, "no TLS connection");
    ::fcntl(one.fd, F_SETFL, O_NONBLOCK);
    if (options_.http2) {
      nghttp2_session_callbacks* callbacks = nullptr;
      ::nghttp2_session_callbacks_new(&callbacks);
      ::nghttp2_session_callbacks_set_on_header_callback(
          callbacks, [](nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t size, const std::uint8_t* value, std::size_t, std::uint8_t, void* user) {
            if (size == 7 && std::memcmp(name, ":status", 7) == 0) static_cast<Connection*>(user)->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
            return 0;
          });
      ::nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data, std::size_t size, void* user) {
        auto& connection = *static_cast<Connection*>(user);
        connection.got += size;
        if (connection.keeps != nullptr) connection.keeps->append(reinterpret_cast<const char*>(data), size);
        return 0;
      });
      ::nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, [](nghttp2_session*, std::int32_t, std::uint32_t, void* user) {
        static_cast<Connection*>(user)->done = true;
        return 0;
      });
      ::nghttp2_session_client_new(&one.http2, callbacks, &one);
      ::nghttp2_session_callbacks_del(callbacks);
      const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1u << 30}};
      ::nghttp2_submit_settings(one.http2, NGHTTP2_FLAG_NONE, settings, 1);
      ::nghttp2_session_set_local_window_size(one.http2, NGHTTP2_FLAG_NONE, 0, 1 << 30);
    }
    return {};
  }

  void begin(Connection& one) {
    one.busy = true;
    one.done = false;
    one.status = 0;
    one.got = 0;
    if (one.keeps != nullptr) one.keeps->clear();
    const auto body = one.next++ % options_.bodies.size();
    if (one.http2 == nullptr) {
      send(one, requests_[body]);
      return;
    }
    one.sending = &options_.bodies[body];
    one.sent = 0;
    const auto field = [](const char* name, const char* value) {
      return nghttp2_nv{reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)), reinterpret_cast<std::uint8_t*>(const_cast<char*>(value)), std::strlen(name), std::strlen(value),
                        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
    };
    const nghttp2_nv fields[] = {field(":method", "POST"), field(":scheme", "https"), field(":authority", "localhost"), field(":path", options_.path.c_str()),
                                 field("content-type", "application/x-protobuf")};
    const nghttp2_data_provider data{{.ptr = &one}, [](nghttp2_session* session, std::int32_t id, std::uint8_t* to, std::size_t most, std::uint32_t* flags, nghttp2_data_source* source,
                                                       void*) { return static_cast<ssize_t>(read_body(session, id, to, most, flags, source)); }};
    ::nghttp2_submit_request(one.http2, nullptr, fields, std::size(fields), &data, nullptr);
    flush(one);
  }

  void flush(Connection& one) {
    one.out.clear();
    const std::uint8_t* data = nullptr;
    for (ssize_t size = 0; (size = ::nghttp2_session_mem_send(one.http2, &data)) > 0;) one.out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    if (!one.out.empty()) send(one, one.out);
  }
  // Requests are short: a socket takes them at once, or nothing goes on.
  void send(Connection& one, const std::string& bytes) { (void)::SSL_write(one.tls, bytes.data(), static_cast<int>(bytes.size())); }

  [[nodiscard]] bool receive(Connection& one) {
    do {
      const int size = ::SSL_read(one.tls, chunk_.data(), static_cast<int>(chunk_.size()));
      if (size <= 0) {
        if (::SSL_get_error(one.tls, size) != SSL_ERROR_WANT_READ) return false;
        break;
      }
      const std::string_view bytes(chunk_.data(), static_cast<std::size_t>(size));
      if (one.http2 != nullptr) {
        if (::nghttp2_session_mem_recv(one.http2, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) < 0) return false;
      } else if (!take(one, bytes)) {
        return false;
      }
    } while (::SSL_has_pending(one.tls) != 0);
    if (one.http2 != nullptr && ::nghttp2_session_want_write(one.http2) != 0) flush(one);
    return true;
  }

  [[nodiscard]] static bool take(Connection& one, std::string_view bytes) {
    if (!one.in_body) {
      one.head.append(bytes);
      const auto end = one.head.find("\r\n\r\n");
      if (end == one.head.npos) return one.head.size() < 8192;
      const auto length = one.head.find("Content-Length: ");
      if (length == one.head.npos) return false;
      one.status = std::atoi(one.head.c_str() + 9);
      one.left = std::strtoull(one.head.c_str() + length + 16, nullptr, 10);
      one.in_body = true;
      bytes = bytes.substr(bytes.size() - (one.head.size() - end - 4));
      one.head.clear();
    }
    if (bytes.size() > one.left) return false;
    one.left -= bytes.size();
    one.got += bytes.size();
    if (one.keeps != nullptr) one.keeps->append(bytes);
    if (one.left == 0) {
      one.in_body = false;
      one.done = true;
    }
    return true;
  }

  const LoadOptions options_;
  std::vector<std::string> requests_;
  SSL_CTX* context_ = nullptr;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<char> chunk_;
  std::string last_;
};

Load::Load(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Load::~Load() = default;

Result<std::unique_ptr<Load>> Load::connect(LoadOptions options) {
  auto parts = std::make_unique<Parts>(std::move(options));
  PICKET_TRY(parts->connect());
  return std::unique_ptr<Load>(new Load(std::move(parts)));
}
LoadResult Load::run(std::uint64_t requests, double seconds) { return parts_->drive(requests, seconds, 0); }
LoadResult Load::run_at(double rate, double seconds) { return parts_->drive(0, seconds, rate); }
const std::string& Load::last() const { return parts_->last(); }

}  // namespace picket::bench
