#include "judge.hpp"

namespace scanner {

using picket::digests::Verdict;

bool is_question(const Evidence& evidence) {
  return (evidence.rules || evidence.filter_hit) && evidence.database != Verdict::trusted && evidence.database != Verdict::untrusted;
}

Judgement judge(const Evidence& evidence) {
  Judgement out;
  if (evidence.database == Verdict::trusted) {
    out.cleared = By::database;
    return out;
  }
  out.rules = evidence.rules;
  if (evidence.database == Verdict::untrusted) {
    out.alarm = By::database;
    return out;
  }
  switch (evidence.ksn) {
    case Ksn::trusted:
      out.rules = false;
      out.cleared = By::ksn;
      break;
    case Ksn::untrusted: out.alarm = By::ksn; break;
    case Ksn::unknown:
    case Ksn::abusable: break;  // the filter's hit is denied; a rule's alarm stands
    case Ksn::not_asked:
    case Ksn::unanswered: out.suspected = evidence.filter_hit && !evidence.rules; break;
  }
  return out;
}

}  // namespace scanner
