// What came of a trial: others get what passed; what failed, and what was not tried to its end, goes back.
#include <algorithm>

#include "update/run.hpp"

namespace picket::update {

std::vector<std::string> Run::on_trial(const v1::VerdictRequest& order) const {
  std::vector<std::string> out;
  for (const auto& [component, record] : shop_.ledger.records())
    if (record.is_on_trial() && (order.components().empty() || std::ranges::find(order.components(), component) != order.components().end())) out.push_back(component);
  return out;
}

v1::RunResult Run::verdict(const v1::VerdictRequest& order, const std::function<void(const v1::RunResult&)>& tell_all) {
  const bool passed = order.verdict() == "passed", failed = order.verdict() == "failed";
  v1::RunResult result;
  const auto components = on_trial(order);
  if (components.empty()) {
    result.set_kind("verification");
    finish(result);
    return result;
  }
  number(result, "verification");  // `update explain` still says why the update brought them
  for (const auto& component : components) {
    const auto& record = shop_.ledger.record(component);
    auto& out = *result.add_components();
    out.set_component(component);
    out.set_release_before(passed ? release_in(*record.verified) : release_in(record.in_force));
    const auto tried = cat("release ", std::to_string(release_in(record.in_force)));
    Result<> done;
    if (passed) {
      out.set_result("updated");
      out.set_text(cat(tried, " passed the verification"));
      auto view = shop_.board.view(component);
      view.is_on_trial = false;
      view.passes_up_to = release_in(record.in_force);
      shop_.board.set_view(component, view);
    } else {
      out.set_result(failed ? "refused" : "rolled-back");
      out.set_text(failed ? cat(tried, " was refused by the verification: ", order.why()) : cat(tried, " was not tried to the end, and is taken again by the next verification: ", order.why()));
      done = take_back(component, failed ? cat("the verification: ", order.why()) : std::string());
    }
    if (const auto info = shop_.sets.info(component, record.in_force)) {
      out.set_release_after(info->release);
      out.set_variant(info->variant);
    }
    if (!done) {
      out.set_result("failed");
      out.set_text(cat(tried, " could not go back: ", done.error().message));
    }
    shop_.explain.say({.component = component}, cat(out.result(), ": ", out.text()));
  }
  if (!passed && !failed) {
    result.set_result("cancelled");
    result.set_text(result.components(0).text());
  }
  finish(result);
  if (passed) {
    tell_all(result);
    for (auto& out : *result.mutable_components())
      if (auto noted = shop_.ledger.passed(out.component()); !noted) {
        out.set_result("failed");
        out.set_text(cat("that it passed could not be noted: ", noted.error().message));
        result.set_result("failed");
        result.set_text(cat(out.component(), ": ", out.text()));
      }
  }
  for (const auto& component : components) show(component, false);
  return result;
}

// To the set that was in force before the trial. A user's cancel does not reach this: what was not tried must not stay.
Result<> Run::take_back(const std::string& component, const std::string& refused_why) {
  const auto& record = shop_.ledger.record(component);
  const auto bad = record.in_force;
  auto target = *record.verified;
  if (!target.empty() && !shop_.sets.info(component, target)) {
    // Lost or damaged: the nearest that is not newer.
    const auto kept = activation_.kept(component);
    const auto found = std::ranges::find_if(kept, [&](const auto& info) { return info.release <= release_in(*record.verified); });
    target = found == kept.end() ? std::string() : found->name();
  }
  if (!refused_why.empty()) PICKET_TRY(shop_.ledger.refuse(component, {release_in(bad), true, refused_why}));
  tell("activate", component, target.empty() ? std::string("back to nothing in force") : cat("back to release ", std::to_string(release_in(target))));
  PICKET_TRY(activation_.switch_to(component, target, Activation::Why::restore));
  if (!target.empty()) {
    const auto set = describe(component);
    (void)consumers_.confirm(running_consumers(component), set, true, settings_.confirm_timeout, shop_.shutdown);
  }
  show(component, true);
  return {};
}

}  // namespace picket::update
