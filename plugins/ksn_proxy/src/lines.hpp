// The KSN's servers over the network: the first that does not rest is asked, then the next. Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "breaker.hpp"
#include "ksn_channel/channel.hpp"
#include "upstream.hpp"

namespace ksn_proxy {

class Lines final : public Upstream {
 public:
  struct Rest {
    std::chrono::milliseconds first{1000}, longest{60000};
  };
  [[nodiscard]] static picket::Result<std::unique_ptr<Lines>> start(std::vector<ksn_channel::Road> roads, Rest rest);
  ~Lines() override;  // all that is on its way ends with Code::cancelled

  void post(std::string_view path, std::string body, std::chrono::milliseconds deadline, Done done) override;
  void blame(const Posted& posted, std::string_view why) override;
  [[nodiscard]] std::uint32_t rests_for() const override;
  [[nodiscard]] bool works() const override;
  [[nodiscard]] std::string describe() const override;

 private:
  struct Line {
    ksn_channel::Road road;
    Breaker breaker;
    std::string why;               // it rests
    std::uint64_t answered = 0;
  };
  struct Order {
    std::string path, body;
    Breaker::Clock::time_point deadline;
    Done done;
    std::string why;               // the last failure
  };
  Lines(std::vector<ksn_channel::Road> roads, Rest rest);
  void attempt(std::shared_ptr<Order> order, std::size_t from);
  void on_answer(const std::shared_ptr<Order>& order, std::size_t index, picket::Result<ksn_channel::Answer> answer);

  mutable std::mutex mutex_;
  std::vector<Line> lines_;
  std::atomic<bool> ends_{false};
  std::unique_ptr<ksn_channel::Channel> channel_;
};

}  // namespace ksn_proxy
