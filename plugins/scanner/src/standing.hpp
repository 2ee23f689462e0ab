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
  unsigned rules_coming = 0;                   // sets of rules that were handed over, and are not loaded or refused yet

  [[nodiscard]] picket::scan::v1::ScannerState state() const;
  // Why nothing can be scanned; empty: there are rules.
  [[nodiscard]] std::string missing() const;
  // Degraded with a reason, or healthy with an empty one.
  [[nodiscard]] std::string complaint() const;
  // What a light database cannot decide alone.
  [[nodiscard]] std::string lost() const;
};

// Also in the moment after a start, before the set in force is handed over.
inline constexpr const char* kNoDatabases = "no databases loaded yet; if there are none, picketctl update run brings them";
inline constexpr const char* kRulesComing = "the rules are being loaded: try again in a moment";
// Digests alone find too little for a scan that says nothing was found.
inline constexpr const char* kNoRules = "no rules yet, only digests: picketctl update run brings the component yara-rules";

}  // namespace scanner
