// The store, opened when it is there and again when it came back. Any thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "ksn_store/store.hpp"

namespace ksn_service {

class Keeper {
 public:
  // tell: on every change, with one line; called under no lock, on the thread that noticed.
  using Tell = std::function<void(bool good, const std::string& line)>;
  Keeper(std::string where, Tell tell) : where_(std::move(where)), tell_(std::move(tell)) {}

  // At most one attempt to open, and one look at what is open, in a second.
  [[nodiscard]] picket::Result<std::shared_ptr<picket::ksn_store::Store>> get();
  // A question to the store failed. The next one may find it well again.
  void failed(const picket::Error& error);
  void worked();
  [[nodiscard]] std::string state() const;

 private:
  using Clock = std::chrono::steady_clock;
  void say(std::unique_lock<std::mutex>& lock, bool good, std::string line);

  const std::string where_;
  const Tell tell_;
  mutable std::mutex mutex_;
  std::shared_ptr<picket::ksn_store::Store> store_;
  std::weak_ptr<picket::ksn_store::Store> former_;  // one environment is not opened twice in a process
  Clock::time_point looked_{};
  picket::Error why_{picket::Code::unavailable, "the store is not open yet"};
  bool told_ = false, good_ = false;
  std::string line_;
};

}  // namespace ksn_service
