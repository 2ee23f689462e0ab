// The tasks: one thread decides what is due, each run has a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include <picket/task/v1/control.pb.h>

#include "core/cancel.hpp"
#include "storage/storage.hpp"
#include "tasks/definition.hpp"
#include "tasks/records.hpp"
#include "tasks/tasks.hpp"
#include "tasks/work.hpp"

namespace picket::tasks {

namespace v1 = task::v1;

class Runner final : public Tasks, private bus::Handler {
 public:
  Runner(Options options, Parts parts, storage::FolderLock lock, storage::Counters counters, Records records);
  ~Runner() override;
  [[nodiscard]] Result<> start();

  Result<> apply_settings(std::string_view settings_json, bool goes_back) override;
  void update_interval_changed(bool goes_back) override;
  std::vector<std::string> problems() const override;

 private:
  struct Entry {
    Definition definition;
    Remembered remembered;
    v1::Run last;                      // run 0: none
    std::string waiting;               // the trigger it waits with for a free place; empty: it does not wait
    std::uint64_t turn = 0;            // the lowest is next
    bus::RequestId waiting_asker = 0;
    bool ran_since_start = false;      // or this start is none of its
    bool running = false;
    Due due;                           // by the clock
    // Of the schedule before this one: a policy that is refused brings it back.
    Remembered before;
    bool ran_before = false;           // its ran_since_start
  };
  struct Going {
    v1::Run run;
    bus::RequestId asker = 0;          // gets progress and the answer
    core::CancelSource cancel;
    std::string why_ended;             // the result that a cancellation means: cancelled, timed-out, interrupted
    std::int64_t stop_at_ms = 0;       // monotonic; 0: never
    bool done = false;
    std::thread thread;
  };
  using Lock = std::unique_lock<std::mutex>;

  // bus::Handler, on the peer's strand.
  void on_request(bus::RequestId id, const bus::MessagePtr& message) override;
  void on_message(const bus::MessagePtr& message) override;
  void on_cancel(bus::RequestId id) override;
  void answer_list(bus::RequestId id, const v1::ListRequest& request);
  void answer_start(bus::RequestId id, const v1::StartRequest& request);
  void answer_watch(bus::RequestId id, const v1::WatchRequest& request);
  void answer_cancel(bus::RequestId id, const v1::CancelRequest& request);
  void answer_history(bus::RequestId id, const v1::HistoryRequest& request);
  [[nodiscard]] v1::Task describe(const Entry& entry, const std::vector<std::string>& offered) const;
  [[nodiscard]] std::vector<std::string> types() const;  // that somebody offers now, in order: asks the router for every topic that there is
  template <class Message>
  void answer(bus::RequestId id, const Message& message);
  void refuse(bus::RequestId id, Code code, std::string_view text);
  void refuse_unknown(bus::RequestId id, std::string_view task);
  void give_up_waiting(Entry& entry, Code code, std::string_view why);  // whoever asked for it or watches it is told: no run will tell them

  // The deciding thread. All with the lock held.
  void decide();
  void notice_clock_jumps();
  void calculate(Entry& entry, std::int64_t now);   // when it is due by the clock
  void decide_due(Entry& entry, std::int64_t now);
  void make_wait(Entry& entry, std::string trigger);   // for a free place
  void start_waiting();
  void begin(Entry& entry);
  void finish_done(Lock& lock);
  void conclude(Going& going);
  void forget_running(const v1::Run& run);
  void trigger_followers(const v1::Run& run);
  void new_updates(std::string_view from_task, std::string_view from_type);
  void source_appeared();
  void set_pending(Entry& entry, std::chrono::seconds delay, std::string why, bool spread = true);  // spread: by the random delay, which spares a server
  void remember(Entry& entry, Remembered what);
  [[nodiscard]] std::chrono::milliseconds until_next() const;
  void take_settings(Settings settings, bool goes_back);
  void leave_out_past_start(Entry& entry, std::int64_t now);

  // A run's own thread.
  void work(Going& going, v1::WorkRequest request);
  void tell(const Going& going, const update::v1::Progress& progress);

  [[nodiscard]] const Work* host_work_of(std::string_view type) const;
  [[nodiscard]] Entry* find(std::string_view id);
  [[nodiscard]] Going* going_of(std::string_view id);
  void say(bool warning, std::string_view text) const {
    if (parts_.log) parts_.log(warning, text);
  }
  [[nodiscard]] bus::Peer& own_peer() {
    bus_.wait(nullptr);
    return *bus_.load();
  }

  const Options options_;
  const Parts parts_;
  const storage::FolderLock lock_;
  storage::Counters counters_;

  std::unique_ptr<bus::Caller> caller_;
  const std::vector<std::unique_ptr<Work>> work_ = host_work();
  std::unique_ptr<bus::Peer> peer_;
  std::atomic<bus::Peer*> bus_{nullptr};  // what handlers use: peer_ is not set yet while attach() returns

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false, look_ = false;
  Records records_;
  std::string settings_json_ = "{}";
  bool configured_ = false, outbreak_ = false;
  std::uint64_t turns_ = 0;
  std::size_t at_once_ = 2;
  std::map<std::string, Entry, std::less<>> entries_;
  std::list<Going> going_;
  std::vector<v1::Run> concluded_halfway_;  // by a run of the agent that was killed
  std::map<bus::RequestId, std::string> watchers_;  // whose id; empty: all
  std::int64_t agent_start_ = 0, awake_since_ = 0, outbreak_since_ = 0, lacking_since_ = 0, seen_wall_ = 0, seen_monotonic_ms_ = 0, told_update_at_ = -1;
  std::thread thread_;
};

}  // namespace picket::tasks
