// KSN's status in the words that administrators know, with cause, since and next attempt; the same text everywhere.
#pragma once

#include <string>

#include "directives.hpp"
#include "picket/ksn/v1/control.pb.h"
#include "picket/ksn/v1/state.pb.h"

namespace ksn_client {

inline constexpr std::int64_t kAvailableSeconds = 15 * 60;  // no exchange for so long: not available

struct Situation {
  // Whether it is on.
  bool allowed = true;              // by policy
  bool accepted = false;            // the statement
  bool switched_on = true;          // by the user
  std::string unread;               // why it cannot be read now what was decided or directed: nobody is asked; empty: it was
  std::string switched_by;
  std::int64_t decided = 0;         // when the user last switched it, or declined the statement; 0: never
  std::int64_t changed = 0;         // when it went on or off, got other roads, another licence or KSN, or the agent started
  // Whose it is.
  bool has_provider = false;
  bool private_ksn = false;
  std::string no_provider;          // why not
  std::string no_lists;             // the administrator's lists cannot be read since the start: why nobody is asked; empty: they were
  std::string refused_file;         // another provider file lies there, and why the one before stays in force
  bool extended = true;
  Directives directives;
  std::int64_t directives_since = 0;
  // How it goes.
  std::int64_t last_exchange = 0;
  std::int64_t available_since = 0;
  std::string last_road;
  std::int64_t failing_since = 0;   // 0: the last attempt succeeded, or there was none
  std::string failure;
  bool licence_refused = false;     // it was this that failed
  std::int64_t next_attempt = 0;
  std::string road = "none";
  std::string when_unavailable = "Warning";

  [[nodiscard]] bool is_on() const { return allowed && accepted && switched_on; }  // as far as it was read
  // Why nobody may be asked even while it is on; empty: they may.
  [[nodiscard]] const std::string& why_nobody() const { return unread.empty() ? no_lists : unread; }
};

// Nobody is there to ask, the licence was refused, or nothing was heard of KSN for too long.
[[nodiscard]] bool is_unavailable(const Situation& situation, std::int64_t now);
// status, line, kind, mode, cause, since, next_attempt, last_exchange, device_status, road, restricted_until.
[[nodiscard]] v1::StatusReply status_of(const Situation& situation, std::int64_t now);
// For picket.ksn.state: the same text, which does not change with every exchange.
[[nodiscard]] v1::KsnState state_of(const Situation& situation, std::int64_t now);
// When the words change though nothing happens; 0: never.
[[nodiscard]] std::int64_t changes_at(const Situation& situation, std::int64_t now);

}  // namespace ksn_client
