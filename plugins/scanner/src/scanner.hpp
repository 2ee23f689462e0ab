// The plugin: loads each set of rules or digests that is activated, confirms or refuses it, and starts scans with what is in force.
#pragma once

#include <picket/plugin.hpp>
#include <picket/stream.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "picket/component/v1/component.pb.h"
#include "reputation.hpp"
#include "scan.hpp"
#include "settings.hpp"
#include "standing.hpp"
#include "threads.hpp"

namespace scanner {

class Scanner {
 public:
  explicit Scanner(picket::plugin::Host host) : host_(host), reputation_(host, [this] { tell(); }) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop();
  void on_message(const picket::plugin::Message& message);
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request);
  void on_reply(std::uint64_t token, picket_status status, const picket::plugin::Message& message) { reputation_.on_reply(token, status, message); }
  void on_credit(std::uint64_t request_id, std::uint64_t bytes);
  void on_cancel(std::uint64_t request_id);
  void on_timer(std::uint64_t) { tell(); }

 private:
  using Answer = picket::plugin::Answer;
  // An open request, until it is answered: a scan, or an activation.
  struct Job {
    std::shared_ptr<Answer> answer;
    std::shared_ptr<Scan> scan;
    std::shared_ptr<std::atomic<bool>> cancelled;
  };

  void activate(std::uint64_t request_id, std::string_view payload);
  // `rules`: some are counted as coming; false from then on.
  void came(bool& rules);
  void load(const picket::component::v1::ActivateRequest& request, Answer& answer, const std::atomic<bool>& cancelled, bool& rules);
  // What to answer; the databases in force are exchanged when it is good.
  [[nodiscard]] Outcome<std::string> load_rules(const picket::component::v1::ActiveSet& set, const std::atomic<bool>& cancelled);
  [[nodiscard]] Outcome<std::string> load_digests(const picket::component::v1::ActiveSet& set);
  void scan(std::uint64_t request_id, std::string_view payload);
  void end(const Job& job);
  void done(std::uint64_t request_id);
  // Publishes the state, and the health when it changed. Any thread.
  void tell();
  [[nodiscard]] Settings settings() const;

  picket::plugin::Host host_;
  mutable std::mutex mutex_;  // settings, standing, jobs: threads use them too
  Settings settings_;
  Standing standing_;
  std::map<std::uint64_t, Job> jobs_;
  std::mutex telling_;        // what is told last is what is so
  std::string complaint_told_;
  std::unique_ptr<Threads> loads_, scans_;
  Reputation reputation_;
  bool yara_ready_ = false;
};

}  // namespace scanner
