// Kills the tasks before every single write, while a task runs and one that follows it. Afterwards every run that began is in the history,
// once, under a number of its own, and what was to follow follows.
#include <atomic>
#include <csignal>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <picket/task/v1/control.pb.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.hpp"
#include "bus/caller.hpp"
#include "runtime/executor.hpp"
#include "support/leftovers.hpp"
#include "support/temporary_folder.hpp"
#include "tasks/tasks.hpp"

namespace picket::tasks {
namespace {

namespace fs = std::filesystem;
namespace v1 = task::v1;

// Shared with the child that dies.
struct Seen {
  std::atomic<long> steps;
  struct One {
    char task;
    std::uint64_t run;
    char result;  // of those in the history: 'o' ok, 'i' interrupted
  };
  std::atomic<std::size_t> asked_count;
  One asked[16];
  std::size_t history_count;
  One history[16];
};

class StillClock final : public core::Clock {
 public:
  std::int64_t wall_seconds() const override { return 1'800'000'000; }
  std::chrono::milliseconds monotonic() const override { return std::chrono::seconds(100); }
};
class Utc final : public Zone {
 public:
  std::int64_t offset_at(std::int64_t) const override { return 0; }
};

class Worker final : private bus::Handler {
 public:
  Worker(bus::Router& router, Seen& seen) : seen_(seen) {
    bus::PeerOptions options;
    options.name = "worker";
    options.allow.answers = {"picket.task.type.test"};
    peer_ = std::move(*router.attach(std::move(options), *this));
    ready_ = true;
    ready_.notify_all();
  }
  ~Worker() override { peer_.reset(); }

 private:
  void on_request(bus::RequestId id, const bus::MessagePtr& message) override {
    ready_.wait(false);
    v1::WorkRequest request;
    (void)request.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size()));
    const auto index = seen_.asked_count++;
    if (index < std::size(seen_.asked)) seen_.asked[index] = {request.task()[0], request.run(), '?'};
    v1::WorkReply reply;
    reply.set_result("ok");
    peer_->respond(id, bus::kOk, "", reply.SerializeAsString());
  }
  Seen& seen_;
  std::unique_ptr<bus::Peer> peer_;
  std::atomic<bool> ready_{false};
};

class TasksKill : public ::testing::Test {
 protected:
  TasksKill() : seen_(static_cast<Seen*>(::mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~TasksKill() override { ::munmap(seen_, sizeof(Seen)); }

  // The status that a life ends with; `start`: runs x; then waits until y has followed it, if x is recorded as good.
  int live(long kill_at, bool start) {
    seen_->steps = 0;
    seen_->asked_count = 0;
    seen_->history_count = 0;
    const pid_t child = ::fork();
    if (child == 0) ::_exit(one_life(kill_at, start));
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }
  int one_life(long kill_at, bool start) {
    StillClock clock;
    Utc zone;
    auto executor = runtime::Executor::make(2);
    auto router = bus::Router::make(*executor);
    bus::PeerOptions asking;
    asking.name = "test";
    asking.allow.asks = {"picket.*"};
    auto caller = std::move(*bus::Caller::attach(*router, std::move(asking)));
    int outcome = 0;
    {
      Worker worker(*router, *seen_);
      Options options{root_ / "tasks", "pc-1", std::chrono::milliseconds(5)};
      options.at_step = [&](std::string_view) {
        if (++seen_->steps == kill_at) ::kill(::getpid(), SIGKILL);
      };
      auto tasks = Tasks::open(std::move(options), {.router = *router, .clock = clock, .zone = zone, .update_interval = [] { return std::chrono::seconds(0); }, .update_runs_at = {}, .log = {}});
      if (!tasks) return 10;
      if (!(*tasks)->apply_settings(R"({"tasks":{"x":{"type":"test"},"y":{"type":"test","schedule":{"after":{"task":"x"}}}}})")) return 11;
      const auto ask = [&](std::string_view topic, const auto& question, auto& reply) {
        const auto payload = question.SerializeAsString();
        auto answer = caller->call({.topic = topic, .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(20)});
        return answer && reply.ParseFromString(answer->payload);
      };
      v1::StartRequest x;
      x.set_id("x");
      v1::Run run;
      if (start && !ask("picket.task.run", x, run)) return 12;
      outcome = 13;
      const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(15);
      while (outcome != 0 && std::chrono::steady_clock::now() < until) {
        v1::HistoryReply history;
        v1::ListReply list;
        if (!ask("picket.task.history", v1::HistoryRequest(), history) || !ask("picket.task.list", v1::ListRequest(), list)) return 14;
        bool x_good = false, y_there = false, idle = true;
        for (const auto& one : history.runs()) {
          x_good = x_good || (one.task() == "x" && one.result() == "ok");
          y_there = y_there || one.task() == "y";
        }
        for (const auto& task : list.tasks()) idle = idle && task.state() == "idle";
        if (!idle || (x_good && !y_there)) {
          std::this_thread::yield();
          continue;
        }
        for (const auto& one : history.runs())
          if (seen_->history_count < std::size(seen_->history)) seen_->history[seen_->history_count++] = {one.task()[0], one.run(), one.result()[0]};
        outcome = 0;
      }
    }
    caller.reset();
    return outcome;
  }
  void forget() {
    fs::remove_all(root_ / "tasks");
  }

  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
  Seen* const seen_;
};

TEST_F(TasksKill, at_every_write_records_each_run_once_and_forgets_nothing_that_is_to_follow) {
  ASSERT_EQ(live(0, true), 0);
  const long steps = seen_->steps;
  ASSERT_EQ(seen_->asked_count, 2u);
  ASSERT_GT(steps, 8);
  for (long step = 1; step <= steps; ++step) {
    SCOPED_TRACE(step);
    forget();
    const int status = live(step, true);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    const std::vector<Seen::One> asked(seen_->asked, seen_->asked + seen_->asked_count);
    std::uint64_t highest = 0;
    for (const auto& one : asked) highest = std::max(highest, one.run);
    // And killed again at the same place of its second life, which must not lose it either.
    support::leave_cut_off_write(root_ / "tasks/journal");
    const int again = live(step, false);
    ASSERT_TRUE(WIFSIGNALED(again) || again == 0) << again;
    const std::vector<Seen::One> asked_again(seen_->asked, seen_->asked + seen_->asked_count);
    ASSERT_EQ(live(0, false), 0) << "what was to follow did not, or the records could not be opened";
    EXPECT_EQ(support::leftovers_below(root_ / "tasks"), "");
    std::map<std::uint64_t, Seen::One> history;
    for (std::size_t i = 0; i < seen_->history_count; ++i) EXPECT_TRUE(history.emplace(seen_->history[i].run, seen_->history[i]).second) << "run " << seen_->history[i].run << " twice";
    for (const auto* began : {&asked, &asked_again})
      for (const auto& one : *began) {
        ASSERT_TRUE(history.contains(one.run)) << "run " << one.run << " began and is not in the history";
        EXPECT_EQ(history.at(one.run).task, one.task);
        EXPECT_TRUE(history.at(one.run).result == 'o' || history.at(one.run).result == 'i');
      }
    for (const auto& one : asked_again) EXPECT_GT(one.run, highest) << "a number was given twice";
    for (std::size_t i = 0; i < seen_->asked_count; ++i) EXPECT_GT(seen_->asked[i].run, highest) << "a number was given twice";
    // A third life finds nothing more to do.
    const auto count = history.size();
    ASSERT_EQ(live(0, false), 0);
    EXPECT_EQ(seen_->asked_count, 0u);
    EXPECT_EQ(seen_->history_count, count);
  }
}

}  // namespace
}  // namespace picket::tasks
