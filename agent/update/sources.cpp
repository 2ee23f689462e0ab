#include "update/sources.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace picket::update {
namespace {

constexpr std::size_t kMostWhy = 1000;  // of 64 sources, which are told together in one message

}  // namespace

void Sources::configure(std::vector<SourceEntry> entries, std::chrono::seconds rest, std::chrono::seconds longest_rest, std::chrono::seconds longest_wish) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, Health, std::less<>> health;
  for (const auto& entry : entries) {
    const auto old = std::ranges::find(entries_, entry);
    if (old == entries_.end()) continue;
    if (const auto known = health_.find(entry.name); known != health_.end()) health.insert(*known);
  }
  entries_ = std::move(entries);
  health_ = std::move(health);
  rest_ = rest.count();
  longest_rest_ = std::max(rest, longest_rest).count();
  longest_wish_ = longest_wish.count();
}

const Sources::Health& Sources::health_of(std::string_view name) const {
  static const Health untried;
  const auto found = health_.find(name);
  return found == health_.end() ? untried : found->second;
}

std::vector<SourceEntry> Sources::to_try(bool force, Explain& explain) const {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.wall_seconds();
  std::vector<SourceEntry> out, resting;
  for (const auto& entry : entries_) {
    if (!entry.enabled) {
      explain.say({.source = entry.name}, "passed over: disabled in the settings");
    } else if (const auto& health = health_of(entry.name); !force && rests(health, now)) {
      explain.say({.source = entry.name}, cat("rests for ", std::to_string(health.rests_until - now), " s more", health.failures > 1 ? cat(" after ", std::to_string(health.failures), " failures in a row, the last: ") : std::string(" after: "), health.why));
      resting.push_back(entry);
    } else {
      if (health.state == Health::State::failed && health.rest > 0 && !rests(health, now))
        explain.say({.source = entry.name}, cat("has rested after: ", health.why, ": this attempt decides whether it is used again"));
      out.push_back(entry);
    }
  }
  if (out.empty() && !resting.empty()) {
    explain.say({}, "every source rests: they are tried all the same");
    return resting;
  }
  return out;
}

void Sources::worked(std::string_view name) {
  const std::lock_guard lock(mutex_);
  auto& health = health_[std::string(name)];
  if (health.state != Health::State::ok) health.since = clock_.wall_seconds();
  health.state = Health::State::ok;
  health.why.clear();
  health.rests_until = health.rest = 0;
  health.failures = 0;
}

void Sources::failed(std::string_view name, std::string_view why, std::optional<std::chrono::seconds> wish) {
  const std::lock_guard lock(mutex_);
  auto& health = health_[std::string(name)];
  const auto now = clock_.wall_seconds();
  if (health.state != Health::State::failed) health.since = now;
  health.state = Health::State::failed;
  health.why = whole_characters(why, kMostWhy);
  health.is_asked_for = wish && wish->count() > 0;
  if (wish && wish->count() == 0) {
    health.rests_until = health.rest = 0;
    return;
  }
  const auto doubled = std::min<unsigned>(health.failures, 30);
  health.failures = std::min(health.failures + 1, 1'000'000U);
  health.rest = std::max(std::min(rest_ << doubled, longest_rest_), wish ? std::min<std::int64_t>(wish->count(), longest_wish_) : 0);
  health.rests_until = now + health.rest;
}

Sources::Rest Sources::rest_of(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.wall_seconds();
  const auto& health = health_of(name);
  if (!rests(health, now)) return {};
  return {std::chrono::seconds(health.rests_until - now), health.why, health.is_asked_for};
}

bool Sources::want_to_be_left_alone() const {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.wall_seconds();
  bool is_asked_for = false;
  for (const auto& entry : entries_) {
    if (!entry.enabled) continue;
    const auto& health = health_of(entry.name);
    if (!rests(health, now)) return false;
    is_asked_for = is_asked_for || health.is_asked_for;
  }
  return is_asked_for;
}

bool Sources::knows(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(entries_, name, &SourceEntry::name) != entries_.end();
}

std::vector<v1::SourceStatus> Sources::status() const {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.wall_seconds();
  std::vector<v1::SourceStatus> out;
  for (const auto& entry : entries_) {
    const auto& health = health_of(entry.name);
    auto& status = out.emplace_back();
    status.set_name(entry.name);
    status.set_plugin(entry.plugin);
    status.set_location(entry.location);
    status.set_text(entry.enabled ? health.why : "disabled in the settings");
    status.set_since(health.since);
    const bool resting = rests(health, now);
    if (resting) status.set_next_attempt(health.rests_until);
    status.set_state(!entry.enabled                           ? "disabled"
                     : health.state == Health::State::untried ? "untried"
                     : health.state == Health::State::ok      ? "ok"
                     : resting                                ? "resting"
                     : health.rest > 0                        ? "trial"
                                                              : "failed");
  }
  return out;
}

}  // namespace picket::update
