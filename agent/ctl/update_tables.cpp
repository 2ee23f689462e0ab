#include "ctl/update_tables.hpp"

#include <map>

#include "base/progress.hpp"
#include "base/result.hpp"
#include "ctl/humane.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"
#include "picket/distribution_point/v1/distribution_point.pb.h"

namespace picket::ctl {
namespace {

std::string joined(const auto& list) {
  std::string out;
  for (const auto& each : list) {
    if (!out.empty()) out += ", ";
    if constexpr (std::is_integral_v<std::decay_t<decltype(each)>>) out += std::to_string(each);
    else out += each;
  }
  return out;
}

// "application, approved": an administrator's word stands beside the classes that may need it.
std::string class_of(const update::v1::ComponentStatus& component) {
  const bool is_said = !component.approval().empty() && (component.approval() != "undefined" || component.class_() == "application");
  return is_said ? cat(component.class_(), ", ", component.approval()) : component.class_();
}

}  // namespace

std::string pin_of(const update::v1::ComponentStatus& component) {
  if (component.pinned() == 0) return {};
  return component.pinned() == component.release() ? std::string(", pinned") : cat(", pinned to ", std::to_string(component.pinned()));
}

void print_components(Terminal& terminal, const update::v1::StatusReply& status, std::int64_t now) {
  if (status.components().empty()) {
    terminal.out("no plugin demands a component\n");
    return;
  }
  Table table{"COMPONENT", "CLASS", "VARIANT", "RELEASE", "VERSION", "PUBLISHED", "FRESHNESS", "DEMANDED BY", "KEPT", "TEXT"};
  for (const auto& component : status.components()) {
    // A release may have one variant only: then it is not what is wanted, and stays.
    const bool changes = !component.wanted_variant().empty() && component.wanted_variant() != component.variant() && (component.release() == 0 || component.change_pending());
    table.add({{component.component(), Style::strong}, class_of(component),
               changes ? Cell(cat(component.variant().empty() ? "-" : component.variant(), " > ", component.wanted_variant()), Style::warning) : Cell(component.variant()),
               cat(component.release() == 0 ? std::string("-") : std::to_string(component.release()), pin_of(component)), component.version(),
               component.release() == 0 ? std::string("-") : ago(component.published(), now), {component.freshness(), style_of(component.freshness())},
               joined(component.demanded_by()), joined(component.kept()), component.text()});
  }
  table.print(terminal);
}

void print_sources(Terminal& terminal, const update::v1::StatusReply& status, std::int64_t now) {
  if (status.sources().empty()) {
    terminal.out("no update source is configured\n");
    return;
  }
  Table table{"SOURCE", "PLUGIN", "LOCATION", "STATE", "NEXT TRY", "TEXT"};
  for (const auto& source : status.sources())
    table.add({{source.name(), Style::strong}, source.plugin(), source.location(), {source.state(), style_of(source.state())},
               source.state() == "disabled" ? std::string("-") : source.next_attempt() == 0 ? std::string("now") : ago(source.next_attempt(), now), source.text()});
  table.print(terminal);
}

void print_run(Terminal& terminal, const update::v1::RunResult& run) {
  if (!run.components().empty()) {
    Table table{"COMPONENT", "RESULT", "VARIANT", "RELEASE", "FETCHED", "TEXT"};
    for (const auto& component : run.components()) {
      const auto before = component.release_before() == 0 ? std::string("-") : std::to_string(component.release_before());
      table.add({{component.component(), Style::strong}, {component.result(), style_of(component.result())}, component.variant(),
                 component.release_before() == component.release_after() ? before : cat(before, " > ", std::to_string(component.release_after())),
                 human_bytes(component.bytes()), component.text()});
    }
    table.print(terminal);
    if (run.unnamed() > 0) terminal.out(cat("and ", std::to_string(run.unnamed()), " more\n"));
  }
  Table last;
  std::string tail = cat(run.kind().empty() ? "update" : run.kind(), " ", std::to_string(run.run()));
  if (!run.source().empty()) tail += cat(", from ", run.source());
  tail += cat(", ", human_bytes(run.bytes()), ", ", span(run.finished() - run.started()));
  if (!run.text().empty()) tail += cat(": ", run.text());
  last.add({{run.result(), style_of(run.result())}, tail});
  last.print(terminal);
}

std::string run_summary(const update::v1::RunResult& run, std::int64_t now) {
  std::map<std::string, unsigned> counts;
  for (const auto& component : run.components()) ++counts[component.result()];
  std::string out = cat(run.result(), " ", ago(run.finished(), now));
  if (!run.source().empty()) out += cat(" from ", run.source());
  std::string details;
  for (const auto& [result, count] : counts) details += cat(details.empty() ? "" : ", ", std::to_string(count), " ", result);
  if (run.unnamed() > 0) details += cat(", and ", std::to_string(run.unnamed()), " more");
  if (run.bytes() != 0) details += cat(details.empty() ? "" : ", ", human_bytes(run.bytes()));
  if (!run.text().empty()) details += cat(details.empty() ? "" : "; ", run.text());
  return details.empty() ? out : cat(out, ": ", details);
}

std::string last_run(const update::v1::StatusReply& status, std::int64_t now, bool is_point) {
  if (status.has_last()) return run_summary(status.last(), now);
  return is_point ? "never; what this distribution point downloads is shown by picketctl point status" : "never";
}

bool is_point(Session& session) {
  const auto point = session.ask<distribution_point::v1::StatusReply>("picket.distribution_point.status", distribution_point::v1::StatusRequest());
  return point && point->state() != "off";
}

}  // namespace picket::ctl
