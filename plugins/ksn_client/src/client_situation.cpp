// What is in force: consent, directives and what the last attempts say, and what follows from it.
#include <algorithm>
#include <filesystem>

#include "base/files.hpp"
#include "client.hpp"

namespace ksn_client {
namespace {
constexpr std::uint64_t kMostDirectives = 64u << 10;
constexpr std::int64_t kLongestPause = 300;  // seconds, before anything that the ticker does again
}

bool Client::consent_changed() {
  const bool was_on = situation_.is_on();
  situation_.allowed = settings_.enabled;
  situation_.accepted = consent_.accepted() != nullptr;
  situation_.switched_on = consent_.is_on();
  situation_.switched_by = consent_.switched_by();
  situation_.decided = situation_.accepted ? consent_.switched_at() : consent_.last_decided_at();
  const bool is_on = situation_.is_on();
  if (was_on != is_on) situation_.changed = host_.now();
  if (!was_on && is_on) {
    line_->forget_failures();  // they are of another time
    begin_anew();
  }
  greet_at_ = 0;
  return was_on && !is_on;
}

Result<bool> Client::read_kept() {
  std::string told;
  PICKET_LET(is_new, consent_.read(host_.keep, told));
  if (!told.empty()) host_.log(true, told);
  if (has_directives_) return is_new;
  const auto kept = host_.keep.load(kDirectives);
  if (!kept && kept.error().code != Code::not_found) return fail(kept.error(), "KSN's directives cannot be read");
  has_directives_ = true;
  if (!kept) return is_new;
  // Until the agent hands over the set again: a restart must not let out what is stopped.
  if (auto directives = Directives::parse(*kept)) {
    situation_.directives = std::move(*directives);
    situation_.directives_since = host_.now();
  }
  return is_new;
}

void Client::look_at_consent() {
  bool is_news = false, went_off = false;
  std::string told = "what was decided about KSN is read again: another process of this plugin was told";
  gate_->change([&] {
    const std::lock_guard lock(mutex_);
    const auto is_new = read_kept();
    auto unread = is_new ? std::string() : is_new.error().message;
    is_news = (is_new && *is_new) || unread != situation_.unread;
    if (!unread.empty()) told = cat("nobody is asked for now: ", unread);
    else if (!situation_.unread.empty()) told = cat("what could not be read is read now (", situation_.unread, ")");
    situation_.unread = std::move(unread);
    if (is_news) went_off = consent_changed();
  });
  if (!is_news) return;
  host_.log(true, told);
  if (went_off) fall_silent("KSN was switched off");
  refresh();
}

// What happened at a time that is yet to come would keep KSN available, and nobody greeted, until then.
void Client::mind_the_clock(std::int64_t now) {
  auto& s = situation_;
  for (auto* happened : {&s.changed, &s.directives_since, &s.last_exchange, &s.available_since, &s.failing_since}) *happened = std::min(*happened, now);
  for (auto* planned : {&greet_at_, &look_at_, &outbox_rests_until_}) *planned = std::min(*planned, now + kLongestPause);
}

Situation Client::situation() {
  const auto next = line_->until_next_attempt();
  const auto now = host_.now();
  Situation out;
  bool is_set = false;
  {
    const std::lock_guard lock(mutex_);
    mind_the_clock(now);
    out = situation_;
    is_set = !settings_.provider_file.empty();
    // A computer that slept has slept through it: who looks need not wait for the ticker's clock, which slept too.
    if (out.is_on() && out.has_provider && out.why_nobody().empty() && greeting_ == 0 && next.count() == 0 && out.directives.permits("hello", now) && now > greets_at()) {
      wake_ = true;
      tick_.notify_all();
    }
  }
  out.road = line_->in_force();
  if (out.has_provider ? out.failing_since == 0 && !is_unavailable(out, now) : !is_set) return out;
  const std::lock_guard lock(mutex_);
  const auto at = std::max({out.has_provider ? greets_at() : greet_at_, now + std::chrono::ceil<std::chrono::seconds>(next).count(), now});
  // One clock counts seconds, the other the rest of a road: what was said is not taken back for their difference.
  if (at < next_attempt_ - 1 || at > next_attempt_ + 1) next_attempt_ = at;
  out.next_attempt = next_attempt_;
  return out;
}

// After a failure within a minute: it may be over. Of what was changed meanwhile the last exchange says nothing.
std::int64_t Client::greets_at() const {
  return situation_.failing_since != 0 || situation_.last_exchange <= situation_.changed ? greet_at_ : std::max(greet_at_, situation_.last_exchange + settings_.heartbeat.count());
}

std::string Client::forbids(std::string_view what) {
  const std::lock_guard lock(mutex_);
  const auto now = host_.now();
  if (!situation_.is_on()) return status_of(situation_, now).line();
  if (!situation_.why_nobody().empty()) return situation_.why_nobody();
  if (const auto is_overtaken = consent_.is_overtaken(host_.keep); !is_overtaken || *is_overtaken) {
    wake_ = true;
    tick_.notify_all();
    return is_overtaken ? "what was decided about KSN is read again" : is_overtaken.error().message;
  }
  if (!situation_.has_provider) return situation_.no_provider;
  if ((what == "statistics" || what == "content") && !situation_.extended) return "only asked in extended mode";
  if (!situation_.directives.permits(what, now)) return cat("KSN's directives: ", status_of(situation_, now).cause());
  return {};
}

Line::Accept Client::believes(Line::Accept accept) {
  std::uint64_t beginnings = 0;
  {
    const std::lock_guard lock(mutex_);
    beginnings = beginnings_;
  }
  return [this, beginnings, accept = std::move(accept)](const ksn_channel::Answer& answer, const Way& way) {
    auto accepted = accept(answer, way);
    const std::lock_guard lock(mutex_);
    if (beginnings == beginnings_ && (accepted || accepted.error().code != Code::cancelled)) unbelieved_ = !accepted;
    return accepted;
  };
}

void Client::attempted(const Way* way, std::string_view path, const Error* failure) {
  // A proxy takes statistics and files while KSN is away, and NOT_TAKEN says nothing of the licence: what they bring is no sign that questions are answered.
  const bool would_answer = path == "/ksn/v1/ask" || path == "/ksn/v1/hello";
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    const auto now = host_.now();
    const bool was_failing = situation_.failing_since != 0, was_refused = situation_.licence_refused;
    if (failure == nullptr) {
      ++exchanges_;
      // Nor is a greeting, of one who answered what is not the provider's.
      if (!would_answer || (unbelieved_ && path == "/ksn/v1/hello")) return;
      if (is_unavailable(situation_, now)) situation_.available_since = now;
      tell = was_failing || situation_.last_exchange == 0 || now - situation_.last_exchange > 60;
      situation_.last_exchange = now;
      situation_.last_road = way != nullptr ? way->name : "";
      situation_.failing_since = 0;
      situation_.failure.clear();
      situation_.licence_refused = false;
    } else if (failure->code != Code::cancelled) {
      ++failures_;
      if (!was_failing) {
        situation_.failing_since = now;
        greet_at_ = std::max(greet_at_, now + std::min<std::int64_t>(settings_.heartbeat.count(), 60));
      }
      // Another failure after it is no sign that the licence is known now.
      situation_.licence_refused = was_refused || failure->code == Code::denied;
      tell = !was_failing || situation_.failure != failure->message || was_refused != situation_.licence_refused;
      situation_.failure = failure->message;
    }
    if (tell) wake_ = true;
  }
  if (!tell) return;
  tick_.notify_all();
  host_.changed();
}

std::size_t Client::fall_silent(const std::string& why) {
  std::size_t cleared = broker_->clear(why);
  line_->cancel_all();
  cleared += outbox_->clear();
  return cleared;
}

Result<> Client::direct(const std::string& folder, std::uint64_t release) {
  PICKET_LET(text, picket::read_file(std::filesystem::path(folder) / "directives.json", kMostDirectives));
  PICKET_LET(directives, Directives::parse(text));
  bool stops = false;
  gate_->change([&] {
    const std::lock_guard lock(mutex_);
    const auto now = host_.now();
    stops = directives.in_force(now);
    if (situation_.directives.mode != directives.mode) situation_.directives_since = now;
    situation_.directives = directives;
    has_directives_ = true;
  });
  if (!host_.keep.store(kDirectives, text)) host_.log(true, "KSN's directives could not be kept: a restart may forget them for a moment");
  if (stops) {
    // What is under way would go on to the next road; what is still allowed is asked again.
    broker_->clear(forbids("file").empty() ? "KSN's directives changed" : forbids("file"));
    line_->cancel_all();
  }
  host_.log(false, cat("KSN's directives of release ", std::to_string(release), ": ", stops ? status().cause() : "no restrictions"));
  refresh();
  return {};
}

}  // namespace ksn_client
