// Asks over the bus and waits. Header only.
//
//   auto reply = asker_.call({.topic = "picket.update.status"}, cancelled);          // on a thread of the plugin's own
//   asker_.on_stream(token, chunk); asker_.on_reply(token, status, message);       // in the hooks of the same names
//   asker_.stop();                                                                 // in stop(), before the thread is joined
#pragma once

#include <picket/plugin.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace picket::plugin {

class Asker {
 public:
  // Tokens are counted up from `first`: choose one beyond those that the plugin uses for requests of its own.
  explicit Asker(Host host, std::uint64_t first = 1u << 20) : host_(host), next_(first) {}

  struct Question {
    std::string_view topic, to{}, content_type{}, payload{};
    std::chrono::milliseconds timeout{10'000};
    std::string* answer_type = nullptr;   // receives the content type of the answer, also of an error
  };
  using Sink = std::function<Result<>(std::string_view chunk)>;

  // The answer's payload. Chunks of stream go to `sink` on the calling thread, at most `window` bytes ahead; its error ends the request.
  // `stall`: Code::timeout when nothing comes for so long.
  [[nodiscard]] Result<std::string> call(const Question& question, const std::atomic<bool>& cancelled, const Sink& sink = {}, std::uint64_t window = 0,
                                         std::chrono::milliseconds stall = std::chrono::hours(24)) {
    if (question.payload.size() > PICKET_BUS_MAX_PAYLOAD)
      return fail(Code::too_large, cat("the question for ", question.topic, " has ", std::to_string(question.payload.size()), " bytes: one message of the bus holds ",
                                       std::to_string(PICKET_BUS_MAX_PAYLOAD)));
    std::unique_lock lock(mutex_);
    if (stopped_) return fail(Code::cancelled, "stopping");
    const std::uint64_t token = next_++;
    auto& open = open_[token];
    lock.unlock();
    const auto status = host_.request(question.topic, question.to, question.content_type, question.payload, static_cast<std::uint32_t>(question.timeout.count()), token, window);
    lock.lock();
    if (status != PICKET_OK) {
      open_.erase(token);
      return fail(code_of(status), cat("nobody can be asked for ", question.topic, question.to.empty() ? "" : " at ", question.to));
    }
    auto last = std::chrono::steady_clock::now();
    while (true) {
      if (stopped_ || cancelled) return give_up(lock, token, {Code::cancelled, "cancelled"});
      if (!open.chunks.empty()) {
        const std::string chunk = std::move(open.chunks.front());
        open.chunks.pop_front();
        lock.unlock();
        auto taken = sink ? sink(chunk) : Result<>();
        if (taken) (void)host_.grant(token, chunk.size());
        lock.lock();
        if (!taken) return give_up(lock, token, std::move(taken).error());
        last = std::chrono::steady_clock::now();
        continue;
      }
      if (open.done) {
        const auto end = open.status;
        std::string payload = std::move(open.payload);
        if (question.answer_type != nullptr) *question.answer_type = std::move(open.content_type);
        open_.erase(token);
        if (end == PICKET_OK) return payload;
        return fail(code_of(end), payload.empty() ? cat("no answer to ", question.topic) : std::move(payload));
      }
      const auto now = std::chrono::steady_clock::now();
      if (now - last >= stall) return give_up(lock, token, {Code::timeout, cat("nothing came for ", std::to_string(stall.count() / 1000), " s")});
      // A cancellation is noticed within a quarter of a second even if nobody calls wake().
      changed_.wait_for(lock, std::min<std::chrono::steady_clock::duration>(std::chrono::milliseconds(250), last + stall - now));
    }
  }

  // False: no request of ours.
  bool on_stream(std::uint64_t token, std::string_view chunk) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(token);
    if (found == open_.end()) return false;
    found->second.chunks.emplace_back(chunk);
    changed_.notify_all();
    return true;
  }
  bool on_reply(std::uint64_t token, picket_status status, const Message& message) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(token);
    if (found == open_.end()) return false;
    found->second.done = true;
    found->second.status = status;
    found->second.payload = message.payload;
    found->second.content_type = message.content_type;
    changed_.notify_all();
    return true;
  }
  void wake() { changed_.notify_all(); }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  void start() {
    const std::lock_guard lock(mutex_);
    stopped_ = false;
    open_.clear();
  }

  // The numbers of picket_status are those of Code, negated.
  [[nodiscard]] static Code code_of(picket_status status) { return status < 0 && status >= PICKET_E_INTERNAL ? static_cast<Code>(-status) : Code::internal; }

 private:
  struct Open {
    std::deque<std::string> chunks;
    bool done = false;
    picket_status status = PICKET_OK;
    std::string payload, content_type;
  };

  [[nodiscard]] tl::unexpected<Error> give_up(std::unique_lock<std::mutex>& lock, std::uint64_t token, Error error) {
    open_.erase(token);
    lock.unlock();
    (void)host_.cancel(token);
    return fail(std::move(error));
  }

  Host host_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Open> open_;
  std::uint64_t next_;
  bool stopped_ = false;
};

}  // namespace picket::plugin
