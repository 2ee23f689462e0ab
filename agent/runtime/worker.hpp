// One named thread that runs tasks in order: for work that blocks (applying a policy, restarting a plugin).
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace picket::runtime {

class Worker {
 public:
  explicit Worker(std::string name);
  ~Worker();  // stop()
  void post(std::function<void()> task);  // any-thread; dropped after stop
  void stop();                            // drops what has not begun, waits for what runs

 private:
  void run();

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace picket::runtime
