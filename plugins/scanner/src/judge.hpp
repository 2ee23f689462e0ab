// What is decided about a file from all that is known of it: rules, digest database, KSN. Pure.
#pragma once

#include "digests/digests.hpp"

namespace scanner {

enum class Ksn { not_asked, unanswered, unknown, trusted, abusable, untrusted };

struct Evidence {
  bool rules = false;                                                        // some rule matched
  picket::digests::Verdict database = picket::digests::Verdict::unknown;    // of a full database
  bool filter_hit = false;                                                   // of a light one: perhaps in it
  Ksn ksn = Ksn::not_asked;
};

// KSN is asked about what alarms or may alarm, and not about what the database knows: almost nothing leaves the computer.
[[nodiscard]] bool is_question(const Evidence& evidence);

enum class By { nobody, database, ksn };

struct Judgement {
  bool rules = false;      // their findings are told
  By alarm = By::nobody;   // tells a finding of its own
  By cleared = By::nobody; // says that the file is trusted: nothing is told, whatever matched
  bool suspected = false;  // the filter's word alone, and nobody to confirm it: told as that, and no finding
};
[[nodiscard]] Judgement judge(const Evidence& evidence);

}  // namespace scanner
