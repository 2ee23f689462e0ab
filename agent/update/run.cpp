#include "update/run.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/progress.hpp"
#include "update/what_is_sent.hpp"

namespace picket::update {
namespace {

// What an administrator asks first, of a removable drive above all: what was new?
std::string news_of(const v1::RunResult& result) {
  constexpr std::size_t kMostNamed = 30;
  std::string out;
  std::size_t current = 0, named = 0;
  for (const auto& component : result.components()) {
    if (component.result() == "current" && component.release_after() != 0) ++current;
    if (component.result() != "updated" && component.result() != "fetched") continue;
    if (++named > kMostNamed) continue;
    out += cat(out.empty() ? "" : ", ", component.component(), " ");
    const auto before = component.release_before(), after = component.release_after();
    if (component.result() == "fetched") out += "fetched in advance";
    else if (before == after) out += cat(std::to_string(after), " (", component.variant(), " now)");
    else out += before == 0 ? std::to_string(after) : cat(std::to_string(before), " > ", std::to_string(after));
  }
  if (out.empty()) return out;
  if (named > kMostNamed) out += cat(" and ", std::to_string(named - kMostNamed), " more");
  return cat("new from ", result.source(), ": ", out, current == 0 ? "" : cat("; ", std::to_string(current), " current already"));
}

}  // namespace

Run::Run(Workshop& shop, Progress progress, core::CancelToken cancel)
    : shop_(shop), progress_(std::move(progress)), cancel_(std::move(cancel)), settings_(shop.board.settings()), variant_(shop.board.variant().variant()),
      activation_(shop.sets, shop.ledger, shop.clock), consumers_(shop.caller, shop.explain) {}

void Run::tell(std::string_view step, std::string_view component, std::string_view text, std::uint64_t done, std::uint64_t total) {
  shop_.board.set_step("running", cat(step, component.empty() ? "" : " ", component));
  if (!progress_) return;
  v1::Progress message;
  message.set_step(std::string(step));
  message.set_component(std::string(component));
  message.set_text(std::string(text));
  message.set_done(done);
  message.set_total(total);
  const std::lock_guard lock(telling_);
  progress_(message);
}

void Run::begin(v1::RunResult& result, std::string_view kind) {
  number(result, kind);
  shop_.explain.begin(result.run());
}

void Run::number(v1::RunResult& result, std::string_view kind) {
  auto number = shop_.counters.next("run");
  result.set_run(number ? *number : shop_.counters.get("run") + 1);  // a full disk must not hinder a rollback
  result.set_kind(std::string(kind));
  result.set_started(shop_.clock.wall_seconds());
}

void Run::finish(v1::RunResult& result) {
  std::size_t good = 0, changed = 0, failed = 0;
  std::string first_failure;
  for (const auto& component : result.components()) {
    const auto& word = component.result();
    if (word == "failed" || word == "refused") {
      ++failed;
      if (first_failure.empty()) first_failure = cat(component.component(), ": ", component.text());
    } else if (word != "current" || component.release_after() != 0) {  // what is not there and need not be makes no failure partial
      ++good;
      if (word != "current") ++changed;
    }
  }
  if (result.result().empty()) {
    result.set_result(cancel_.is_cancelled() ? "cancelled" : failed == 0 ? (changed == 0 ? "current" : "ok") : good == 0 ? "failed" : "partial");
    if (failed != 0) result.set_text(first_failure);
  }
  result.set_bytes(bytes_received());
  result.set_finished(shop_.clock.wall_seconds());
  tell("done", "", cat(result.result(), result.text().empty() ? "" : ": ", result.text()));
}

std::uint64_t Run::bytes_received() const {
  std::uint64_t sum = bytes_ahead_;
  for (const auto& reader : readers_) sum += reader->bytes_received();
  return sum;
}

std::vector<std::string> Run::running_consumers(std::string_view component) {
  const auto answerers = shop_.answerers();
  std::set<std::string> out;
  for (const auto& demand : shop_.demands()) {
    if (demand.component != component || !demand.running) continue;
    // One that merely watches picket.component.active has nothing to confirm; one that is just gone is asked when it comes back.
    if (std::ranges::find(answerers, demand.plugin) != answerers.end()) out.insert(demand.plugin);
    else shop_.explain.say({.component = component}, cat(demand.plugin, " is not asked: it does not answer ", kActivateTopic));
  }
  return {out.begin(), out.end()};
}

Result<> Run::check_order(const v1::RunRequest& order) const {
  const auto demands = shop_.demands();
  const auto is_demanded = [&](const std::string& name) {
    return std::ranges::find(settings_.components, name) != settings_.components.end() ||
           std::ranges::any_of(demands, [&](const Demand& demand) { return demand.component == name; });
  };
  // A task that names several brings the others when one of them is not needed any more.
  if (order.components().empty() || std::ranges::any_of(order.components(), is_demanded)) return {};
  return fail(Code::not_found, cat("component ", order.components(0), ": nobody on this computer demands it"));
}

std::vector<std::string> Run::wishes(const v1::RunRequest& order, v1::RunResult& result) {
  std::set<std::string> found;
  for (const auto& demand : shop_.demands()) {
    found.insert(demand.component);
    shop_.explain.say({.component = demand.component}, cat("demanded by ", demand.plugin, demand.running ? "" : " (not running)"));
  }
  for (const auto& component : settings_.components) {
    found.insert(component);
    shop_.explain.say({.component = component}, "demanded in the settings");
  }
  if (order.components().empty()) return {found.begin(), found.end()};
  std::set<std::string> out;
  for (const auto& name : order.components()) {
    if (found.contains(name)) {
      out.insert(name);
      continue;
    }
    auto& component = *result.add_components();
    component.set_component(name);
    component.set_result("failed");
    component.set_text("nobody on this computer demands it");
  }
  return {out.begin(), out.end()};
}

bool Run::check(const v1::RunRequest& order, v1::RunResult& result) {
  auto give_up = [&](std::string text) {
    result.set_result(cancel_.is_cancelled() ? "cancelled" : "failed");
    result.set_text(std::move(text));
    shop_.explain.say({}, result.text());
    return false;
  };
  tell("check", "", "looking for updates");
  const auto& data = shop_.options.data_dir;
  auto catalogue = Catalogue::open({data / "metadata", data / "metadata.highest", shop_.options.root_file}, shop_.clock, shop_.explain, shop_.steps);
  if (!catalogue) return give_up(catalogue.error().message);
  catalogue_ = std::move(*catalogue);

  const auto agent = settings_.tell_servers ? user_agent(told_servers(shop_.options, settings_, shop_.installation, result.run())) : std::string();
  std::string failures, own_trouble;
  std::vector<std::unique_ptr<SourceReader>> failed;
  bool worked = false;
  for (auto& entry : shop_.sources.to_try(order.force_check(), shop_.explain)) {
    const auto limits = limits_of(settings_, entry, agent);
    auto reader = std::make_unique<SourceReader>(shop_.caller, shop_.clock, std::move(entry), limits, cancel_);
    const auto name = reader->source().name;
    reader->on_note = [this, name](std::string_view file, std::string_view what) { shop_.explain.say({.source = name, .file = file}, what); };
    reader->on_metadata = [this, name](std::string_view file, std::string_view what) { shop_.explain.say({.source = name, .file = file}, what); };
    if (worked) {  // for single files, should the one that works lack them
      shop_.explain.say({.source = name}, cat("not asked: ", result.source(), " comes before it and works; stands by for single files"));
      readers_.push_back(std::move(reader));
      continue;
    }
    tell("check", "", cat("asking source ", name));
    auto done = catalogue_->refresh(*reader);
    if (done) {
      worked = true;
      result.set_source(name);
      shop_.explain.say({.source = name}, "taken: the first source whose metadata are good");
      readers_.insert(readers_.begin(), std::move(reader));
      continue;
    }
    const auto& error = done.error();
    failed.push_back(std::move(reader));
    if (cancel_.is_cancelled()) break;
    // This computer's own trouble: no source can help, and none is to blame.
    if (error.code == Code::no_space || (error.code == Code::conflict && error.message.find("clock") != error.message.npos)) {
      own_trouble = error.message;
      break;
    }
    add_failure(failures, name, error.message);
    blame(*failed.back(), error.message);
    shop_.explain.say({.source = name}, cat("failed: ", error.message));
  }
  // Those that failed come last, for their bytes to be counted; one that had bad metadata can still have a good file.
  for (auto& reader : failed) readers_.push_back(std::move(reader));
  if (worked) {
    warn_of_unknown_names();
    return true;
  }
  if (cancel_.is_cancelled()) return give_up("cancelled");
  if (!own_trouble.empty()) return give_up(std::move(own_trouble));
  return give_up(failures.empty() ? "no update source is enabled in the settings" : cat(kNoSource, ": ", failures));
}

// A name that was mistyped would otherwise say nothing, and what was to be declined is installed.
void Run::warn_of_unknown_names() {
  const auto offered = catalogue_->components();
  if (!offered) return;
  std::set<std::string, std::less<>> known(offered->begin(), offered->end());
  for (const auto& demand : shop_.demands()) known.insert(demand.component);
  for (const auto& [component, record] : shop_.ledger.records()) known.insert(component);  // was here once
  const auto line = unknown_components(settings_, known);
  if (!line.empty()) shop_.explain.say({}, line);
  if (!line.empty() && line != shop_.warned_of && shop_.warn) shop_.warn(line);
  shop_.warned_of = line;
}

// Bounded: several such texts of a component, and a run with all its components, are told in one message.
void Run::add_failure(std::string& failures, std::string_view source, std::string_view why) {
  constexpr std::size_t kMost = 2000;
  failures = shortened(cat(failures, failures.empty() ? "" : "; ", source, ": ", why), kMost);
}

void Run::blame(const SourceReader& reader, std::string_view why) {
  const std::lock_guard lock(blaming_);
  const auto& name = reader.source().name;
  if (failed_.insert(name).second) shop_.sources.failed(name, why, reader.wish());
}

v1::RunResult Run::update(const v1::RunRequest& order) {
  v1::RunResult result;
  only_fetch_ = order.prefetch();
  if (order.trial()) why_ = Activation::Why::trial;
  begin(result, only_fetch_ ? "prefetch" : "update");
  const auto wanted = wishes(order, result);
  shop_.explain.say({}, cat("variant ", variant_, ": ", shop_.board.variant().reason()));
  if (wanted.empty()) {
    if (result.components().empty()) result.set_text("no component is demanded");
    shop_.explain.say({}, "no component is demanded");
    finish(result);
    return result;
  }
  if (check(order, result) || use_what_was_fetched(wanted, result)) {
    take_turns(wanted, result);
    if (!offline_ && !failed_.contains(result.source())) shop_.sources.worked(result.source());  // good metadata alone do not make it good
    if (const auto news = news_of(result); !news.empty() && result.text().empty()) result.set_text(news);
    tidy(wanted, order.components().empty() && !cancel_.is_cancelled());
  } else if (!cancel_.is_cancelled()) {
    for (const auto& name : wanted) shop_.board.set_text(name, without_sources(result.text()));
  }
  catalogue_.reset();
  finish(result);
  return result;
}

bool Run::is_optional(std::string_view component) const {
  if (std::ranges::find(settings_.components, component) != settings_.components.end()) return false;
  const auto demands = shop_.demands();
  return std::ranges::all_of(demands, [&](const Demand& demand) { return demand.component != component || demand.optional; });
}

Plan Run::plan_of(const std::string& component, const std::vector<trust::Release>& offered, const std::string& agent_version) const {
  const auto active = shop_.sets.info(component, shop_.ledger.record(component).in_force);
  PlanQuestion question{component, variant_, offered, std::nullopt, shop_.ledger.record(component).refused, settings_, agent_version};
  if (active) question.active = {active->release, active->variant, active->content_sha256};
  return make_plan(question);
}

bool Run::is_stored(const trust::Release& release) const {
  SetInfo probe;
  probe.release = static_cast<std::uint64_t>(release.release);
  probe.variant = release.variant;
  probe.content_sha256 = release.content_sha256;
  const auto stored = shop_.sets.info(release.component, probe.name());
  return stored && stored->content_sha256 == release.content_sha256;
}

// An update that finds no source can still take what an earlier run fetched in advance: its metadata is stored, and still valid.
bool Run::use_what_was_fetched(const std::vector<std::string>& wanted, v1::RunResult& result) {
  if (only_fetch_ || cancel_.is_cancelled()) return false;
  catalogue_.reset();
  auto opened = open_stored();
  bool any = false;
  for (const auto& component : wanted) {
    auto offer = opened ? catalogue_->stored_offer_of(component) : Result<Catalogue::Offer>(fail(Error(opened.error())));
    if (!offer) continue;
    const auto plan = plan_of(component, offer->releases);
    any = any || (plan.what == Plan::What::install && is_stored(*plan.release));
  }
  if (!any) return false;
  offline_ = true;
  shop_.explain.say({}, "no source works: what was fetched in advance is taken");
  result.clear_result();
  result.set_text(cat(result.text(), "; what was fetched in advance is taken"));
  return true;
}

// It is in force, and the administrator declined it since. The repository offers no way back, but an earlier set may be at hand.
void Run::leave_declined(Turn& turn) {
  const auto& component = turn.component;
  const auto& why = turn.plan->why;
  auto& out = turn.out;
  const auto declined = [&](std::uint64_t release) {
    return std::ranges::any_of(settings_.declined, [&](const auto& ref) { return ref.component == component && (ref.release == 0 || ref.release == release); });
  };
  for (const auto& kept : activation_.kept(component)) {
    if (declined(kept.release) || !shop_.sets.verify(kept, cancel_)) continue;
    if (auto done = activate(component, kept, Activation::Why::rollback, out); !done) {
      if (out.result().empty()) out.set_result("failed");
      out.set_text(done.error().message);
      return;
    }
    out.set_result("rolled-back");
    out.set_variant(kept.variant);
    out.set_release_after(kept.release);
    out.set_text(why);
    return;
  }
  // Without databases a computer is worse off than with those; other components it can do without.
  const auto& cls = turn.active->cls;
  const bool is_program = component == shop_.options.own_component;
  if ((cls == "application" || cls == "agent") && !is_program) {
    if (auto gone = remove_declined(component); !gone) {
      out.set_result("failed");
      out.set_text(cat(why, ", and could not be removed: ", gone.error().message));
      return;
    }
    out.set_result("removed");
    out.set_release_after(0);
    out.set_text(cat(why, ", and nothing earlier is at hand: removed, nothing is in force"));
    return;
  }
  out.set_result("current");
  out.set_text(cat(why, ", and nothing earlier is at hand: it stays, ", is_program ? "for it is this program" : "for without it there would be no databases"));
  turn.note = out.text();
}

// The plugins that use it hear of it as of any set; its files are theirs no longer.
Result<> Run::remove_declined(const std::string& component) {
  const auto set = shop_.ledger.record(component).in_force;
  PICKET_TRY(activation_.switch_to(component, "", Activation::Why::rollback));
  show(component, true);
  return shop_.sets.remove(component, set);
}

bool Run::is_damaged(const std::string& component) {
  const auto now = shop_.clock.wall_seconds();
  const auto last = shop_.checked.find(component);
  if (last != shop_.checked.end() && now >= last->second && now - last->second < settings_.verify_stored.count() * 3600) return false;
  auto info = shop_.sets.info(component, shop_.ledger.record(component).in_force);
  tell("verify", component, "reading the set in force again");
  auto good = info ? shop_.sets.verify(*info, cancel_) : Result<>(fail(info.error()));
  if (!good && good.error().code == Code::cancelled) return false;
  if (!good) {
    shop_.explain.say({.component = component}, good.error().message);
    return true;
  }
  shop_.checked[component] = now;
  return false;
}

void Run::tidy(const std::vector<std::string>& wanted, bool all) {
  for (const auto& name : wanted) {
    auto gone = activation_.collect(name, settings_.keep_sets);
    if (!gone) shop_.explain.say({.component = name}, cat("earlier sets could not be removed: ", gone.error().message));
    else if (*gone > 0) shop_.explain.say({.component = name}, cat(std::to_string(*gone), " earlier sets removed, ", std::to_string(settings_.keep_sets), " are kept"));
    show(name, false);
  }
  shop_.sets.sweep();
  if (!all) return;
  if (const auto gone = shop_.downloads.remove_others(wanted_keys_); gone > 0) shop_.explain.say({}, cat(std::to_string(gone), " downloads that nobody needs any more removed"));
}

}  // namespace picket::update
