#include "ksn_server/head.hpp"
#include "ksn_server/protocol.hpp"
#include "ksn_server/server.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_server {

namespace v1 = picket::ksn::v1;

bool Budget::take(std::size_t bytes) {
  if (held.fetch_add(bytes, std::memory_order_relaxed) + bytes <= most && (all == nullptr || all->take(bytes))) return true;
  held.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

void Budget::give_back(std::size_t bytes) {
  held.fetch_sub(bytes, std::memory_order_relaxed);
  if (all != nullptr) all->give_back(bytes);
}

Protocol::~Protocol() { release(held_); }

bool Protocol::hold(std::size_t bytes) {
  if (!budget_.take(bytes)) return false;
  held_ += bytes;
  return true;
}

void Protocol::release(std::size_t bytes) {
  budget_.give_back(bytes);
  held_ -= bytes;
}

std::string refusal_of(int status, std::string_view text) {
  const auto why = status == 413 || status == 431 ? v1::Refusal::TOO_LARGE : status == 404 || status == 405 || status == 501 ? v1::Refusal::UNKNOWN_REQUEST
                   : status == 503 ? v1::Refusal::UNAVAILABLE : v1::Refusal::MALFORMED;
  return refusal(why, text, status == 503 ? 1 : 0);
}

namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "200 OK";
    case 400: return "400 Bad Request";
    case 403: return "403 Forbidden";
    case 404: return "404 Not Found";
    case 405: return "405 Method Not Allowed";
    case 408: return "408 Request Timeout";
    case 409: return "409 Conflict";
    case 411: return "411 Length Required";
    case 413: return "413 Content Too Large";
    case 417: return "417 Expectation Failed";
    case 429: return "429 Too Many Requests";
    case 431: return "431 Request Header Fields Too Large";
    case 500: return "500 Internal Server Error";
    case 501: return "501 Not Implemented";
    case 503: return "503 Service Unavailable";
    case 505: return "505 HTTP Version Not Supported";
    default: return {};
  }
}

// One request at a time: the next one is looked at when the answer stands in out().
class Http1 final : public Protocol {
 public:
  Http1(Upper& upper, Budget& budget) : Protocol(upper, budget) {}

  void feed(std::string_view bytes) override {
    if (over_) return;
    if (in_.empty()) {
      began_ = upper_.now_ms();
      in_.assign(bytes.substr(work(bytes)));
    } else {
      in_.append(bytes);
      shorten(work(in_));
    }
  }

  void go_on() override {
    if (out_.empty() && held_out_ > 0) release(std::exchange(held_out_, 0));
    if (!over_ && !in_.empty()) shorten(work(in_));
  }

  void finish(bool is_silent) override {
    finishing_ = true;
    over_ = over_ || (is_silent && !waits_ && in_.empty());
  }

  void answer(std::uint32_t stream, int status, std::string body) override {
    if (over_ || !waits_ || stream != stream_) return;
    waits_ = false;
    if (!hold(body.size())) {
      status = 503;
      body = refusal_of(503, "too many answers wait to be taken");
    } else {
      held_out_ += body.size();
    }
    put(status, "application/x-protobuf", body, keep_alive_ && !finishing_);
  }

  [[nodiscard]] bool takes_more() const override { return !over_ && !waits_ && out_.size() < kEnoughOut; }
  [[nodiscard]] std::int64_t receiving_since() const override { return waits_ || in_.empty() ? 0 : began_; }
  [[nodiscard]] std::int64_t sending_since() const override { return 0; }
  [[nodiscard]] bool is_answering() const override { return waits_; }

 private:
  void shorten(std::size_t used) {
    in_.erase(0, used);
    if (in_.empty() && in_.capacity() > 1024) std::string().swap(in_);  // an idle connection keeps nothing
  }

  // Returns how many bytes are done with.
  std::size_t work(std::string_view bytes) {
    std::size_t used = 0;
    while (takes_more() && used < bytes.size()) {
      const auto rest = bytes.substr(used);
      const bool was_parsed = have_head_;
      if (!have_head_) {
        const auto parsed = parse_head(rest, head_);
        if (parsed.what == ParsedHead::What::incomplete) break;
        if (parsed.what == ParsedHead::What::bad) return refuse(parsed.status, parsed.why), bytes.size();
        if (head_.method == Head::Method::post) {
          if (head_.body_bytes > body_limit(head_.path)) return refuse(413, "the body is too long for this request"), bytes.size();
          if (!hold(head_.body_bytes)) return refuse(503, "too much is being sent at once"), bytes.size();
        }
        have_head_ = true;
        head_bytes_ = parsed.bytes;
        body_bytes_ = head_.body_bytes;
        if (head_.expects_continue && rest.size() < head_bytes_ + body_bytes_) out_.append("HTTP/1.1 100 Continue\r\n\r\n");
      }
      if (rest.size() < head_bytes_ + body_bytes_) break;
      // The bytes may have moved since the head was parsed.
      if (was_parsed && parse_head(rest, head_).what != ParsedHead::What::complete) return refuse(400, "the head is malformed"), bytes.size();
      used += head_bytes_ + body_bytes_;
      have_head_ = false;
      take(rest.substr(head_bytes_, body_bytes_));
    }
    return over_ ? bytes.size() : used;
  }

  void take(std::string_view body) {
    began_ = upper_.now_ms();  // of what follows
    keep_alive_ = head_.keep_alive && !finishing_;
    if (head_.method == Head::Method::post) {
      waits_ = true;
      ++stream_;
      upper_.on_post(stream_, head_.path, body);
      release(std::exchange(body_bytes_, 0));
      return;
    }
    std::string text;
    if (head_.method == Head::Method::other) return refuse(405, "GET, HEAD and POST are spoken here");
    const bool is_bare = head_.method == Head::Method::head;
    if (!upper_.page(head_.path, text)) return put(404, "application/x-protobuf", refusal_of(404, "there is no such page"), keep_alive_, is_bare);
    put(200, "text/html; charset=utf-8", text, keep_alive_, is_bare);
  }

  void refuse(int status, std::string_view why) {
    broken_ = status == 400;
    put(status, "application/x-protobuf", refusal_of(status, why), false);
  }

  // is_bare: the length of what GET would get, and no body (RFC 9110 9.3.2).
  void put(int status, std::string_view type, std::string_view body, bool keep, bool is_bare = false) {
    const auto reason = reason_of(status);
    const std::string number = std::to_string(status), length = std::to_string(body.size());
    out_.reserve(out_.size() + 192 + body.size());
    out_.append("HTTP/1.1 ").append(reason.empty() ? std::string_view(number) : reason).append(reason.empty() ? " \r\nContent-Type: " : "\r\nContent-Type: ").append(type);
    out_.append("\r\nContent-Length: ").append(length).append("\r\nDate: ").append(upper_.date());
    if (status == 405) out_.append("\r\nAllow: GET, HEAD, POST");
    out_.append(keep ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n").append(is_bare ? std::string_view() : body);
    over_ = over_ || !keep;
  }

  std::string in_;
  Head head_;
  bool have_head_ = false, waits_ = false, keep_alive_ = true, finishing_ = false;
  std::size_t head_bytes_ = 0, body_bytes_ = 0;
  std::size_t held_out_ = 0;
  std::int64_t began_ = 0;
  std::uint32_t stream_ = 0;
};

}  // namespace

std::unique_ptr<Protocol> make_http1(Upper& upper, Budget& budget) { return std::make_unique<Http1>(upper, budget); }

}  // namespace ksn_server
