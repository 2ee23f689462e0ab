// The plugin: loads each set of rules that is activated, confirms or refuses it, and starts scans with the rules in force.
#pragma once

#include <picket/plugin.hpp>
#include <picket/stream.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

#include "picket/component/v1/component.pb.h"
#include "scan.hpp"
#include "settings.hpp"
#include "threads.hpp"

namespace scanner {

class Scanner {
 public:
  explicit Scanner(picket::plugin::Host host) : host_(host) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop();
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request);
  void on_credit(std::uint64_t request_id, std::uint64_t bytes);
  void on_cancel(std::uint64_t request_id);
  void on_timer(std::uint64_t) { publish_state(); }

 private:
  using Answer = picket::plugin::Answer;
  // An open request, until it is answered: a scan, or an activation.
  struct Job {
    std::shared_ptr<Answer> answer;
    std::shared_ptr<Scan> scan;
    std::shared_ptr<std::atomic<bool>> cancelled;
  };

  void activate(std::uint64_t request_id, std::string_view payload);
  void load(const picket::component::v1::ActivateRequest& request, Answer& answer, const std::atomic<bool>& cancelled);
  void scan(std::uint64_t request_id, std::string_view payload);
  void end(const Job& job);
  void done(std::uint64_t request_id);
  void publish_state();
  [[nodiscard]] Settings settings() const;

  picket::plugin::Host host_;
  mutable std::mutex mutex_;  // settings, databases, jobs: threads use them too
  Settings settings_;
  Databases databases_;
  std::string state_text_;
  std::map<std::uint64_t, Job> jobs_;
  std::unique_ptr<Threads> loads_, scans_;
  bool yara_ready_ = false;
};

}  // namespace scanner
