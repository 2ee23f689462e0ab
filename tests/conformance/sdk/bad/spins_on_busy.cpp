#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  picket_status start(std::string_view settings, std::uint64_t revision) {
    if (const auto status = Well::start(settings, revision); status != PICKET_OK) return status;
    go_on_ = true;
    worker_ = std::thread([this] {
      while (go_on_) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return heard_ || !go_on_; });
        heard_ = false;
        lock.unlock();
        while (go_on_ && host_.publish("test.bad.said", "", "", "heard") == PICKET_E_BUSY) {
        }
      }
    });
    return PICKET_OK;
  }
  void on_message(const Message&) {
    {
      const std::lock_guard lock(mutex_);
      heard_ = true;
    }
    wake_.notify_one();
  }
  void stop() noexcept {
    {
      const std::lock_guard lock(mutex_);
      go_on_ = false;
    }
    wake_.notify_one();
    worker_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool heard_ = false;
  std::atomic<bool> go_on_ = false;
  std::thread worker_;
};
PICKET_PLUGIN("test.bad.plugin", Bad)
