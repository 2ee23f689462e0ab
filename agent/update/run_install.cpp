// The second half of a run: from a chosen release to a confirmed set, and back.
#include <algorithm>

#include "base/progress.hpp"
#include "storage/space.hpp"
#include "update/run.hpp"
#include "update/stage.hpp"

namespace picket::update {

Result<> Run::install(const std::string& component, const trust::Release& release, const Catalogue::Offer& offer, v1::ComponentResult& out) {
  SetInfo probe;
  probe.release = static_cast<std::uint64_t>(release.release);
  probe.variant = release.variant;
  probe.content_sha256 = release.content_sha256;
  auto stored = shop_.sets.info(component, probe.name());
  if (stored && stored->content_sha256 == release.content_sha256 && shop_.sets.verify(*stored, cancel_)) {
    shop_.explain.say({.component = component}, cat("set ", stored->name(), " is stored already"));
    return activate(component, *stored, why_, out);
  }
  const auto wanted = catalogue_->wanted(release);
  wanted_keys_.insert(wanted.key());  // whatever happens next, it need not be fetched again
  auto info = install_by_deltas(release, offer, wanted);
  if (!info) {
    if (cancel_.is_cancelled()) return fail(Code::cancelled, "cancelled");
    PICKET_LET(whole, install_full(release, wanted));
    info = std::move(whole);
  }
  if (!settings_.keep_archives) PICKET_TRY(shop_.downloads.remove(wanted));
  shop_.checked[component] = shop_.clock.wall_seconds();
  return activate(component, *info, why_, out);
}

Result<SetInfo> Run::install_full(const trust::Release& release, const Wanted& wanted) {
  auto ahead = brought_ahead(wanted);
  PICKET_LET(file, ahead ? std::move(*ahead) : fetch(release, wanted, readers_));
  tell("stage", release.component, "");
  PICKET_LET(info, stage(release, file, shop_.sets, shop_.steps, cancel_));
  PICKET_TRY(adopt(info));
  return std::move(info);
}

Result<> Run::adopt(const SetInfo& info) {
  PICKET_LET(healed, shop_.sets.adopt(info));
  if (healed > 0) shop_.explain.say({.component = info.component}, cat(std::to_string(healed), " files of other sets, damaged with those of ", info.name(), ", which they share, are repaired too"));
  return {};
}

std::optional<std::filesystem::path> Run::brought_earlier(const std::string& component, const Wanted& wanted) {
  if (shop_.downloads.have(wanted) != wanted.length) return std::nullopt;
  auto found = shop_.downloads.find(wanted, cancel_);
  if (found) {
    shop_.explain.say({.component = component, .file = wanted.path}, "downloaded earlier and verified again: not fetched");
    return std::move(*found);
  }
  if (found.error().code != Code::cancelled && found.error().code != Code::not_found) shop_.explain.say({.component = component, .file = wanted.path}, found.error().message);
  return std::nullopt;
}

Result<std::filesystem::path> Run::fetch(const trust::Release& release, const Wanted& wanted, const Readers& readers) {
  const auto& component = release.component;
  tell("fetch", component, cat("release ", std::to_string(release.release), ", ", human_bytes(wanted.length)), 0, wanted.length);
  if (auto found = brought_earlier(component, wanted)) return std::move(*found);
  if (cancel_.is_cancelled()) return fail(Code::cancelled, "cancelled");
  const auto have = shop_.downloads.have(wanted);
  // All that is needed until the set is in force, so that a full disk is found out before the download.
  std::uint64_t need = wanted.length - std::min(have, wanted.length);
  if (release.format != "file") need += release.unpacked + release.files * 4096;
  PICKET_TRY(storage::require_space(shop_.options.data_dir, need, cat(component, " release ", std::to_string(release.release))));
  return bring(component, wanted, release.release, readers);
}

bool Run::holds_back(SourceReader& reader, const std::string& component, std::int64_t release) {
  if (!reader.source().may_hold_back) return false;
  const std::lock_guard lock(holding_);
  if (const auto own = in_force_.find(component); own != in_force_.end() && own->second == static_cast<std::uint64_t>(release)) return false;
  auto known = held_by_.find(reader.source().name);
  if (known == held_by_.end()) {
    const auto bytes = reader.fetch_metadata(trust::kHeldBackFile, trust::kMostHeldBack);
    auto held = bytes ? trust::parse_held_back(*bytes) : Result<trust::HeldBack>(fail(bytes.error()));
    if (!held && (bytes || bytes.error().code != Code::not_found))  // most hold nothing back
      shop_.explain.say({.source = reader.source().name, .file = trust::kHeldBackFile}, held.error().message);
    known = held_by_.emplace(reader.source().name, held ? std::move(*held) : trust::HeldBack()).first;
  }
  if (!trust::holds_back(known->second, component, release)) return false;
  held_[component].insert(release);
  return true;
}

Result<std::filesystem::path> Run::bring(const std::string& component, const Wanted& wanted, std::optional<std::int64_t> release, const Readers& readers) {
  std::string failures;
  bool missing = true;
  std::chrono::milliseconds told{};
  for (const auto& reader : readers) {
    const auto& source = reader->source().name;
    const Explain::About about{component, source, wanted.path};
    bool ours = false;
    const auto before = shop_.downloads.have(wanted);
    auto got = shop_.downloads.fetch(wanted, *reader, [&](std::uint64_t done) {
      const auto now = shop_.clock.monotonic();
      if (now - told < std::chrono::milliseconds(100) && done != wanted.length) return;
      told = now;
      tell("fetch", component, cat("from ", source), done, wanted.length);
    }, cancel_, ours);
    if (got) {
      shop_.explain.say(about, cat("verified, ", human_bytes(wanted.length), got->from.empty() ? "" : " from ", got->from,
                                   got->began_anew ? "; what lay here did not fit and was fetched anew" : before > 0 ? cat("; resumed at ", human_bytes(before)) : ""));
      tell("verify", component, "digest is right", wanted.length, wanted.length);
      return std::move(got->file);
    }
    if (cancel_.is_cancelled()) return fail(Code::cancelled, "cancelled");
    shop_.explain.say(about, cat("failed: ", got.error().message));
    if (ours || !release) return fail(std::move(got).error());
    const bool lacks = got.error().code == Code::not_found;
    if (lacks && holds_back(*reader, component, *release)) {
      // Another source would give what this site's administrator does not want to be handed on, or not yet.
      shop_.explain.say(about, "held back there on purpose: no other source is asked");
      return fail(Code::not_found, cat(source, " holds it back on purpose, as declined or not verified yet"));
    }
    if (!lacks) blame(*reader, got.error().message);
    missing = missing && lacks;
    add_failure(failures, source, got.error().message);
  }
  return fail(missing ? Code::not_found : Code::unavailable, cat("no source could give ", wanted.path, ": ", failures));
}

component::v1::ActiveSet Run::describe(const std::string& component) const {
  const auto& record = shop_.ledger.record(component);
  component::v1::ActiveSet set;
  set.set_component(component);
  auto info = shop_.sets.info(component, record.in_force);
  if (!info) return set;
  set.set_variant(info->variant);
  set.set_release(info->release);
  set.set_version(info->version);
  set.set_path(shop_.sets.path_of(component, info->name()).native());
  set.set_published(info->published);
  set.set_activated(record.activated);
  set.set_store(shop_.options.data_dir.native());
  return set;
}

void Run::show(const std::string& component, bool announce) {
  const auto& record = shop_.ledger.record(component);
  auto view = shop_.board.view(component);
  view.set = describe(component);
  view.confirmed = record.confirmed;
  view.kept.clear();
  for (const auto& info : activation_.kept(component)) view.kept.push_back(info.release);
  view.refused = record.refused;
  view.is_on_trial = record.is_on_trial();
  view.passes_up_to.reset();
  if (record.verified) view.passes_up_to = release_in(*record.verified);
  view.refusal.clear();
  for (const auto& refusal : record.refused) {
    if (view.refusal.empty() && refusal.why != kRolledBack && refusal.release > view.set.release())
      view.refusal = cat("release ", std::to_string(refusal.release), " was refused by ", refusal.why);
  }
  view.bytes = 0;   // of what is in force; where nothing is, the class stays known
  if (auto info = shop_.sets.info(component, record.in_force)) {
    view.cls = info->cls;
    view.bytes = info->bytes;
  } else if (!record.cls.empty()) {
    view.cls = record.cls;
  }
  shop_.board.set_view(component, view);
  if (announce) shop_.announce(view.set);
}

void Run::set_decided_for(const std::string& component, std::string variant) {
  auto view = shop_.board.view(component);
  view.decided_for = std::move(variant);
  shop_.board.set_view(component, std::move(view));
}

Result<> Run::activate(const std::string& component, const SetInfo& info, Activation::Why why, v1::ComponentResult& out) {
  if (cancel_.is_cancelled()) return fail(Code::cancelled, "cancelled");
  if (only_fetch_ && why != Activation::Why::rollback) return {};
  pending_text_.clear();
  if (why != Activation::Why::rollback) set_decided_for(component, variant_);
  const auto before = shop_.ledger.record(component).in_force;
  tell("activate", component, cat("release ", std::to_string(info.release)));
  if (before != info.name()) PICKET_TRY(activation_.switch_to(component, info.name(), why));
  if (why == Activation::Why::trial) show(component, false);  // from here on nobody is handed it

  // From here a user's cancel comes too late: plugins are loading the set.
  tell("confirm", component, "");
  shop_.steps("confirm");
  const auto consumers = running_consumers(component);
  auto confirmed = consumers_.confirm(consumers, describe(component), why == Activation::Why::rollback, settings_.confirm_timeout, shop_.shutdown);
  if (!confirmed && confirmed.error().code == Code::cancelled) {
    show(component, false);  // the plugins are asked again at the next start
    return fail(std::move(confirmed).error());
  }
  if (confirmed) {
    pending_text_ = confirmed->text;
    if (!consumers.empty() && !confirmed->is_pending && !shop_.ledger.record(component).confirmed) PICKET_TRY(shop_.ledger.confirmed(component));
    show(component, true);
    return {};
  }
  const auto& reason = confirmed.error().message;
  out.set_result("refused");
  go_back(component, info.name(), before == info.name() ? std::string() : before, {info.release, false, reason});
  const auto& now = shop_.ledger.record(component).in_force;
  return fail(Code::conflict, cat("release ", std::to_string(info.release), " was refused by ", reason, now.empty() ? "; nothing is in force" : cat("; ", now, " is in force again")));
}

void Run::go_back(const std::string& component, const std::string& bad_set, const std::string& to, const Refusal& refusal) {
  auto note = [&](const Result<>& done) {
    if (!done) shop_.explain.say({.component = component}, cat("going back: ", done.error().message));
  };
  note(shop_.ledger.refuse(component, refusal));
  std::string target = to;
  for (const auto& earlier : shop_.ledger.record(component).earlier)
    if (target.empty() && earlier != bad_set && shop_.sets.info(component, earlier)) target = earlier;
  if (target.empty())
    for (const auto& info : activation_.kept(component)) {
      target = info.name();
      break;
    }
  auto switched = activation_.switch_to(component, target, Activation::Why::restore);
  note(switched);
  shop_.explain.say({.component = component}, cat(bad_set, " is not tried again until something newer appears; ", target.empty() ? "nothing" : target, " is in force"));
  if (switched && !target.empty()) {
    auto set = describe(component);
    (void)consumers_.confirm(running_consumers(component), set, true, settings_.confirm_timeout, shop_.shutdown);
  }
  show(component, true);
}

Result<> Run::check_order(const v1::RollbackRequest& order) const {
  const auto& component = order.component();
  const std::size_t steps = std::max<std::uint32_t>(order.steps(), 1);
  if (!shop_.sets.info(component, shop_.ledger.record(component).in_force)) return fail(Code::not_found, cat("component ", component, ": nothing is in force"));
  const auto kept = activation_.kept(component).size();
  if (kept >= steps) return {};
  return fail(Code::not_found, cat("component ", component, ": ", steps == 1 ? std::string("1 step back was") : cat(std::to_string(steps), " steps back were"), " asked for, ",
                                   kept == 0 ? std::string("no earlier release is kept") : kept == 1 ? std::string("1 earlier release is kept") : cat(std::to_string(kept), " earlier releases are kept")));
}

v1::RunResult Run::rollback(const v1::RollbackRequest& order) {
  v1::RunResult result;
  begin(result, "rollback");
  const auto& component = order.component();
  const std::size_t steps = std::max<std::uint32_t>(order.steps(), 1);
  auto& out = *result.add_components();
  out.set_component(component);
  auto work = [&]() -> Result<> {
    PICKET_TRY(check_order(order));
    const auto active = shop_.sets.info(component, shop_.ledger.record(component).in_force);
    out.set_release_before(active->release);
    out.set_release_after(active->release);
    out.set_variant(active->variant);
    const auto kept = activation_.kept(component);
    const auto& target = kept[steps - 1];
    tell("verify", component, cat("release ", std::to_string(target.release)));
    PICKET_TRY(shop_.sets.verify(target, cancel_));
    // What is left behind, and what is jumped over, is not taken again by the next update. Written first: after a power cut in between, the
    // release in force is merely one that nothing newer has replaced yet.
    std::vector<std::uint64_t> left{active->release};
    for (std::size_t i = 0; i + 1 < steps; ++i) left.push_back(kept[i].release);
    for (const auto release : left) PICKET_TRY(shop_.ledger.refuse(component, {release, true, std::string(kRolledBack)}));
    if (auto done = activate(component, target, Activation::Why::rollback, out); !done) {
      for (const auto release : left) (void)shop_.ledger.allow(component, release);
      return done;
    }
    out.set_result("rolled-back");
    out.set_variant(target.variant);
    out.set_release_after(target.release);
    set_decided_for(component, "");
    const bool is_pinned = std::ranges::any_of(settings_.pinned, [&](const auto& pin) { return pin.component == component && pin.release == active->release; });
    out.set_text(cat(pending_text_, pending_text_.empty() ? "" : "; ", "release ", std::to_string(active->release),
                     is_pinned ? " is taken again by the next update: the settings pin it" : " is not taken again until something newer appears or a pin names it"));
    return {};
  };
  if (auto done = work(); !done) {
    if (out.result().empty()) out.set_result("failed");
    out.set_text(done.error().message);
  }
  shop_.explain.say({.component = component}, cat(out.result(), ": ", out.text()));
  tidy({component}, false);
  show(component, false);
  finish(result);
  return result;
}

std::optional<v1::RunResult> Run::refused_at_start(const std::string& component, const std::string& set, const std::string& plugin, const std::string& why, bool over) {
  const auto& record = shop_.ledger.record(component);
  if (record.in_force != set) return std::nullopt;  // meanwhile another one is in force
  const auto text = cat(plugin, " could not load release ", std::to_string(shop_.board.view(component).set.release()), ": ", why);
  shop_.explain.say({.component = component}, text);
  shop_.board.set_text(component, text);
  if (record.confirmed && !over) return std::nullopt;  // others use it: the plugin's trouble, not the set's
  auto info = shop_.sets.info(component, set);
  if (!info) return std::nullopt;
  v1::RunResult result;
  number(result, "start");
  auto& out = *result.add_components();
  out.set_component(component);
  out.set_variant(info->variant);
  out.set_release_before(info->release);
  go_back(component, set, {}, {info->release, false, cat(plugin, ": ", why)});
  const auto now = shop_.sets.info(component, shop_.ledger.record(component).in_force);
  out.set_release_after(now ? now->release : 0);
  out.set_result("refused");
  out.set_text(cat("release ", std::to_string(info->release), " was refused by ", plugin, ": ", why));
  finish(result);
  return result;
}

std::optional<v1::RunResult> Run::loaded_at_start(const std::string& component, const std::string& set, const std::string& text) {
  const auto& record = shop_.ledger.record(component);
  if (record.in_force != set || record.confirmed) return std::nullopt;
  if (auto noted = shop_.ledger.confirmed(component); !noted) {
    shop_.explain.say({.component = component}, noted.error().message);
    return std::nullopt;
  }
  show(component, false);
  const auto info = shop_.sets.info(component, set);
  if (!info || info->cls != "agent") return std::nullopt;  // of others it goes without saying
  v1::RunResult result;
  number(result, "start");
  auto& out = *result.add_components();
  out.set_component(component);
  out.set_variant(info->variant);
  out.set_release_before(info->release);
  out.set_release_after(info->release);
  out.set_result("confirmed");
  out.set_text(text);
  finish(result);
  result.set_text(text);
  return result;
}

}  // namespace picket::update
