// Shared by the tests of the runner: the tasks on a real bus, with a plugin that does as the test says and a clock that the test moves.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <picket/distribution_point/v1/distribution_point.pb.h>
#include <picket/task/v1/control.pb.h>
#include <picket/update/v1/update.pb.h>

#include "base/files.hpp"
#include "support/temporary_folder.hpp"
#include "tasks/records.hpp"
#include "tasks/tasks.hpp"
#include "unit/tasks/bus_fixture.hpp"

namespace picket::tasks {

namespace fs = std::filesystem;
namespace v1 = task::v1;
using testing::HasSubstr;

class MovedClock final : public core::Clock {
 public:
  std::int64_t wall_seconds() const override { return wall; }
  std::chrono::milliseconds monotonic() const override { return std::chrono::milliseconds(passed.load()); }
  void pass(std::int64_t time) {
    passed += time * 1000;
    wall += time;
  }
  std::atomic<std::int64_t> wall{1'800'000'000}, passed{0};
};

class Utc final : public Zone {
 public:
  std::int64_t offset_at(std::int64_t) const override { return 0; }
};

// Answers picket.task.type.test as told: at once, or when the test lets it.
class Plugin final : private bus::Handler {
 public:
  Plugin(bus::Router& router, const std::string& topic) {
    bus::PeerOptions options;
    options.name = "plugin." + topic;
    options.allow.answers = {topic};
    options.allow.publishes = {{"picket.update.finished", bus::Kind::event}, {"picket.distribution_point.finished", bus::Kind::event}, {"picket.source.appeared", bus::Kind::event}};
    auto attached = router.attach(std::move(options), *this);
    EXPECT_TRUE(attached) << attached.error().message;
    peer_ = std::move(*attached);
  }
  ~Plugin() override { peer_.reset(); }

  std::atomic<bool> holds{false};       // does not answer by itself
  void say(std::string result, std::string text = "", bool news = false) {
    const std::lock_guard lock(mutex_);
    reply_.set_result(std::move(result));
    reply_.set_text(std::move(text));
    reply_.set_news(news);
  }
  // In place of a WorkReply.
  void say_bytes(std::string bytes) {
    const std::lock_guard lock(mutex_);
    bytes_ = std::move(bytes);
  }
  bool wait_for_asked(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return asked_.size() >= count; });
  }
  bool wait_for_cancelled() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return cancelled_; });
  }
  std::vector<v1::WorkRequest> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    for (const auto id : held_) respond(id);
    held_.clear();
  }
  bus::Status publish(std::string_view topic, std::string_view bytes) { return peer_->publish(topic, "", "", bytes); }

 private:
  void respond(bus::RequestId id) {
    update::v1::Progress progress;
    progress.set_step("work");
    progress.set_total(10);
    progress.set_done(10);
    (void)peer_->stream_write(id, progress.SerializeAsString());
    peer_->respond(id, bus::kOk, "", bytes_.empty() ? reply_.SerializeAsString() : bytes_);
  }
  void on_request(bus::RequestId id, const bus::MessagePtr& message) override {
    const std::lock_guard lock(mutex_);
    v1::WorkRequest request;
    EXPECT_TRUE(request.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size())));
    asked_.push_back(request);
    if (holds) held_.push_back(id);
    else respond(id);
    changed_.notify_all();
  }
  void on_cancel(bus::RequestId id) override {
    const std::lock_guard lock(mutex_);
    std::erase(held_, id);
    cancelled_ = true;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  v1::WorkReply reply_ = [] {
    v1::WorkReply out;
    out.set_result("ok");
    return out;
  }();
  std::string bytes_;
  std::vector<v1::WorkRequest> asked_;
  std::vector<bus::RequestId> held_;
  bool cancelled_ = false;
  std::unique_ptr<bus::Peer> peer_;
};

class TasksTest : public BusTest {
 protected:
  void open(std::string_view settings) {
    tasks_.reset();
    auto tasks = Tasks::open({root_ / "tasks", "pc-1", std::chrono::milliseconds(5)},
                             {.router = *router_, .clock = clock_, .zone = zone_, .update_interval = [this] { return update_interval_; }, .update_runs_at = [this](std::int64_t at) { update_at_ = at; },
                              .log = {}, .is_update_lacking = [this] { return is_lacking_.load(); }});
    ASSERT_TRUE(tasks) << tasks.error().message;
    tasks_ = std::move(*tasks);
    const auto taken = tasks_->apply_settings(settings);
    ASSERT_TRUE(taken) << taken.error().message;
  }
  template <class Reply, class Question>
  Result<Reply> ask(std::string_view topic, const Question& question) {
    const auto payload = question.SerializeAsString();
    auto answer = caller_->call({.topic = topic, .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(60)});
    if (!answer) return fail(std::move(answer).error());
    Reply out;
    if (!out.ParseFromString(answer->payload)) return fail(Code::invalid, "answer does not parse");
    return out;
  }
  Result<v1::Run> run(const std::string& id, bool detach = false) {
    v1::StartRequest request;
    request.set_id(id);
    request.set_detach(detach);
    return ask<v1::Run>("picket.task.run", request);
  }
  v1::Task show(const std::string& id) {
    v1::ShowRequest request;
    request.set_id(id);
    auto task = ask<v1::Task>("picket.task.show", request);
    EXPECT_TRUE(task) << task.error().message;
    return task ? *task : v1::Task();
  }
  std::vector<v1::Run> history(const std::string& id = "") {
    v1::HistoryRequest request;
    request.set_id(id);
    auto reply = ask<v1::HistoryReply>("picket.task.history", request);
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? std::vector<v1::Run>(reply->runs().begin(), reply->runs().end()) : std::vector<v1::Run>();
  }
  // Waits for the condition, which someone else's thread makes true.
  template <class Condition>
  [[nodiscard]] bool comes_true(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
  MovedClock clock_;
  Utc zone_;
  std::atomic<std::int64_t> update_at_{-1};
  std::chrono::seconds update_interval_{7200};
  std::atomic<bool> is_lacking_{false};
  std::unique_ptr<Plugin> plugin_ = std::make_unique<Plugin>(*router_, "picket.task.type.test");
  std::unique_ptr<Tasks> tasks_;
};

}  // namespace picket::tasks
