// The order of a run: components take turns, each staged, put in force and confirmed by itself; the files of the next ones come meanwhile.
#include <algorithm>
#include <system_error>

#include "base/bytes.hpp"
#include "update/run.hpp"

namespace picket::update {
namespace {

constexpr std::size_t kMostOfMissing = 2000;  // of releases that cannot be had

}  // namespace

void Run::take_turns(const std::vector<std::string>& wanted, v1::RunResult& result) {
  const auto parallel = wanted.size() > 1 ? settings_.parallel_downloads : 1;
  for (auto next = wanted.begin();;) {
    // No further ahead than the bound: each brings a file that takes space until it is in force.
    for (; next != wanted.end() && turns_.size() < parallel; ++next) {
      turns_.push_back(plan_turn(*next, *result.add_components()));
      if (parallel > 1) fetch_ahead(*turns_.back());
    }
    if (turns_.empty()) return;
    finish_turn(*turns_.front());
    turns_.pop_front();
  }
}

// A source may hold a part of the repository, as a copy of some components, or keep back what is not to be installed: so any other may give the role, which the
// snapshot makes the same for all. Code::not_found: the repository offers no such component, and no source decides about that; Code::conflict: it does, and
// every source lacks it.
Result<Catalogue::Offer> Run::offer_of(const std::string& component) {
  if (offline_) return catalogue_->stored_offer_of(component);
  std::string failures;
  bool lacking = true;
  for (const auto& reader : readers_) {
    const auto& source = reader->source().name;
    const Explain::About about{.component = component, .source = source};
    auto offer = catalogue_->offer_of(component, *reader);
    if (offer && !failures.empty()) shop_.explain.say(about, "gave the component's metadata: the first of the sources that could");
    if (offer || offer.error().code == Code::not_found || offer.error().code == Code::no_space) return offer;
    if (cancel_.is_cancelled()) return fail(Code::cancelled, "cancelled");
    const auto& error = offer.error();
    shop_.explain.say(about, cat("failed: ", error.message));
    const bool lacks = error.code == Code::conflict;
    if (!lacks) blame(*reader, error.message);  // a part of the repository is no fault
    lacking = lacking && lacks;
    add_failure(failures, source, error.message);
  }
  return fail(lacking ? Code::conflict : Code::unavailable, cat("no source could give its metadata: ", failures));
}

std::unique_ptr<Run::Turn> Run::plan_turn(const std::string& component, v1::ComponentResult& out) {
  auto turn = std::make_unique<Turn>(component, out);
  out.set_component(component);
  const auto give_up = [&](std::string text, std::string_view result = "failed") {
    out.set_result(std::string(result));
    out.set_text(std::move(text));
    return std::move(turn);
  };
  if (cancel_.is_cancelled()) return give_up("cancelled");
  if (auto active = shop_.sets.info(component, shop_.ledger.record(component).in_force)) {
    out.set_release_before(active->release);
    out.set_release_after(active->release);
    out.set_variant(active->variant);
    note_in_force(*active);
    turn->active = std::move(*active);
  }
  tell("plan", component, "");
  auto offer = offer_of(component);
  auto view = shop_.board.view(component);
  view.is_absent = offer ? offer->releases.empty() : offer.error().code == Code::not_found;
  shop_.board.set_view(component, view);
  // What is in force and still offered would stay as it is for good, and nobody would hear of it.
  const bool may_lack = !offer && (view.is_absent || (offer.error().code == Code::conflict && !turn->active));
  if (may_lack && is_optional(component)) return give_up(cat(offer.error().message, ", which is optional"), "current");
  if (!offer) return give_up(offer.error().message);
  turn->offer = std::move(*offer);
  const auto newest = std::ranges::max_element(turn->offer.releases, {}, &trust::Release::release);
  if (newest != turn->offer.releases.end() && !turn->active)
    if (auto learned = shop_.ledger.learn_class(component, newest->cls); !learned) shop_.explain.say({.component = component}, learned.error().message);
  auto plan = plan_of(component, turn->offer.releases);
  for (const auto& note : plan.notes) shop_.explain.say({.component = component}, note);
  shop_.explain.say({.component = component}, plan.why);
  view = shop_.board.view(component);
  view.decided_for = plan.what == Plan::What::install && plan.release->variant == variant_ ? std::string() : variant_;
  view.offered = newest == turn->offer.releases.end() ? 0 : static_cast<std::uint64_t>(newest->release);
  shop_.board.set_view(component, view);
  if (offline_ && (plan.what != Plan::What::install || !is_stored(*plan.release))) return give_up("no source works, and nothing newer was fetched in advance");
  turn->plan = std::move(plan);
  return turn;
}

void Run::fetch_ahead(Turn& turn) {
  if (!turn.plan || turn.plan->what != Plan::What::install || offline_ || is_stored(*turn.plan->release)) return;
  const auto& release = *turn.plan->release;
  const auto full = catalogue_->wanted(release);
  const auto road = road_of(release, turn.offer, full);
  if (road.is_same) return;
  if (road.links.empty()) turn.files.push_back({nullptr, full});
  for (const auto& link : road.links) turn.files.push_back({link.delta, catalogue_->wanted(*link.delta)});
  // What is on its way for another component already is brought when it is its turn.
  for (const auto& file : turn.files)
    if (!wanted_keys_.insert(file.wanted.key()).second) return turn.files.clear();
  for (const auto& reader : readers_) turn.readers.push_back(reader->another());
  try {
    turn.thread = std::thread([this, &turn] { bring_files(turn); });
  } catch (const std::system_error&) {
    // No thread to be had: brought when it is its turn.
  }
}

// On the turn's thread.
void Run::bring_files(Turn& turn) {
  for (const auto& file : turn.files) {
    auto got = file.delta != nullptr ? fetch_delta(*file.delta, file.wanted, turn.readers) : fetch(*turn.plan->release, file.wanted, turn.readers);
    const bool good = got.has_value();
    turn.brought.emplace(file.wanted.key(), std::move(got));
    if (!good) return;
  }
}

std::optional<Result<std::filesystem::path>> Run::brought_ahead(const Wanted& wanted) {
  for (const auto& turn : turns_) {
    // Also another component's: never two writers of one file.
    if (std::ranges::none_of(turn->files, [&](const auto& file) { return file.wanted.key() == wanted.key(); })) continue;
    turn->join();
    const auto found = turn->brought.find(wanted.key());
    if (found == turn->brought.end()) continue;
    auto got = std::move(found->second);
    turn->brought.erase(found);
    // Others that were on their way took the space; when it is its turn it has the disk for itself.
    if (got || got.error().code != Code::no_space) return got;
  }
  return std::nullopt;
}

void Run::finish_turn(Turn& turn) {
  turn.join();
  std::uint64_t bytes = 0;
  for (const auto& reader : turn.readers) bytes += reader->bytes_received();
  bytes_ahead_ += bytes;
  const auto before = bytes_received();
  if (turn.plan) carry_out(turn);
  auto& out = turn.out;
  if (const auto all = bytes + bytes_received() - before; all > 0) out.set_bytes(all);
  const auto& name = turn.component;
  shop_.explain.say({.component = name}, cat(out.result(), ": ", out.text()));
  if (out.result() == "failed") tell("failed", name, out.text());
  // Who cancelled knows why it is not here; it is no trouble of the component's.
  const bool is_cancelled = out.result() == "failed" && cancel_.is_cancelled();
  if (!is_cancelled) shop_.board.set_text(name, out.result() == "updated" || out.result() == "current" ? turn.note : out.text());
  forget_rollback(name);
  show(name, false);
}

// A pin is the administrator's newer word than the rollback: what it put in force is refused no more, with the pin or without it.
void Run::forget_rollback(const std::string& component) {
  const auto& record = shop_.ledger.record(component);
  const auto release = release_in(record.in_force);
  const bool is_pinned = std::ranges::any_of(settings_.pinned, [&](const auto& pin) { return pin.component == component && pin.release == release; });
  const bool is_refused = std::ranges::any_of(record.refused, [&](const auto& refusal) { return refusal.release == release && refusal.by_rollback; });
  if (!is_pinned || !is_refused || only_fetch_) return;
  auto allowed = shop_.ledger.allow(component, release);
  shop_.explain.say({.component = component}, allowed ? cat("release ", std::to_string(release), " was rolled back, and is in force by a pin: taken again from now on") : allowed.error().message);
}

void Run::carry_out(Turn& turn) {
  const auto& component = turn.component;
  auto& plan = *turn.plan;
  auto& out = turn.out;
  if (cancel_.is_cancelled()) {
    out.set_result("failed");
    out.set_text("cancelled");
    return;
  }
  turn.note = plan.obstacle;
  if (plan.what == Plan::What::keep && plan.leave) {
    if (!only_fetch_) return leave_declined(turn);
    turn.note = plan.why;
  }
  if (settings_.keep_archives && plan.release != nullptr) wanted_keys_.insert(catalogue_->wanted(*plan.release).key());
  if (plan.what == Plan::What::impossible) {
    const bool without = turn.offer.releases.empty() && is_optional(component);
    out.set_result(plan.by_choice || without ? "current" : "failed");
    out.set_text(plan.why);
    if (plan.by_choice) turn.note = plan.why;
    return;
  }
  if (plan.what == Plan::What::keep && (plan.release == nullptr || !is_damaged(component))) {
    out.set_result("current");
    out.set_text(plan.why);
    // In force since a crash or a time when no plugin ran: nobody has said yet that it is good.
    if (!only_fetch_ && !shop_.ledger.record(component).confirmed && !running_consumers(component).empty()) {
      if (auto good = activate(component, *turn.active, Activation::Why::update, out); !good) out.set_text(good.error().message);
      else if (!pending_text_.empty()) out.set_text(turn.note = pending_text_);
    }
    return;
  }
  if (plan.what == Plan::What::keep) plan.why = cat("the stored files of release ", std::to_string(turn.active->release), " are damaged: brought again");
  install_best(turn);
}

// The planned release; when its files are nowhere to be had, as in a copy that lacks them, the next lower one that may be taken and is newer
// than what is in force. A drive that another computer filled may hold the other variant only: better that than nothing, or than an older release
// of it; but while the wanted one is in force, a file that is missing is no reason to leave it, whichever release the other is of.
void Run::install_best(Turn& turn) {
  const bool other_may_do = !turn.active || turn.active->variant != variant_;
  const int most_missing = other_may_do ? 6 : 3;   // three releases
  const auto& component = turn.component;
  auto& out = turn.out;
  auto offered = turn.offer.releases;
  auto plan = *turn.plan;
  std::string missing;
  bool are_held = true;   // all that is missing
  for (int tries = 1;; ++tries) {
    const auto release = *plan.release;
    const auto number = std::to_string(release.release);
    auto done = install(component, release, turn.offer, out);
    if (done) {
      out.set_result(only_fetch_ ? "fetched" : "updated");
      out.set_text(cat(missing, only_fetch_ ? cat("release ", number, " (", release.variant, ") is at hand for the next update") : pending_text_.empty() ? plan.why : pending_text_));
      if (only_fetch_) return;
      if (!missing.empty() && release.variant != variant_) turn.note = cat(missing, release.variant, " is in force until then");
      out.set_variant(release.variant);
      out.set_release_after(static_cast<std::uint64_t>(release.release));
      return;
    }
    const bool is_held = was_held(component, release.release);
    if (is_held) --tries;  // however many a point holds back that verifies nothing
    const bool lacks = done.error().code == Code::not_found && out.result().empty() && turn.plan->what == Plan::What::install && tries <= most_missing;
    if (lacks) {
      are_held = are_held && is_held;
      std::erase_if(offered, [&](const auto& each) { return other_may_do ? each.release == release.release && each.variant == release.variant : each.release == release.release || each.variant != variant_; });
      plan = plan_of(component, offered);
    }
    if (lacks && are_held && plan.what != Plan::What::install && (turn.active || is_optional(component))) {
      out.set_result("current");
      out.set_text(turn.note = cat(missing, turn.active ? cat("release ", std::to_string(turn.active->release), " stays; ") : "", "release ", number, ": ", done.error().message));
      return;
    }
    if (!lacks || plan.what != Plan::What::install) {
      if (out.result().empty()) out.set_result("failed");
      out.set_text(cat(missing, done.error().message));
      return;
    }
    missing = shortened(cat(missing, "release ", number, " (", release.variant, ") cannot be had: ", done.error().message, "; "), kMostOfMissing);
    shop_.explain.say({.component = component}, cat("release ", number, " (", release.variant, ") is nowhere to be had: ", plan.why));
  }
}

}  // namespace picket::update
