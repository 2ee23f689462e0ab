// Runs strands on a small pool of threads. A strand's tasks never overlap and keep their order.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace picket::runtime {

class Strand;

// A task that is posted again and again: its owner makes it once.
class Job {
 public:
  virtual ~Job() = default;
  virtual void run() = 0;
};

class Executor {
 public:
  // A watchdog adds a thread for each one that is stuck in a task for longer than `stuck_after`, so that a hung
  // in-process plugin stops nobody else; the extra thread ends when the stuck one returns. No wake-ups while idle.
  [[nodiscard]] static std::unique_ptr<Executor> make(unsigned threads, std::chrono::milliseconds stuck_after = std::chrono::milliseconds(1000));
  virtual ~Executor() = default;  // stop()
  [[nodiscard]] virtual std::shared_ptr<Strand> make_strand(std::string name) = 0;
  // Drops what has not begun, waits up to the limit for what runs; not from a task. false: something did not return (its thread is left behind).
  virtual bool stop(std::chrono::milliseconds limit) = 0;
};

class Strand {
 public:
  virtual ~Strand() = default;
  virtual void post(std::function<void()> task) = 0;  // any-thread; runs later, never within the call
  virtual void post_job(std::shared_ptr<Job> job) = 0;  // the same, without an allocation
  [[nodiscard]] virtual bool is_current() const = 0;
  // How long the running task has been running; 0 when idle.
  [[nodiscard]] virtual std::chrono::milliseconds busy_for() const = 0;
  // Within a task that does many small things: another one begins, busy_for() counts from here (as precisely as somebody
  // looks; the watchdog does every 10 ms).
  virtual void mark() = 0;
  // A hint for a task that could give its thread back at once or wait a moment for more to do: another strand wants a thread.
  [[nodiscard]] virtual bool do_others_wait() const = 0;
};

}  // namespace picket::runtime
