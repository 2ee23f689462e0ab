#include "standing.hpp"

#include <algorithm>

namespace ksn_client {
namespace {

// When directives ceased to restrict; 0: they do, or never did.
std::int64_t released_at(const Situation& s, std::int64_t now) {
  if (s.directives.in_force(now)) return 0;
  return s.directives.until != 0 && s.directives.mode != Directives::Mode::normal ? s.directives.until : s.directives_since;
}

// It may be silent for so long from then on.
std::int64_t last_heard(const Situation& s, std::int64_t now) { return std::max({s.last_exchange, s.changed, released_at(s, now)}); }

std::string why_unavailable(const Situation& s) { return !s.why_nobody().empty() ? s.why_nobody() : !s.has_provider ? s.no_provider : !s.failure.empty() ? s.failure : "no exchange for 15 minutes"; }

std::string allowed_of(const Directives& directives) {
  std::string out;
  for (const auto& word : directives.allow) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// The one text: what it is, why, since when, and when it is tried again. The last exchange is named only while there is none, so that the text stays
// the same as long as all goes well.
std::string line_of(const v1::StatusReply& status, const Situation& s, bool silent) {
  return cat(status.status(), !s.is_on() ? "" : cat(" (", s.has_provider ? cat(status.kind(), ", ") : "", status.mode(), ")"), status.cause().empty() ? "" : cat(": ", status.cause()),
             status.since() == 0 ? "" : cat("; since ", utc(status.since())), status.next_attempt() == 0 ? "" : cat("; next attempt ", utc(status.next_attempt())),
             !silent ? "" : s.last_exchange == 0 ? "; no exchange yet" : cat("; last exchange ", utc(s.last_exchange), s.last_road.empty() ? "" : " by ", s.last_road));
}

}  // namespace

bool is_unavailable(const Situation& s, std::int64_t now) {
  if (!s.has_provider || s.licence_refused || !s.why_nobody().empty()) return true;
  // Never heard of it yet, and the attempts fail: waiting a quarter of an hour before saying so helps nobody.
  if (s.last_exchange < s.changed && s.failing_since != 0) return true;
  return now - last_heard(s, now) >= kAvailableSeconds;
}

v1::StatusReply status_of(const Situation& s, std::int64_t now) {
  v1::StatusReply out;
  out.set_device_status("OK");
  out.set_kind(s.has_provider ? (s.private_ksn ? "Private" : "Global") : "");
  out.set_mode(!s.is_on() ? "Off" : s.extended ? "Extended" : "Basic");
  out.set_last_exchange(s.last_exchange);
  out.set_road(s.is_on() ? s.road : "none");
  out.set_since(s.changed);
  if (!s.is_on()) {
    out.set_status("Disabled");
    out.set_cause(!s.allowed ? "policy forbids KSN" : !s.unread.empty() ? s.unread : !s.accepted ? "the KSN statement is not accepted" : cat("switched off", s.switched_by.empty() ? "" : " by ", s.switched_by));
    if (s.allowed && !s.unread.empty()) out.set_device_status(s.when_unavailable);
    else if (s.allowed && s.decided != 0) out.set_since(s.decided);
    out.set_line(line_of(out, s, false));
    return out;
  }
  const auto told = [&](bool silent) {
    if (!s.refused_file.empty()) {
      out.set_cause(cat(out.cause(), out.cause().empty() ? "" : "; ", s.refused_file));
      if (out.device_status() == "OK") out.set_device_status("Warning");
    }
    out.set_line(line_of(out, s, silent));
    return out;
  };
  if (s.directives.in_force(now)) {
    out.set_status("Enabled with restrictions");
    out.set_cause(cat(s.directives.mode == Directives::Mode::stopped || s.directives.allow.empty() ? "requests are stopped" : cat("only requests about ", allowed_of(s.directives)),
                      s.directives.until == 0 ? "" : cat(" until ", utc(s.directives.until)), s.directives.reason.empty() ? "" : cat(": ", s.directives.reason)));
    out.set_since(s.directives_since);
    out.set_restricted_until(s.directives.until);
    bool silent = true;
    if (s.directives.mode == Directives::Mode::stopped) {
      out.set_next_attempt(s.directives.until);
    } else {
      out.set_next_attempt(s.next_attempt);
      silent = is_unavailable(s, now);
      if (silent) {
        out.set_device_status(s.when_unavailable);
        out.set_cause(cat(out.cause(), "; and not available: ", why_unavailable(s)));
      }
    }
    return told(silent);
  }
  if (is_unavailable(s, now)) {
    out.set_status("Enabled. Not available");
    out.set_device_status(s.when_unavailable);
    out.set_cause(why_unavailable(s));
    out.set_since(s.failing_since != 0 ? s.failing_since : last_heard(s, now));
    out.set_next_attempt(s.next_attempt);
    return told(true);
  }
  out.set_status("Enabled");
  out.set_since(std::max({s.changed, s.available_since, released_at(s, now)}));
  out.set_next_attempt(s.failing_since != 0 ? s.next_attempt : 0);
  if (s.failing_since != 0) out.set_cause(cat("the last attempt failed: ", s.failure));
  return told(s.failing_since != 0);
}

v1::KsnState state_of(const Situation& s, std::int64_t now) {
  const auto status = status_of(s, now);
  v1::KsnState out;
  // Where nothing about files may be asked, small databases would lose what KSN no longer says.
  out.set_in_use(s.is_on() && s.has_provider && s.why_nobody().empty() && s.directives.permits("file", now));
  out.set_status(status.status());
  out.set_device_status(status.device_status());
  out.set_since(status.since());
  out.set_available(s.is_on() && s.last_exchange != 0 && now - s.last_exchange < kAvailableSeconds);
  out.set_text(status.line());
  out.set_cause(status.cause());
  out.set_knows(true);
  return out;
}

std::int64_t changes_at(const Situation& s, std::int64_t now) {
  if (!s.is_on()) return 0;
  std::int64_t next = 0;
  const auto consider = [&](std::int64_t when) {
    if (when > now && (next == 0 || when < next)) next = when;
  };
  consider(s.directives.until);
  consider(last_heard(s, now) + kAvailableSeconds);
  return next;
}

}  // namespace ksn_client
