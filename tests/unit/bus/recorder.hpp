// A handler that writes down what it hears, and lets tests wait for it or hold it up.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "bus/bus.hpp"

namespace picket::bus {

inline constexpr std::chrono::seconds kPatience{30};

class Recorder : public Handler {
 public:
  struct Heard {
    std::string what;  // "message", "request", "stream", "reply", "credit", "cancel"
    std::uint64_t id = 0;
    std::int64_t number = 0;  // status or credit
    MessagePtr message;
    [[nodiscard]] std::string payload() const { return message ? std::string(message->payload()) : std::string(); }
  };

  void on_message(const MessagePtr& m) override { add({"message", 0, 0, m}); }
  void on_request(RequestId id, const MessagePtr& m) override {
    add({"request", id, 0, m});
    if (answer) answer(id, m);
  }
  void on_stream(Token token, const MessagePtr& m) override { add({"stream", token, 0, m}); }
  void on_reply(Token token, Status status, const MessagePtr& m) override { add({"reply", token, status, m}); }
  void on_credit(RequestId id, std::uint64_t bytes) override { add({"credit", id, static_cast<std::int64_t>(bytes), nullptr}); }
  void on_cancel(RequestId id) override { add({"cancel", id, 0, nullptr}); }

  std::function<void(RequestId, const MessagePtr&)> answer;

  // From now on the handler hangs in its next call, until let_go().
  void hold() {
    const std::scoped_lock lock(mutex_);
    held_ = true;
  }
  void let_go() {
    const std::scoped_lock lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  [[nodiscard]] bool wait_until_held() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return hanging_; });
  }

  template <class Condition>
  [[nodiscard]] bool wait(const Condition& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return condition(heard_); });
  }
  [[nodiscard]] bool wait_for(std::size_t count) {
    return wait([&](const std::vector<Heard>& heard) { return heard.size() >= count; });
  }
  [[nodiscard]] bool wait_for(const std::string& what, std::size_t count = 1) { return wait([&](const auto& heard) { return number_of(heard, what) >= count; }); }
  [[nodiscard]] std::vector<Heard> heard() {
    const std::scoped_lock lock(mutex_);
    return heard_;
  }
  [[nodiscard]] std::vector<Heard> heard(const std::string& what) {
    std::vector<Heard> some;
    for (auto& one : heard())
      if (one.what == what) some.push_back(one);
    return some;
  }
  [[nodiscard]] std::vector<std::string> payloads() {
    std::vector<std::string> payloads;
    for (const auto& one : heard()) payloads.push_back(one.payload());
    return payloads;
  }

 private:
  static std::size_t number_of(const std::vector<Heard>& heard, const std::string& what) {
    std::size_t count = 0;
    for (const auto& one : heard) count += one.what == what ? 1 : 0;
    return count;
  }
  void add(Heard heard) {
    std::unique_lock lock(mutex_);
    heard_.push_back(std::move(heard));
    changed_.notify_all();
    hanging_ = held_;
    changed_.notify_all();
    changed_.wait_for(lock, kPatience, [&] { return !held_; });
    hanging_ = false;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Heard> heard_;
  bool held_ = false, hanging_ = false;
};

}  // namespace picket::bus
