#include "update/board.hpp"

#include <algorithm>
#include <set>

namespace picket::update {
namespace {

std::string days_ago(std::int64_t seconds) {
  const auto hours = seconds / 3600;
  return hours < 48 ? cat(std::to_string(hours), " hours ago") : cat(std::to_string(hours / 24), " days ago");
}

std::string_view approval_of(const Settings& settings, std::string_view component, std::uint64_t release) {
  const auto in = [&](const std::vector<ReleaseRef>& list) {
    return std::ranges::any_of(list, [&](const auto& ref) { return ref.component == component && (ref.release == 0 || ref.release == release); });
  };
  return in(settings.declined) ? "declined" : in(settings.approved) ? "approved" : "undefined";
}

// A pin is the administrator's newer word than a rollback.
bool is_taken_back(const Settings& settings, std::string_view component, const Refusal& refusal) {
  return refusal.by_rollback && std::ranges::any_of(settings.pinned, [&](const auto& pin) { return pin.component == component && pin.release == refusal.release; });
}

// What the next update will say, too: of the newest that is not taken though it is newer than what is in force. Empty: there is none.
std::string refusal_note(const Settings& settings, std::string_view component, const ComponentView& view) {
  const auto pin = std::ranges::find(settings.pinned, component, &ReleaseRef::component);
  const Refusal* newest = nullptr;
  for (const auto& refusal : view.refused) {
    if (refusal.release <= std::max<std::uint64_t>(view.set.release(), newest == nullptr ? 0 : newest->release)) continue;
    if (pin == settings.pinned.end() || (pin->release == refusal.release && !is_taken_back(settings, component, refusal))) newest = &refusal;
  }
  return newest == nullptr ? std::string() : cat("release ", std::to_string(newest->release), ": refused: ", newest->why);
}

}  // namespace

void Board::set_settings(Settings settings) {
  const std::lock_guard lock(mutex_);
  settings_ = std::move(settings);
}

Settings Board::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

void Board::choose_variant(v1::VariantChoice choice) {
  const std::lock_guard lock(mutex_);
  variant_ = std::move(choice);
}

v1::VariantChoice Board::variant() const {
  const std::lock_guard lock(mutex_);
  auto out = variant_;
  if (out.variant().empty()) {
    out.set_variant("full");
    out.set_reason("nobody chose: full is the default");
  }
  return out;
}

void Board::set_step(std::string state, std::string step) {
  const std::lock_guard lock(mutex_);
  state_ = std::move(state);
  step_ = std::move(step);
}

void Board::set_last(v1::RunResult result) {
  const std::lock_guard lock(mutex_);
  last_ = std::move(result);
}

void Board::set_next_run(std::int64_t at) {
  const std::lock_guard lock(mutex_);
  next_run_ = at;
}

void Board::set_view(const std::string& component, ComponentView view) {
  const std::lock_guard lock(mutex_);
  views_[component] = std::move(view);
}

void Board::set_text(const std::string& component, std::string text) {
  const std::lock_guard lock(mutex_);
  views_[component].text = std::move(text);
}

ComponentView Board::view(std::string_view component) const {
  const std::lock_guard lock(mutex_);
  const auto found = views_.find(component);
  return found == views_.end() ? ComponentView{} : found->second;
}

std::vector<component::v1::ActiveSet> Board::in_force() const {
  const std::lock_guard lock(mutex_);
  std::vector<component::v1::ActiveSet> out;
  for (const auto& [component, view] : views_)
    if (view.set.release() != 0) out.push_back(view.set);
  return out;
}

v1::StatusReply Board::status(const std::vector<Demand>& demands, std::int64_t now) const {
  const auto wanted = variant();
  const std::lock_guard lock(mutex_);
  v1::StatusReply out;
  out.set_state(state_);
  out.set_step(step_);
  if (last_.run() != 0) *out.mutable_last() = last_;
  out.set_wanted_variant(wanted.variant());
  out.set_variant_reason(wanted.reason());
  out.set_next_run(next_run_);

  std::map<std::string, std::set<std::string>> demanded;
  std::map<std::string, std::string> classes;
  for (const auto& demand : demands) {
    demanded[demand.component].insert(demand.plugin);
    classes.emplace(demand.component, demand.component_class);
  }
  for (const auto& component : settings_.components) demanded[component].insert("settings");
  std::set<std::string> names;
  for (const auto& [name, by] : demanded) names.insert(name);
  for (const auto& [name, view] : views_)
    if (view.set.release() != 0) names.insert(name);

  const auto hour = std::int64_t{3600};
  for (const auto& name : names) {
    const auto found = views_.find(name);
    const ComponentView view = found == views_.end() ? ComponentView{} : found->second;
    auto& status = *out.add_components();
    status.set_component(name);
    status.set_class_(view.cls.empty() ? classes[name] : view.cls);
    status.set_variant(view.set.variant());
    status.set_wanted_variant(wanted.variant());
    status.set_release(view.set.release());
    status.set_version(view.set.version());
    status.set_published(view.set.published());
    status.set_activated(view.set.activated());
    for (const auto& plugin : demanded[name]) status.add_demanded_by(plugin);
    status.set_optional(!demanded[name].empty() && !demanded[name].contains("settings") &&
                        std::ranges::all_of(demands, [&](const Demand& demand) { return demand.component != name || demand.optional; }));
    for (const auto release : view.kept) status.add_kept(release);
    for (const auto& refusal : view.refused) status.add_refused(refusal.release);
    status.set_offered(view.offered);
    status.set_approval(std::string(approval_of(settings_, name, view.offered != 0 ? view.offered : view.set.release())));
    status.set_trial(view.is_on_trial);
    if (const auto pin = std::ranges::find(settings_.pinned, name, &ReleaseRef::component); pin != settings_.pinned.end()) status.set_pinned(pin->release);
    status.set_path(view.set.path());
    status.set_bytes(view.bytes);
    const auto age = now - view.set.published();
    status.set_freshness(view.set.release() == 0                          ? "none"
                         : age > settings_.critical_after.count() * hour ? "critical"
                         : age > settings_.warning_after.count() * hour  ? "warning"
                                                                         : "ok");
    // A variant that does not exist was said to be missing; it is not pending for ever.
    const bool pending = view.set.release() != 0 && view.set.variant() != wanted.variant() && view.decided_for != wanted.variant() && !demanded[name].empty();
    status.set_change_pending(pending);
    if (pending) out.set_change_pending(true);
    const auto text = view.text.empty() ? refusal_note(settings_, name, view) : view.text;
    status.set_text(pending                     ? cat("changes to variant ", wanted.variant(), " at the next update", text.empty() ? "" : "; ", text)
                    : !text.empty()             ? text
                    : view.set.release() == 0   ? view.is_absent ? "not offered" : "not brought yet"
                    : view.is_on_trial          ? "on trial: handed on when a verification has passed"
                    : !view.confirmed           ? "in force, not yet loaded by a plugin"
                                                : "");
  }
  return out;
}

std::vector<v1::HeldRelease> Board::held() const {
  std::vector<v1::HeldRelease> out;
  const std::lock_guard lock(mutex_);
  const auto hold = [&](const std::string& component, std::uint64_t release, bool newer, std::string why) {
    auto& one = out.emplace_back();
    one.set_component(component);
    one.set_release(release);
    one.set_newer(newer);
    one.set_why(std::move(why));
  };
  for (const auto& entry : views_) {
    const auto& component = entry.first;
    const auto& view = entry.second;
    for (const auto& refusal : view.refused)
      if (!is_taken_back(settings_, component, refusal)) hold(component, refusal.release, false, cat("refused: ", refusal.why));
    if (view.passes_up_to) hold(component, *view.passes_up_to + 1, true, "no verification has passed it yet");
  }
  return out;
}

bool Board::is_lacking(const std::vector<Demand>& demands) const {
  const std::lock_guard lock(mutex_);
  if (std::ranges::none_of(settings_.sources, &SourceEntry::enabled)) return false;
  const auto is_missed = [&](const std::string& component) {
    const auto found = views_.find(component);
    const ComponentView view = found == views_.end() ? ComponentView{} : found->second;
    return view.set.release() == 0 && !view.is_absent && (view.cls.empty() || view.cls == "databases") && approval_of(settings_, component, view.offered) != "declined";
  };
  return std::ranges::any_of(settings_.components, is_missed) ||
         std::ranges::any_of(demands, [&](const Demand& demand) { return !demand.optional && demand.component_class == "databases" && is_missed(demand.component); });
}

std::vector<Engine::Problem> Board::problems(const std::vector<Demand>& demands, std::int64_t now) const {
  const auto all = status(demands, now);
  std::vector<Engine::Problem> out;
  for (const auto& component : all.components()) {
    if (component.demanded_by().empty()) continue;
    const auto& name = component.component();
    // Of what was never offered nobody knows the class: as bad as missing databases, until an offer says that it is something else.
    const bool databases = component.class_() == "databases" || component.class_().empty();
    // Away by the administrator's own word: nothing is wrong. Databases are missed whoever declined them.
    if (component.release() == 0 && component.approval() == "declined" && component.class_() != "databases") continue;
    // An optional one is only missed when it could not be brought, and then not badly.
    if (component.release() == 0 && component.optional()) {
      if (const auto why = view(name).text; !why.empty()) out.push_back({false, cat(name, ": ", why)});
    } else if (component.release() == 0) out.push_back({databases, cat(name, component.class_() == "databases" ? ": without databases: " : ": ", component.text())});
    else if (databases && component.freshness() == "critical") out.push_back({true, cat(name, ": published ", days_ago(now - component.published()))});
    else if (databases && component.freshness() == "warning") out.push_back({false, cat(name, ": published ", days_ago(now - component.published()))});
    if (const auto refusal = view(name).refusal; !refusal.empty()) out.push_back({false, cat(name, ": ", refusal)});
  }
  const auto& last = all.last();
  if (last.result() == "failed" || last.result() == "partial") out.push_back({false, cat("the last ", last.kind(), " was ", last.result() == "failed" ? "a failure" : "only partly done", ": ", without_sources(last.text()))});
  return out;
}

}  // namespace picket::update
