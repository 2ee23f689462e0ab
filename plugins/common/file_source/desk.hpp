// What every source with blocking reads does with the bus: gives each request to a worker thread, passes on credit and cancellation. Plugin thread.
// Each source has threads of its own, and one that hangs is refused: a dead mount keeps no other source waiting, and no more threads than its own.
#pragma once

#include <picket/plugin.hpp>
#include <picket/stream.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "file_source/store.hpp"
#include "file_source/workers.hpp"

namespace file_source {

class Desk {
 public:
  // kind: "folder", for texts. patience: how long a read that nobody waits for any more may take to come back before it is said to hang.
  Desk(picket::plugin::Host host, std::string kind, std::shared_ptr<Store> store, std::chrono::milliseconds patience = std::chrono::seconds(2))
      : host_(host), kind_(std::move(kind)), store_(std::move(store)), patience_(patience) {}

  void start(std::size_t threads) { threads_ = threads; }  // of each lane
  void stop();  // throws what the status shall say when a read hangs all the same
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request);
  void on_credit(std::uint64_t request_id, std::uint64_t bytes);
  void on_cancel(std::uint64_t request_id);

  // For sources that come and go. `missing` is called on a worker thread when a file was asked of one that is not there.
  void watch(std::function<void()> missing) { open_->missing_one = std::move(missing); }
  // Looks for those that were missing, on a worker thread, and calls `appeared` there for each that has come. false: none is missed.
  bool look_again(const std::function<void(const picket::source::v1::Source&)>& appeared);

 private:
  static constexpr std::size_t kMaxMissing = 16;
  using Answer = picket::plugin::Answer;
  using Clock = std::chrono::steady_clock;
  struct Job {
    std::shared_ptr<Answer> answer;
    std::string location;
    std::optional<Clock::time_point> began, given_up;  // by its worker; by who asked
  };
  struct Missing {
    picket::source::v1::Source source;
    bool is_looked_for = false;
  };
  // The open requests; shared with the workers, which take theirs out when they come back.
  struct Open {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, Job> jobs;
    std::map<std::string, Missing> missing;  // by location
    std::function<void()> missing_one;       // set before the first request
    [[nodiscard]] Job* job_of(const Answer& answer);  // under the mutex
  };

  template <class Request, class Run>
  void accept(std::uint64_t request_id, std::string_view payload, Run run);
  // Empty: nothing hangs there.
  [[nodiscard]] std::string why_it_hangs(const std::string& location) const;
  // nullptr: there are too many.
  [[nodiscard]] Workers* lane_of(const picket::source::v1::Source& source);

  picket::plugin::Host host_;
  const std::string kind_;
  const std::shared_ptr<Store> store_;
  const std::chrono::milliseconds patience_;
  std::shared_ptr<Open> open_ = std::make_shared<Open>();
  std::size_t threads_ = 1;
  std::map<std::string, Workers> lanes_;  // those with work
};

}  // namespace file_source
