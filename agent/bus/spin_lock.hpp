// A lock for sections of a few instructions on the way of every message: half the price of a mutex when nobody contends,
// because it is released by a plain store. Who cannot have it soon gives its time away instead of burning it.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

namespace picket::bus {

class SpinLock {
 public:
  void lock() {
    while (taken_.exchange(true, std::memory_order_acquire)) wait();
  }
  void unlock() { taken_.store(false, std::memory_order_release); }

 private:
  void wait() {
    for (int i = 0; taken_.load(std::memory_order_relaxed); ++i) {
      if (i < 64) relax();
      else std::this_thread::sleep_for(std::chrono::microseconds(20));  // its holder lost the processor; a yield could cost a whole time slice
    }
  }
  static void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }

  std::atomic<bool> taken_{false};
};

}  // namespace picket::bus
