// picket/stream.hpp - the answering side of one request: a stream of bytes as the asker's credit allows, then the final answer. Header only.
//
//   auto answer = std::make_shared<picket::plugin::Answer>(host_, request_id);   // in on_request
//   answer->on_credit(bytes); answer->abandon();                                 // in on_credit, on_cancel, stop
//   answer->write(part); answer->finish(type, payload);                          // on a thread of the plugin's own
//
// Any thread; one writer at a time. After abandon() has returned, no call of the host is made for this request any more.
#pragma once

#include <picket/plugin.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <string_view>

namespace picket::plugin {

class Answer {
 public:
  Answer(Host host, std::uint64_t request_id) : host_(host), id_(request_id) {}
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  [[nodiscard]] std::uint64_t id() const { return id_; }

  struct Taken {
    picket_status status;  // OK: all taken. BUSY: the rest waits for credit. CANCELLED, NOT_FOUND: nobody wants it any more.
    std::size_t bytes;
  };

  // Sends what the credit allows, without waiting. The credit is the host's to count; what on_credit said is only a hint, since it may be
  // older than the last write. So a refused size is halved, down to `kFragment`, before the rest is left for later.
  [[nodiscard]] Taken offer(std::string_view data) {
    const std::lock_guard lock(mutex_);
    std::size_t taken = 0;
    std::uint64_t most = PICKET_BUS_MAX_PAYLOAD;
    while (taken < data.size()) {
      if (done_) return {PICKET_E_CANCELLED, taken};
      const std::uint64_t size = std::min({most, bound_, static_cast<std::uint64_t>(data.size() - taken)});
      if (size == 0) return {PICKET_E_BUSY, taken};
      const picket_status status = host_.stream_write(id_, data.substr(taken, size));
      if (status == PICKET_OK) {
        taken += size;
        written_ += size;
        if (bound_ != kUnknown) bound_ -= size;
        continue;
      }
      if (status != PICKET_E_BUSY) {
        done_ = true;
        return {status, taken};
      }
      bound_ = size - 1;
      most = size / 2;
      const std::uint64_t floor = written_ == 0 && !told_ ? 1 : kFragment;
      if (most < floor) {
        // Nothing smaller is worth a message. Should the hint have been wrong, the next offer tries all sizes again.
        bound_ = kUnknown;
        return {PICKET_E_BUSY, taken};
      }
    }
    return {PICKET_OK, taken};
  }

  // Sends all of it, waiting for credit. `patience` bounds a wait without any progress.
  [[nodiscard]] picket_status write(std::string_view data, std::chrono::milliseconds patience = std::chrono::hours(24)) {
    return retried(patience, [&](bool& progress) {
      const Taken taken = offer(data);
      data.remove_prefix(taken.bytes);
      progress = taken.bytes > 0;
      return taken.status;
    });
  }

  // For streams of messages, one a chunk: all of it in one piece, or BUSY. At most PICKET_BUS_MAX_PAYLOAD bytes.
  [[nodiscard]] picket_status offer_message(std::string_view message) {
    const std::lock_guard lock(mutex_);
    if (done_) return PICKET_E_CANCELLED;
    const picket_status status = host_.stream_write(id_, message);
    if (status == PICKET_OK) {
      written_ += message.size();
      if (bound_ != kUnknown) bound_ -= std::min<std::uint64_t>(bound_, message.size());
    } else if (status != PICKET_E_BUSY) {
      done_ = true;
    }
    return status;
  }
  [[nodiscard]] picket_status write_message(std::string_view message, std::chrono::milliseconds patience = std::chrono::hours(24)) {
    return retried(patience, [&](bool&) { return offer_message(message); });
  }

  // From on_credit: what may be written now in all.
  void on_credit(std::uint64_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      bound_ = bytes;
      told_ = true;
      ++grants_;
    }
    credit_came_.notify_all();
  }
  [[nodiscard]] std::uint64_t grants() const {
    const std::lock_guard lock(mutex_);
    return grants_;
  }

  // The final answer; only the first one is sent.
  picket_status finish(std::string_view content_type, std::string_view payload) { return respond(PICKET_OK, content_type, payload); }
  picket_status refuse(picket_status status, std::string_view why, std::string_view content_type = {}) { return respond(status, content_type, why); }

  void abandon() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    credit_came_.notify_all();
  }
  // True once answered, abandoned, or found to be unwanted.
  [[nodiscard]] bool is_done() const {
    const std::lock_guard lock(mutex_);
    return done_;
  }

 private:
  static constexpr std::uint64_t kUnknown = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::uint64_t kFragment = 512;

  template <class Attempt>
  [[nodiscard]] picket_status retried(std::chrono::milliseconds patience, Attempt&& attempt) {
    auto give_up = std::chrono::steady_clock::now() + patience;
    while (true) {
      const std::uint64_t seen = grants();
      bool progress = false;
      const picket_status status = attempt(progress);
      if (status != PICKET_E_BUSY) return status;
      const auto now = std::chrono::steady_clock::now();
      if (progress) give_up = now + patience;
      if (now >= give_up) return PICKET_E_TIMEOUT;
      std::unique_lock lock(mutex_);
      // A look every quarter of a second costs nothing while a transfer runs, and needs no faith in the last on_credit.
      credit_came_.wait_until(lock, std::min(give_up, now + std::chrono::milliseconds(250)), [&] { return done_ || grants_ != seen; });
    }
  }

  picket_status respond(picket_status status, std::string_view content_type, std::string_view payload) {
    const std::lock_guard lock(mutex_);
    if (done_) return PICKET_E_NOT_FOUND;
    done_ = true;
    credit_came_.notify_all();  // a writer on another thread ends
    // Silence would let the asker wait.
    if (payload.size() > PICKET_BUS_MAX_PAYLOAD) return host_.refuse(id_, PICKET_E_TOO_LARGE, "the answer is larger than the bus takes");
    return host_.respond(id_, status, content_type, payload);
  }

  const Host host_;
  const std::uint64_t id_;
  mutable std::mutex mutex_;  // also held during the host's calls, which never block and never call back
  std::condition_variable credit_came_;
  std::uint64_t bound_ = kUnknown;  // as far as we know, not more than this may be written
  std::uint64_t written_ = 0;
  std::uint64_t grants_ = 0;
  bool told_ = false;
  bool done_ = false;
};

}  // namespace picket::plugin
