#include "runtime/io_loop.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#ifdef __SANITIZE_THREAD__
#define BOOST_ASIO_DISABLE_FENCED_BLOCK  // ThreadSanitizer does not know fences; one thread runs the loop, so none is needed
#endif
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "runtime/thread.hpp"

namespace picket::runtime {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

// Callbacks that are on their way when the watch ends find `alive` false; the functions they would call are gone by then.
struct WatchState {
  WatchState(asio::io_context& context, int fd) : descriptor(context) {
    boost::system::error_code ignored;  // a descriptor that cannot be waited for never becomes ready
    descriptor.assign(fd, ignored);
  }
  Descriptor descriptor;
  std::function<void()> readable, writable;
  bool alive = true;
};

class AsioWatch final : public IoLoop::Watch {
 public:
  AsioWatch(asio::io_context& context, int fd, std::function<void()> readable, std::function<void()> writable)
      : state_(std::make_shared<WatchState>(context, fd)) {
    state_->readable = std::move(readable);
    state_->writable = std::move(writable);
  }
  AsioWatch(const AsioWatch&) = delete;
  AsioWatch& operator=(const AsioWatch&) = delete;
  ~AsioWatch() override {
    state_->alive = false;
    if (state_->descriptor.is_open()) state_->descriptor.release();  // cancels; the descriptor stays its owner's
  }
  void ask_readable() override { ask(Descriptor::wait_read, &WatchState::readable); }
  void ask_writable() override { ask(Descriptor::wait_write, &WatchState::writable); }

 private:
  void ask(Descriptor::wait_type what, std::function<void()> WatchState::*callback) {
    if (!state_->descriptor.is_open()) return;
    state_->descriptor.async_wait(what, [state = state_, callback](const boost::system::error_code& error) {
      if (!state->alive || error == asio::error::operation_aborted) return;
      const auto run = (*state).*callback;  // a copy: it may end the watch that holds it
      if (run) run();
    });
  }
  std::shared_ptr<WatchState> state_;
};

class AsioDelay final : public IoLoop::Delay {
 public:
  AsioDelay(asio::io_context& context, std::chrono::milliseconds delay, std::function<void()> callback)
      : timer_(context, delay), alive_(std::make_shared<bool>(true)) {
    timer_.async_wait([alive = alive_, callback = std::move(callback)](const boost::system::error_code& error) {
      if (*alive && !error) callback();
    });
  }
  AsioDelay(const AsioDelay&) = delete;
  AsioDelay& operator=(const AsioDelay&) = delete;
  ~AsioDelay() override { *alive_ = false; }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<bool> alive_;
};

class AsioLoop final : public IoLoop {
 public:
  explicit AsioLoop(const std::string& name) : work_(context_.get_executor()), thread_(start_thread(name, [this] { context_.run(); })) {
    thread_id_ = thread_.get_id();
  }
  AsioLoop(const AsioLoop&) = delete;
  AsioLoop& operator=(const AsioLoop&) = delete;
  ~AsioLoop() override { AsioLoop::stop(); }

  void post(std::function<void()> task) override { asio::post(context_, std::move(task)); }

  bool run_and_wait(const std::function<void()>& task) override {
    if (is_current()) {
      task();
      return true;
    }
    bool done = false;
    post([&] {
      {
        const std::scoped_lock lock(mutex_);
        if (stopped_) return;
      }
      task();
      const std::scoped_lock lock(mutex_);
      done = true;
      changed_.notify_all();
    });
    // The task borrows from this frame, so it must have run, or be unable to, before this returns.
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done || ended_; });
    return done;
  }

  [[nodiscard]] bool is_current() const override { return std::this_thread::get_id() == thread_id_; }

  void stop() override {
    {
      const std::scoped_lock lock(mutex_);
      if (std::exchange(stopped_, true)) return;
    }
    context_.stop();
    thread_.join();
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  [[nodiscard]] std::unique_ptr<Watch> watch(int fd, std::function<void()> readable, std::function<void()> writable) override {
    return std::make_unique<AsioWatch>(context_, fd, std::move(readable), std::move(writable));
  }
  void when_readable(UniqueFd fd, std::function<void(int)> callback) override {
    const auto descriptor = std::make_shared<Descriptor>(context_);
    boost::system::error_code failed;
    descriptor->assign(fd.get(), failed);
    if (failed) return;
    (void)fd.release();
    // Only what waits holds it: that goes once it has been called, and unheard with the context.
    descriptor->async_wait(Descriptor::wait_read, [descriptor, callback = std::move(callback)](const boost::system::error_code& error) {
      if (!error) callback(descriptor->native_handle());
    });
  }
  [[nodiscard]] std::unique_ptr<Delay> after(std::chrono::milliseconds delay, std::function<void()> callback) override {
    return std::make_unique<AsioDelay>(context_, delay, std::move(callback));
  }
  [[nodiscard]] asio::io_context& context() override { return context_; }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false, ended_ = false;
  std::thread thread_;
  std::thread::id thread_id_;
};

}  // namespace

std::unique_ptr<IoLoop> IoLoop::make(std::string thread_name) { return std::make_unique<AsioLoop>(thread_name); }

}  // namespace picket::runtime
