// A scanner of libyara's and what belongs to its thread.
#pragma once

#include <vector>

#include "facts.hpp"
#include "scan.hpp"
#include "walker.hpp"

namespace scanner {

class Worker {
 public:
  explicit Worker(Scan& scan);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  [[nodiscard]] bool is_ready() const { return scanner_ != nullptr; }

  // Reads the file once, for rules and digests alike.
  void scan(const Entry& entry, std::uint64_t most);

 private:
  void look_up(Look& look, std::string_view content) const;

  Scan& scan_;
  YR_SCAN_CONTEXT* scanner_ = nullptr;
  std::vector<Match> matches_;
  std::vector<char> buffer_;
  FactFinder facts_;
};

}  // namespace scanner
