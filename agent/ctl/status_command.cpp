// The one page. Each part is asked for on its own: what does not answer is said, and the rest is shown.
#include <map>
#include <optional>

#include "ctl/command.hpp"
#include "ctl/humane.hpp"
#include "ctl/pages.hpp"
#include "ctl/proto_json.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"
#include "ctl/update_tables.hpp"
#include "picket/host/v1/host.pb.h"
#include "picket/ksn/v1/state.pb.h"
#include "picket/policy/v1/policy.pb.h"
#include "picket/update/v1/report.pb.h"

namespace picket::ctl {
namespace {

struct Missing {
  std::string part, why;
};

struct Page {
  host::v1::HostStatusReply host;
  std::optional<host::v1::PluginListReply> plugins;
  std::optional<update::v1::StatusReply> updates;
  std::optional<policy::v1::ShowReply> policy;
  std::optional<ksn::v1::KsnState> ksn;
  bool is_point = false;   // asked only where there was no update
  std::vector<Missing> missing;
};

template <class Reply>
std::optional<Reply> part(Page& page, const char* name, Result<Reply> reply) {
  if (reply) return std::move(*reply);
  page.missing.push_back({name, reply.error().message});
  return std::nullopt;
}

Result<Page> ask(Session& session) {
  Page page;
  PICKET_LET(host, session.ask<host::v1::HostStatusReply>("picket.host.status", host::v1::HostStatusRequest()));
  page.host = host;
  page.plugins = part(page, "plugins", session.ask<host::v1::PluginListReply>("picket.plugin.list", host::v1::PluginListRequest()));
  page.updates = part(page, "updates", ask_updates(session));
  if (page.updates && !page.updates->has_last()) page.is_point = is_point(session);
  page.policy = part(page, "policy", session.ask<policy::v1::ShowReply>("picket.policy.show", policy::v1::ShowRequest()));
  ksn::v1::KsnState ksn;
  if (const auto known = session.state("picket.ksn.state", ksn)) page.ksn = ksn;
  else if (known.error().code != Code::not_found) page.missing.push_back({"ksn", known.error().message});
  return page;
}

json::value to_json_page(const Page& page) {
  json::array missing;
  for (const auto& each : page.missing) missing.push_back(json::object{{"part", each.part}, {"error", each.why}});
  const auto maybe = [](const auto& part) { return part ? json::value(to_json(*part)) : json::value(nullptr); };
  return json::object{{"host", to_json(page.host)}, {"plugins", page.plugins ? to_json(*page.plugins).at("plugins") : json::value(nullptr)},
                      {"updates", maybe(page.updates)}, {"policy", maybe(page.policy)}, {"ksn", maybe(page.ksn)}, {"missing", std::move(missing)}};
}

void add_plugins(Table& table, const host::v1::PluginListReply& list) {
  std::map<std::string, unsigned> counts;
  for (const auto& plugin : list.plugins()) ++counts[plugin.state()];
  std::string summary;
  for (const auto& [state, count] : counts) summary += cat(summary.empty() ? "" : ", ", std::to_string(count), " ", state);
  table.add({"Plugins", summary.empty() ? "none" : summary});
  for (const auto& plugin : list.plugins()) {
    if (!plugin.pending_version().empty()) table.add({"", cat("  ", plugin.id()), {"restart", Style::warning}, cat("version ", plugin.pending_version(), " is used from the next start of picketd on")});
    if (plugin.state() == "running" && (plugin.health() == "healthy" || plugin.health() == "unknown")) continue;
    const bool is_running = plugin.state() == "running";
    const std::string word = is_running ? plugin.health() : plugin.state();
    table.add({"", cat("  ", plugin.id()), {word, style_of(word)}, plugin.text()});
  }
}

void add_updates(Table& table, const update::v1::StatusReply& updates, std::int64_t now, bool is_point) {
  bool first = true;
  for (const auto& component : updates.components()) {
    const auto release = component.release() == 0 ? cat("none yet", pin_of(component))
                                                  : cat("release ", std::to_string(component.release()), pin_of(component), component.version().empty() ? "" : cat(" (", component.version(), ")"),
                                                        ", ", component.variant(), ", published ", ago(component.published(), now));
    table.add({first ? "Components" : "", component.component(), {component.freshness(), style_of(component.freshness())}, release, component.text()});
    first = false;
  }
  if (first) table.add({"Components", "none demanded"});
  if (updates.change_pending())
    table.add({"Variant", {cat("changes to ", updates.wanted_variant(), " at the next update"), Style::warning}, updates.variant_reason()});
  else if (!updates.wanted_variant().empty())
    table.add({"Variant", updates.wanted_variant(), updates.variant_reason()});
  table.add({"Last update", updates.state() == "running" ? cat("running: ", updates.step()) : last_run(updates, now, is_point)});
  if (updates.next_run() != 0) table.add({"Next update", ago(updates.next_run(), now)});
}

void print(Terminal& terminal, const Page& page, std::int64_t now) {
  // Separate tables, so that one part's long cells do not push the others apart.
  constexpr std::size_t first_width = 11;
  const auto show = [&](const auto& fill) {
    Table table;
    fill(table);
    table.print(terminal, first_width);
  };
  show([&](Table& table) {
    table.add({"Device", {page.host.device_status().empty() ? "unknown" : page.host.device_status(), style_of(page.host.device_status())}});
    for (const auto& reason : page.host.reasons()) table.add({"", cat("  ", reason)});
    table.add({"Agent", cat("picketd ", page.host.version(), ", process ", std::to_string(page.host.pid()), ", up ", span(std::max<std::int64_t>(0, now - page.host.started())),
                            ", data in ", page.host.data_dir())});
    if (!page.host.slot_text().empty()) table.add({"", {cat("  ", page.host.slot_text()), page.host.taken_back() ? Style::warning : Style::plain}});
  });
  if (page.plugins) show([&](Table& table) { add_plugins(table, *page.plugins); });
  if (page.updates) show([&](Table& table) { add_updates(table, *page.updates, now, page.is_point); });
  show([&](Table& table) {
    table.add({"KSN", !page.ksn ? "not in use" : !page.ksn->text().empty() ? page.ksn->text() : page.ksn->in_use() ? "in use" : "not in use"});
    if (page.policy) {
      const auto& policy = *page.policy;
      const bool expired = policy.revision() != 0 && policy.expires() <= now;
      table.add({"Policy", policy.revision() == 0 ? Cell("none") : Cell(cat("revision ", std::to_string(policy.revision()), ", applied ", ago(policy.applied(), now), expired ? ", expired" : "", ", expires ",
                                                                          date(policy.expires())), expired ? Style::warning : Style::plain)});
    }
    for (const auto& each : page.missing) table.add({"Unknown", {cat(each.part, ": ", each.why), Style::bad}});
  });
}

}  // namespace

Result<Exit> status(Context& context) {
  PICKET_LET(page, ask(context.session));
  if (context.is_json()) context.print_json(to_json_page(page));
  else print(context.terminal, page, context.now);
  return page.missing.empty() ? Exit::ok : Exit::partial;
}

}  // namespace picket::ctl
