#include "runtime/executor.hpp"

#include "runtime/pool.hpp"

namespace picket::runtime {
namespace {

class PoolExecutor final : public Executor {
 public:
  PoolExecutor(unsigned threads, std::chrono::milliseconds stuck_after) : pool_(std::make_shared<Pool>(threads, stuck_after)) { pool_->start(); }
  PoolExecutor(const PoolExecutor&) = delete;
  PoolExecutor& operator=(const PoolExecutor&) = delete;
  ~PoolExecutor() override {
    if (!stopped_) pool_->stop(std::chrono::seconds(5));
  }

  [[nodiscard]] std::shared_ptr<Strand> make_strand(std::string name) override { return std::make_shared<StrandQueue>(std::move(name), pool_); }
  bool stop(std::chrono::milliseconds limit) override {
    stopped_ = true;
    return pool_->stop(limit);
  }

 private:
  std::shared_ptr<Pool> pool_;
  bool stopped_ = false;  // by hand, with a limit of its own
};

}  // namespace

std::unique_ptr<Executor> Executor::make(unsigned threads, std::chrono::milliseconds stuck_after) {
  return std::make_unique<PoolExecutor>(threads, stuck_after);
}

}  // namespace picket::runtime
