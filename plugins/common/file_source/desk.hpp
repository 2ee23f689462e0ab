// What every source with blocking reads does with the bus: gives each request to a worker thread, passes on credit and cancellation. Plugin thread.
#pragma once

#include <picket/plugin.hpp>
#include <picket/stream.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "file_source/store.hpp"
#include "file_source/workers.hpp"

namespace file_source {

class Desk {
 public:
  // kind: "folder", for texts. stop_patience: how long stop waits for a read that hangs.
  Desk(picket::plugin::Host host, std::string kind, std::shared_ptr<Store> store, std::chrono::milliseconds stop_patience = std::chrono::seconds(2))
      : host_(host), kind_(std::move(kind)), store_(std::move(store)), stop_patience_(stop_patience) {}

  void start(std::size_t threads);
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
  // The open requests; shared with the workers, which take theirs out when it is answered.
  struct Open {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::shared_ptr<Answer>> answers;
    std::map<std::string, picket::source::v1::Source> missing;  // by location
    bool looking = false;
    std::function<void()> missing_one;  // set before the first request
  };

  template <class Request, class Run>
  void accept(std::uint64_t request_id, std::string_view payload, Run run);
  [[nodiscard]] std::shared_ptr<Answer> find(std::uint64_t request_id) const;

  picket::plugin::Host host_;
  const std::string kind_;
  const std::shared_ptr<Store> store_;
  const std::chrono::milliseconds stop_patience_;
  std::shared_ptr<Open> open_ = std::make_shared<Open>();
  std::unique_ptr<Workers> workers_;
};

}  // namespace file_source
