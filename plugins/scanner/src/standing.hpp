// What the scanner says of itself: databases in force, what was refused, what is lost while KSN is away.
#pragma once

#include <cstdint>
#include <string>

#include "picket/scan/v1/scan.pb.h"
#include "scan.hpp"

namespace scanner {

struct Standing {
  Databases databases;
  std::string rules_refused, digests_refused;  // what was said of a set that was not taken; empty: the last one was
  std::string ksn_trouble;                     // why KSN gives no answers; empty: it does

  [[nodiscard]] picket::scan::v1::ScannerState state() const;
  // Degraded with a reason, or healthy with an empty one.
  [[nodiscard]] std::string complaint() const;
  // What a light database cannot decide alone.
  [[nodiscard]] std::string lost() const;
};

inline constexpr const char* kNoDatabases = "no databases yet: run picketctl update run";

}  // namespace scanner
