// One scan request: walks, scans on some threads, asks KSN where that helps, streams events, answers. Runs on a thread of its own, to its end
// or until interrupted.
#pragma once

#include <picket/stream.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "picket/scan/v1/scan.pb.h"
#include "questions.hpp"
#include "reputation.hpp"
#include "rules.hpp"
#include "settings.hpp"

struct YR_SCAN_CONTEXT;  // what yara.h calls a YR_SCANNER

namespace scanner {

// The databases in force.
struct Databases {
  std::shared_ptr<const Rules> rules;
  std::uint64_t release = 0;
  std::string variant;
  std::shared_ptr<const picket::digests::Database> digests;  // may be none
  std::uint64_t digests_release = 0;
  std::string digests_variant;
  std::string store;  // the folder where the agent keeps databases; may be empty
};

class Scan {
 public:
  Scan(Databases databases, Settings settings, Reputation& reputation, picket::scan::v1::ScanRequest request, std::shared_ptr<picket::plugin::Answer> answer);
  Scan(const Scan&) = delete;
  Scan& operator=(const Scan&) = delete;

  void run();
  // Any thread: ends soon, also in the middle of a file.
  void interrupt();

 private:
  friend class Worker;
  // Counts and shares what the workers find.
  struct Sums {
    std::atomic<std::uint64_t> files{0}, bytes{0}, findings{0}, skipped{0}, suspected{0}, suppressed{0}, asked{0}, unanswered{0};
  };
  void work(class SharedWalk& walk);
  // Decides at once, or later when KSN is to be asked.
  void settle(Look look);
  void ask(std::vector<Look> batch);
  // Why KSN gave no answer, the first time: it may be back before the scan ends.
  void miss_ksn(std::string why);
  void decide(Look& look, const Reputation::Answer& answer);
  void tell_finding(const Look& look, std::string_view by, const std::string& name, const std::string& description, const std::vector<std::string>& tags, const std::string& category);
  void tell(const picket::scan::v1::ScanEvent& event);        // waits for credit
  void tell_progress(const std::string& path);              // only when there is credit, and not too often
  void tell_skipped(const std::string& path, const std::string& why);
  [[nodiscard]] picket::scan::v1::ScanReply sums() const;

  const Databases databases_;
  const Settings settings_;
  Reputation& reputation_;
  const picket::scan::v1::ScanRequest request_;
  const std::shared_ptr<picket::plugin::Answer> answer_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::atomic<bool> over_ = false;
  Sums sums_;
  std::string ksn_missed_;  // under telling_
  Questions questions_;
  std::mutex telling_;      // one event at a time
  std::chrono::steady_clock::time_point last_progress_ = began_;

  std::mutex scanners_mutex_;
  std::vector<YR_SCAN_CONTEXT*> scanners_;  // at work now
};

}  // namespace scanner
