// A few threads that exist only while there is work. Work may hang in the kernel (a dead network mount), so waiting for the end has a limit.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace file_source {

class Workers {
 public:
  Workers(std::size_t threads, std::size_t queue);
  ~Workers();  // as stop(0)
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // false: the queue is full, or stopped. The work must not throw.
  [[nodiscard]] bool submit(std::function<void()> work);

  // No work runs or waits.
  [[nodiscard]] bool is_idle() const;

  // Drops what waits and joins all threads. false: some are still inside the kernel after `patience`. These are let go: they own all
  // they use, and end when the kernel returns. No way exists to end such a thread; the caller reports it.
  [[nodiscard]] bool stop(std::chrono::milliseconds patience);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace file_source
