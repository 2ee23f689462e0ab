#include "well.hpp"
struct Waiter {
  Waiter() {
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    never.wait(lock, [] { return false; });
  }
} waiter;
PICKET_PLUGIN("test.bad.plugin", Well)
