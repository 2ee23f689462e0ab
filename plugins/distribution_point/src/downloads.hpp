// The thread that runs downloads, one at a time: when asked, and when the interval has passed. Between them it cleans.
#pragma once

#include <picket/stream.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "asker.hpp"
#include "bus_upstream.hpp"
#include "demand.hpp"
#include "mirror.hpp"

namespace distribution_point {

class Downloads {
 public:
  using Answer = picket::plugin::Answer;
  struct Parts {
    picket::plugin::Host host;
    picket::plugin::Asker& asker;
    Store& store;
    DemandBook& demand;
    std::function<void(std::shared_ptr<const Catalogue>)> serve;
    std::string instance{};
  };
  Downloads(Parts parts, const Settings& settings);
  ~Downloads();  // ends a running download and joins the thread

  [[nodiscard]] picket::Result<> serve_published() { return mirror_.serve_published(); }   // before start
  void start();
  void apply(const Settings& settings);
  void ask(const v1::DownloadRequest& request, std::shared_ptr<Answer> answer);
  void cancel(std::uint64_t request_id);
  void on_credit(std::uint64_t request_id, std::uint64_t bytes);
  void fill(v1::StatusReply& reply);       // state, wishes, last

 private:
  struct Order {
    v1::DownloadRequest request;
    std::vector<std::shared_ptr<Answer>> askers;
    bool is_told = false;  // how it went: who asks from here on waits for another one
  };
  using Clock = std::chrono::steady_clock;

  void work();
  void perform(Order& order);
  void look_for_damage(std::uint64_t bytes);
  void tell_space();
  void tell_wishes();
  void show_health();
  void warn(std::string_view kind, const std::string& text);
  template <class Message>
  void publish(std::string_view topic, const Message& message, std::string_view type);

  Parts parts_;
  std::atomic<bool> cancelled_{false};
  BusUpstream upstream_;
  Mirror mirror_;               // the thread's, but while start() has not been called

  std::mutex mutex_;
  std::condition_variable wake_;
  MirrorSettings settings_;
  std::chrono::minutes interval_;
  Clock::time_point next_{};
  Clock::time_point next_round_{};   // of reading what is stored again; the thread's
  Clock::time_point round_began_{};
  unsigned failures_ = 0;       // downloads in a row that failed
  std::deque<Order> orders_;
  std::optional<Order> current_;
  v1::StatusReply shown_;       // wishes, as of the last run
  std::optional<v1::DownloadResult> last_;
  bool stopping_ = false;
  bool low_space_ = false;
  std::string trouble_;         // of the last run
  std::string wishes_trouble_;
  std::thread thread_;
};

}  // namespace distribution_point
