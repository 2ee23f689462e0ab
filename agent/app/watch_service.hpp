// Answers picket.bus.watch: streams what the bus does to whoever asks, without ever slowing the bus down.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "app/answering.hpp"
#include "runtime/executor.hpp"

namespace picket::app {

class WatchService : public Answering {
 public:
  WatchService(bus::Router& router, runtime::Executor& executor);
  ~WatchService() override;
  [[nodiscard]] Result<> start();

  void on_credit(bus::RequestId id, std::uint64_t bytes) override;
  void on_cancel(bus::RequestId id) override;

 private:
  struct Watcher {
    std::string filter;
    bool payloads = false;
    std::uint64_t missed = 0;
    std::deque<std::string> waiting;  // for credit; bounded, the rest is missed and counted
    void tell_missed();               // in its place among the others: after all that waits, before what comes next
  };
  void seen(const bus::Seen& seen);  // any-thread
  void flush(bus::RequestId id, Watcher& watcher);
  void drain();                      // on the strand

  bus::Router& router_;
  std::shared_ptr<runtime::Strand> strand_;
  std::mutex mutex_;
  std::atomic<std::thread::id> telling_{};  // holds the mutex while it writes to a watcher, which the bus shows to the tap on the same thread
  std::map<bus::RequestId, Watcher> watchers_;
  bool scheduled_ = false;
};

}  // namespace picket::app
