// One thread that waits for descriptors: sockets, pipes, process ends. Callbacks run there and must be short.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/files.hpp"

namespace boost::asio { class io_context; }

namespace picket::runtime {

class IoLoop {
 public:
  [[nodiscard]] static std::unique_ptr<IoLoop> make(std::string thread_name);
  virtual ~IoLoop() = default;  // stop()

  virtual void post(std::function<void()> task) = 0;  // any-thread
  // Runs it on the loop and waits for its end; at once when already there. False: the loop has stopped, it was not run.
  virtual bool run_and_wait(const std::function<void()>& task) = 0;
  [[nodiscard]] virtual bool is_current() const = 0;
  virtual void stop() = 0;  // any other thread; no callback runs after it returned

  // Calls back when the descriptor may be ready, once for each time it was asked. Made, asked and destroyed on the loop's
  // thread; one watch per descriptor at a time. It borrows the descriptor: destroy the watch before closing it. No call after
  // destruction.
  class Watch {
   public:
    virtual ~Watch() = default;
    virtual void ask_readable() = 0;
    virtual void ask_writable() = 0;
  };
  [[nodiscard]] virtual std::unique_ptr<Watch> watch(int fd, std::function<void()> readable, std::function<void()> writable) = 0;

  // For what nobody waits for but the loop, and which ends with it: takes the descriptor and calls back with it once, when it may be
  // readable. On the loop's thread, or when it has stopped.
  virtual void when_readable(UniqueFd fd, std::function<void(int fd)> callback) = 0;

  // Calls back once on the loop's thread. Made and destroyed on the loop's thread; destroying it cancels.
  class Delay {
   public:
    virtual ~Delay() = default;
  };
  [[nodiscard]] virtual std::unique_ptr<Delay> after(std::chrono::milliseconds delay, std::function<void()> callback) = 0;

  // For code that speaks Asio itself (HTTP, WebSocket).
  [[nodiscard]] virtual boost::asio::io_context& context() = 0;
};

}  // namespace picket::runtime
