// Posts, and waits for what comes of it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>

#include "ksn_channel/channel.hpp"

namespace ksn_channel_test {

// Shared with the callback: it may come after the test gave up waiting.
class Waiting {
 public:
  [[nodiscard]] ksn_channel::Channel::Done done() const {
    return [state = state_](picket::Result<ksn_channel::Answer> answer) {
      const std::lock_guard lock(state->mutex);
      state->answer = std::move(answer);
      ++state->times;
      state->changed.notify_all();
    };
  }
  [[nodiscard]] picket::Result<ksn_channel::Answer> wait() const {
    std::unique_lock lock(state_->mutex);
    if (!state_->changed.wait_for(lock, std::chrono::seconds(60), [&] { return state_->answer.has_value(); }))
      return picket::fail(picket::Code::internal, "the test got no answer at all");
    return *state_->answer;
  }
  [[nodiscard]] unsigned times() const {
    const std::lock_guard lock(state_->mutex);
    return state_->times;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<picket::Result<ksn_channel::Answer>> answer;
    unsigned times = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

inline picket::Result<ksn_channel::Answer> post(ksn_channel::Channel& channel, const ksn_channel::Road& road, std::string_view path = "/ksn/v1/hello",
                                                std::chrono::milliseconds deadline = std::chrono::seconds(30), std::string body = "question") {
  const Waiting waiting;
  channel.post(road, path, std::move(body), deadline, waiting.done());
  return waiting.wait();
}

}  // namespace ksn_channel_test
