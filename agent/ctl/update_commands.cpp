#include <algorithm>
#include <filesystem>

#include "base/bytes.hpp"
#include "ctl/command.hpp"
#include "ctl/humane.hpp"
#include "ctl/pages.hpp"
#include "ctl/progress_view.hpp"
#include "ctl/proto_json.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"
#include "ctl/update_tables.hpp"
#include "picket/update/v1/report.pb.h"
#include "picket/update/v1/sources.pb.h"

namespace picket::ctl {
namespace {

Exit exit_of(const update::v1::RunResult& run) {
  if (run.result() == "ok" || run.result() == "current") return Exit::ok;
  if (run.result() == "partial") return Exit::partial;
  return run.result() == "cancelled" ? Exit::interrupted : Exit::failed;
}

Result<Exit> long_run(Context& context, std::string_view topic, const google::protobuf::Message& request) {
  ProgressView view(context.terminal, context.is_json());
  update::v1::RunResult result;
  PICKET_TRY(context.session.follow(topic, request, result, [&](std::string_view payload) -> Result<> {
    update::v1::Progress progress;
    if (!progress.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return fail(Code::invalid, "picketd's progress could not be read");
    view.show(progress);
    return {};
  }));
  view.interrupt();
  if (!context.printed_as_json(result)) print_run(context.terminal, result);
  return exit_of(result);
}

}  // namespace

Result<Exit> update_run(Context& context) {
  update::v1::RunRequest request;
  for (const auto& component : context.arguments()) request.add_components(component);
  request.set_force_check(context.invocation.has("force"));
  request.set_prefetch(context.invocation.has("prefetch"));
  return long_run(context, "picket.update.run", request);
}

Result<Exit> update_rollback(Context& context) {
  PICKET_LET(steps, context.number("steps", 1, 1000, 1));
  update::v1::RollbackRequest request;
  request.set_component(context.arguments().front());
  request.set_steps(static_cast<std::uint32_t>(steps));
  return long_run(context, "picket.update.rollback", request);
}

Result<Exit> update_export(Context& context) {
  update::v1::ExportRequest request;
  if (context.arguments().front().empty()) return context.wrong_usage("'' is no folder");
  std::error_code error;
  const auto folder = std::filesystem::absolute(context.arguments().front(), error).lexically_normal();
  if (error) return fail(Code::invalid, cat(context.arguments().front(), ": ", error.message()));
  if (!is_valid_utf8(folder.native())) return fail(Code::unsupported, "the folder's name is not UTF-8");
  request.add_folders(folder.native());
  for (std::size_t i = 1; i < context.arguments().size(); ++i) request.add_components(context.arguments()[i]);
  return long_run(context, "picket.update.export", request);
}

Result<Exit> update_status(Context& context) {
  PICKET_LET(reply, ask_updates(context.session));
  if (context.printed_as_json(reply)) return Exit::ok;
  Table head;
  head.add({"state", {reply.state(), style_of(reply.state())}, reply.step()});
  head.add({"last run", last_run(reply, context.now, !reply.has_last() && is_point(context.session))});
  head.add({"next run", reply.next_run() == 0 ? "only by hand" : ago(reply.next_run(), context.now)});
  head.add({"variant", cat(reply.wanted_variant(), reply.variant_reason().empty() ? "" : " (", reply.variant_reason(), reply.variant_reason().empty() ? "" : ")",
                           reply.change_pending() ? ", changes at the next update" : "")});
  head.print(context.terminal);
  context.terminal.out("\n");
  print_components(context.terminal, reply, context.now);
  context.terminal.out("\n");
  print_sources(context.terminal, reply, context.now);
  return Exit::ok;
}

Result<Exit> component_list(Context& context) {
  PICKET_LET(reply, ask_updates(context.session, "picket.component.list"));
  if (context.is_json()) {
    json::object data = to_json(reply);
    context.print_json(json::object{{"components", data["components"]}});
  } else {
    print_components(context.terminal, reply, context.now);
  }
  return Exit::ok;
}

Result<Exit> update_history(Context& context) {
  PICKET_LET(limit, context.number("limit", 20, 10000));
  update::v1::HistoryRequest request;
  request.set_limit(static_cast<std::uint32_t>(limit));
  PICKET_LET(reply, context.session.ask<update::v1::HistoryReply>("picket.update.history", request));
  if (context.printed_as_json(reply)) return Exit::ok;
  if (reply.runs().empty()) {
    context.terminal.out("nothing has run yet\n");
    return Exit::ok;
  }
  Table table{"RUN", "KIND", "RESULT", "STARTED", "TOOK", "SOURCE", "FETCHED", "COMPONENTS", "TEXT"};
  for (const auto& run : reply.runs()) {
    std::string components;
    for (const auto& component : run.components()) components += cat(components.empty() ? "" : ", ", component.component(), " ", component.result());
    if (run.unnamed() > 0) components += cat(" and ", std::to_string(run.unnamed()), " more");
    table.add({std::to_string(run.run()), run.kind(), {run.result(), style_of(run.result())}, date(run.started()), span(run.finished() - run.started()), run.source(),
               human_bytes(run.bytes()), components, run.text()});
  }
  table.print(context.terminal);
  return Exit::ok;
}

Result<Exit> update_what_is_sent(Context& context) {
  PICKET_LET(reply, context.session.ask<update::v1::WhatIsSentReply>("picket.update.what_is_sent", update::v1::WhatIsSentRequest()));
  if (context.printed_as_json(reply)) return Exit::ok;
  context.terminal.out(reply.on() ? cat("Web servers are told, as User-Agent: ", reply.user_agent(), "\n")
                                  : std::string("Servers are told nothing: tell_servers is off. Switched on, it would be:\n"));
  Table table{"ITEM", "VALUE", "MEANING"};
  for (const auto& item : reply.items()) table.add({item.name(), item.value(), item.meaning()});
  table.print(context.terminal);
  return Exit::ok;
}

Result<Exit> update_explain(Context& context) {
  update::v1::ExplainRequest request;
  if (!context.arguments().empty()) request.set_component(context.arguments().front());
  PICKET_LET(reply, context.session.ask<update::v1::ExplainReply>("picket.update.explain", request));
  const auto& component = request.component();
  const auto is_it = [&](const auto& one) { return one.component() == component; };
  if (!component.empty() && std::none_of(reply.steps().begin(), reply.steps().end(), is_it)) {
    PICKET_LET(known, ask_updates(context.session, "picket.component.list"));
    if (std::none_of(known.components().begin(), known.components().end(), is_it))
      return fail(Code::not_found, cat("there is no component '", component.substr(0, 128), "'; see picketctl component list"));
  }
  if (context.printed_as_json(reply)) return Exit::ok;
  if (reply.run() == 0) {
    context.terminal.out("nothing has run yet\n");
    return Exit::ok;
  }
  context.terminal.out(cat("run ", std::to_string(reply.run()), "\n"));
  if (reply.steps().empty()) {  // an export that could not begin; a component that is known and was not met
    context.terminal.out(cat("nothing was decided", component.empty() ? "" : " about ", component, "; picketctl update history says how it ended\n"));
    return Exit::ok;
  }
  Table table{"MS", "COMPONENT", "SOURCE", "FILE", "DECISION"};
  for (const auto& step : reply.steps()) table.add({std::to_string(step.at_ms()), step.component(), step.source(), step.file(), step.decision()});
  table.print(context.terminal);
  return Exit::ok;
}

}  // namespace picket::ctl
