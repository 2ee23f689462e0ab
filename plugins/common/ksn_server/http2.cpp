#include <nghttp2/nghttp2.h>

#include <unordered_map>

#include "ksn_server/head.hpp"
#include "ksn_server/protocol.hpp"
#include "ksn_server/server.hpp"

namespace ksn_server {
namespace {

constexpr std::uint32_t kStreams = 128;              // open at a time
constexpr std::int32_t kConnectionWindow = 2 << 20;  // bytes of requests in flight
constexpr std::uint32_t kStreamWindow = 1 << 20;
constexpr std::uint64_t kResets = 200;               // by the client, before answers must outnumber them

struct FreeSession {
  void operator()(nghttp2_session* session) const { ::nghttp2_session_del(session); }
  void operator()(nghttp2_session_callbacks* callbacks) const { ::nghttp2_session_callbacks_del(callbacks); }
  void operator()(nghttp2_option* option) const { ::nghttp2_option_del(option); }
};

struct Stream {
  std::string path, body;
  std::size_t head_bytes = 0, held = 0, sent = 0;
  std::uint64_t announced = 0;                       // content-length
  Head::Method method = Head::Method::other;
  std::int64_t began = 0, answered = 0;              // when; body is the answer's from `answered` on
  bool whole = false;
};

nghttp2_nv field(std::string_view name, std::string_view value) {
  // nghttp2 copies both; its type knows no const.
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())), reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

class Http2 final : public Protocol {
 public:
  Http2(Upper& upper, Budget& budget) : Protocol(upper, budget) {
    nghttp2_session_callbacks* made = nullptr;
    if (::nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
    const std::unique_ptr<nghttp2_session_callbacks, FreeSession> callbacks(made);
    ::nghttp2_session_callbacks_set_on_begin_headers_callback(made, &Http2::on_begin_c);
    ::nghttp2_session_callbacks_set_on_header_callback(made, &Http2::on_header_c);
    ::nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, &Http2::on_data_c);
    ::nghttp2_session_callbacks_set_on_frame_recv_callback(made, &Http2::on_frame_c);
    ::nghttp2_session_callbacks_set_on_stream_close_callback(made, &Http2::on_close_c);
    ::nghttp2_session_callbacks_set_send_data_callback(made, &Http2::send_data_c);
    nghttp2_option* option_made = nullptr;
    if (::nghttp2_option_new(&option_made) != 0) throw std::bad_alloc();
    const std::unique_ptr<nghttp2_option, FreeSession> option(option_made);
    ::nghttp2_option_set_no_closed_streams(option_made, 1);  // priorities are of no use here
    nghttp2_session* session = nullptr;
    if (::nghttp2_session_server_new2(&session, made, this, option_made) != 0) throw std::bad_alloc();
    session_.reset(session);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kStreams}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
                                               {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMostHead}};
    if (::nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings)) != 0 ||
        ::nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kConnectionWindow) != 0)
      throw std::bad_alloc();
    pump();
  }

  void feed(std::string_view bytes) override {
    if (over_) return;
    const auto taken = ::nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (taken < 0) {
      over_ = broken_ = true;
      return;
    }
    pump();
  }
  void go_on() override { pump(); }

  // RFC 9113 6.8: first a notice, so that what is on its way is still taken; then what was the last one, and the client asks others elsewhere.
  void finish(bool is_silent) override {
    if (over_ || finishing_) return;
    if (!is_silent) {
      if (std::exchange(noticed_, true)) return;
      ::nghttp2_submit_shutdown_notice(session_.get());
    } else {
      finishing_ = true;
      ::nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, ::nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR, nullptr, 0);
    }
    pump();
  }

  void answer(std::uint32_t id, int status, std::string body) override {
    const auto found = streams_.find(static_cast<std::int32_t>(id));
    if (over_ || found == streams_.end() || found->second.answered != 0) return;
    put(found->first, found->second, status, "application/x-protobuf", std::move(body));
    if (!inside_) pump();
  }

  [[nodiscard]] bool takes_more() const override { return !over_ && out_.size() < kEnoughOut; }
  [[nodiscard]] std::int64_t receiving_since() const override {
    return oldest([](const Stream& stream) { return stream.whole || stream.answered ? 0 : stream.began; });
  }
  [[nodiscard]] std::int64_t sending_since() const override {
    return oldest([](const Stream& stream) { return stream.answered; });
  }
  [[nodiscard]] bool is_answering() const override {
    for (const auto& [id, stream] : streams_)
      if (stream.whole && stream.answered == 0) return true;
    return false;
  }

 private:
  static Http2& self(void* user) { return *static_cast<Http2*>(user); }
  static int on_begin_c(nghttp2_session*, const nghttp2_frame* frame, void* user) { return self(user).on_begin(frame->hd.stream_id); }
  static int on_header_c(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                         std::uint8_t, void* user) {
    return self(user).on_header(frame->hd.stream_id, {reinterpret_cast<const char*>(name), name_size}, {reinterpret_cast<const char*>(value), value_size});
  }
  static int on_data_c(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size, void* user) {
    self(user).on_data(id, {reinterpret_cast<const char*>(data), size});
    return 0;
  }
  static int on_frame_c(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) self(user).on_whole(frame->hd.stream_id);
    return 0;
  }
  static int on_close_c(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    self(user).on_close(id, code);
    return 0;
  }
  static int send_data_c(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head, std::size_t length, nghttp2_data_source* source, void* user) {
    auto& me = self(user);
    auto& stream = *static_cast<Stream*>(source->ptr);
    me.out_.append(reinterpret_cast<const char*>(head), 9);
    if (frame->data.padlen > 0) me.out_.push_back(static_cast<char>(frame->data.padlen - 1));
    me.out_.append(stream.body, stream.sent, length);
    if (frame->data.padlen > 1) me.out_.append(frame->data.padlen - 1, '\0');
    stream.sent += length;
    return 0;
  }
  static ssize_t read_data_c(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t most, std::uint32_t* flags, nghttp2_data_source* source, void*) {
    const auto& stream = *static_cast<Stream*>(source->ptr);
    const auto count = std::min(most, stream.body.size() - stream.sent);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (stream.sent + count == stream.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }

  template <class When>
  [[nodiscard]] std::int64_t oldest(When when) const {
    std::int64_t out = 0;
    for (const auto& [id, stream] : streams_)
      if (const auto at = when(stream); at != 0 && (out == 0 || at < out)) out = at;
    return out;
  }

  [[nodiscard]] Stream* find(std::int32_t id) {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : &found->second;
  }

  int on_begin(std::int32_t id) {
    if (streams_.contains(id)) return 0;  // trailers
    streams_.try_emplace(id).first->second.began = upper_.now_ms();
    return 0;
  }

  int on_header(std::int32_t id, std::string_view name, std::string_view value) {
    auto* stream = find(id);
    if (stream == nullptr) return 0;
    stream->head_bytes += name.size() + value.size() + 32;  // as RFC 9113 6.5.2 counts
    if (stream->head_bytes > kMostHead) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets the stream
    if (name == ":method") {
      stream->method = method_of(value);
    } else if (name == ":path") {
      const auto path = value.substr(0, value.find('?'));
      if (!is_plain_path(path)) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      stream->path = path;
    } else if (name == "content-length" && parse_length(value, stream->announced) && stream->announced <= body_limit(stream->path)) {
      stream->body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(stream->announced, 4096)));
    }
    return 0;
  }

  void on_data(std::int32_t id, std::string_view data) {
    auto* stream = find(id);
    if (stream == nullptr || stream->answered != 0) return;
    if (stream->body.size() + data.size() > (stream->method == Head::Method::post ? body_limit(stream->path) : 0))
      return put(id, *stream, 413, "application/x-protobuf", refusal_of(413, "the body is too long for this request"));
    if (!hold(data.size())) return put(id, *stream, 503, "application/x-protobuf", refusal_of(503, "too much is being sent at once"));
    stream->held += data.size();
    stream->body.append(data);
  }

  void on_whole(std::int32_t id) {
    auto* stream = find(id);
    if (stream == nullptr || stream->whole) return;
    stream->whole = true;
    if (stream->answered != 0) return;
    if (stream->method == Head::Method::post) {
      const std::string body = std::move(stream->body);
      stream->body.clear();
      inside_ = true;
      upper_.on_post(static_cast<std::uint32_t>(id), stream->path, body);
      inside_ = false;
      return;
    }
    std::string text;
    if (stream->method == Head::Method::other) return put(id, *stream, 405, "application/x-protobuf", refusal_of(405, "GET, HEAD and POST are spoken here"));
    if (!upper_.page(stream->path, text)) return put(id, *stream, 404, "application/x-protobuf", refusal_of(404, "there is no such page"));
    put(id, *stream, 200, "text/html; charset=utf-8", std::move(text));
  }

  void on_close(std::int32_t id, std::uint32_t code) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    release(found->second.held);
    streams_.erase(found);
    if (code == NGHTTP2_NO_ERROR) {
      ++finished_;
    } else if (++resets_ > kResets && resets_ > finished_) {
      // Asking and taking it back costs us more than the client (CVE-2023-44487).
      broken_ = true;
      ::nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM);
    }
  }

  void put(std::int32_t id, Stream& stream, int status, std::string_view type, std::string body) {
    const bool is_bare = stream.method == Head::Method::head;  // the length of what GET would get, and no body: RFC 9110 9.3.2
    release(std::exchange(stream.held, 0));
    if (is_bare || hold(body.size())) {
      stream.held = is_bare ? 0 : body.size();
    } else {
      status = 503;
      body = refusal_of(503, "too many answers wait to be taken");
    }
    stream.answered = upper_.now_ms();
    const std::string code = std::to_string(status), length = std::to_string(body.size());
    stream.body = is_bare ? std::string() : std::move(body);
    const nghttp2_nv fields[] = {field(":status", code), field("content-type", type), field("content-length", length), field("date", upper_.date())};
    const nghttp2_data_provider data{{.ptr = &stream}, &Http2::read_data_c};
    if (::nghttp2_submit_response(session_.get(), id, fields, std::size(fields), is_bare ? nullptr : &data) != 0) ::nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
    // The rest of a body that is refused is not waited for (RFC 9113 8.1): the reset goes out behind the answer.
    if (!stream.whole) unread_.push_back(id);
  }

  void pump() {
    while (out_.size() < kEnoughOut) {
      const std::uint8_t* data = nullptr;
      const auto size = ::nghttp2_session_mem_send(session_.get(), &data);
      if (size < 0) {
        over_ = true;
        return;
      }
      if (size == 0) {
        if (unread_.empty() || !drop_unread()) break;
        continue;
      }
      out_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
    if (::nghttp2_session_want_read(session_.get()) == 0 && ::nghttp2_session_want_write(session_.get()) == 0) over_ = true;
  }

  bool drop_unread() {
    bool any = false;
    for (std::size_t i = 0; i < unread_.size();) {
      const auto* stream = find(unread_[i]);
      if (stream != nullptr && stream->sent < stream->body.size()) {
        ++i;  // the window is shut
        continue;
      }
      if (stream != nullptr) {
        ::nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, unread_[i], NGHTTP2_NO_ERROR);
        any = true;
      }
      unread_[i] = unread_.back();
      unread_.pop_back();
    }
    return any;
  }

  // Stable addresses: nghttp2 keeps pointers to the streams while they send.
  std::unordered_map<std::int32_t, Stream> streams_;
  std::vector<std::int32_t> unread_;
  std::uint64_t resets_ = 0, finished_ = 0;
  bool inside_ = false, noticed_ = false, finishing_ = false;
  std::unique_ptr<nghttp2_session, FreeSession> session_;  // last: its end may call back
};

}  // namespace

std::unique_ptr<Protocol> make_http2(Upper& upper, Budget& budget) { return std::make_unique<Http2>(upper, budget); }

}  // namespace ksn_server
