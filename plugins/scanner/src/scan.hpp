// One scan request: walks, scans on some threads, streams events, answers. Runs on a thread of its own, to its end or until interrupted.
#pragma once

#include <picket/stream.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "picket/scan/v1/scan.pb.h"
#include "rules.hpp"
#include "settings.hpp"

struct YR_SCAN_CONTEXT;  // what yara.h calls a YR_SCANNER

namespace scanner {

// The databases in force.
struct Databases {
  std::shared_ptr<const Rules> rules;
  std::uint64_t release = 0;
  std::string variant;
};

class Scan {
 public:
  Scan(Databases databases, Settings settings, picket::scan::v1::ScanRequest request, std::shared_ptr<picket::plugin::Answer> answer);
  Scan(const Scan&) = delete;
  Scan& operator=(const Scan&) = delete;

  void run();
  // Any thread: ends soon, also in the middle of a file.
  void interrupt();

 private:
  class Worker;
  // Counts and shares what the workers find.
  struct Sums {
    std::atomic<std::uint64_t> files{0}, bytes{0}, findings{0}, skipped{0};
  };
  void work(class SharedWalk& walk);
  void tell(const picket::scan::v1::ScanEvent& event);        // waits for credit
  void tell_progress(const std::string& path);              // only when there is credit, and not too often
  void tell_skipped(const std::string& path, const std::string& why);

  const Databases databases_;
  const Settings settings_;
  const picket::scan::v1::ScanRequest request_;
  const std::shared_ptr<picket::plugin::Answer> answer_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::atomic<bool> over_ = false;
  Sums sums_;
  std::mutex telling_;  // one event at a time
  std::chrono::steady_clock::time_point last_progress_ = began_;

  std::mutex scanners_mutex_;
  std::vector<YR_SCAN_CONTEXT*> scanners_;  // at work now
};

}  // namespace scanner
