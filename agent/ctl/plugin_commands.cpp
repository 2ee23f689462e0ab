#include <boost/json/serialize.hpp>

#include "ctl/command.hpp"
#include "ctl/humane.hpp"
#include "ctl/proto_json.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"
#include "picket/host/v1/host.pb.h"
#include "runtime/log_text.hpp"

namespace picket::ctl {

Result<Exit> plugin_list(Context& context) {
  PICKET_LET(reply, context.session.ask<host::v1::PluginListReply>("picket.plugin.list", host::v1::PluginListRequest()));
  if (context.printed_as_json(reply)) return Exit::ok;
  if (reply.plugins().empty()) {
    context.terminal.out("no plugins are installed\n");
    return Exit::ok;
  }
  Table table{"ID", "VERSION", "HOME", "STATE", "HEALTH", "RESTARTS", "SINCE", "TEXT"};
  for (const auto& plugin : reply.plugins())
    table.add({plugin.id(), cat(plugin.version(), plugin.pending_version().empty() ? "" : cat(" (", plugin.pending_version(), " pending restart)")), plugin.home(), {plugin.state(), style_of(plugin.state())}, {plugin.health(), style_of(plugin.health())},
               std::to_string(plugin.restarts()), ago(plugin.since(), context.now), plugin.text()});
  table.print(context.terminal);
  return Exit::ok;
}

Result<Exit> plugin_info(Context& context) {
  host::v1::PluginInfoRequest request;
  request.set_id(context.arguments().front());
  PICKET_LET(reply, context.session.ask<host::v1::PluginInfoReply>("picket.plugin.info", request));
  if (context.printed_as_json(reply)) return Exit::ok;
  const auto& status = reply.status();
  Table table;
  table.add({"id", {status.id(), Style::strong}});
  table.add({"version", status.version()});
  if (!status.pending_version().empty()) table.add({"pending", status.pending_version(), "is used from the next start of picketd on"});
  table.add({"vendor", status.vendor()});
  table.add({"home", status.pid() == 0 ? status.home() : cat(status.home(), ", process ", std::to_string(status.pid()))});
  table.add({"state", {status.state(), style_of(status.state())}, cat("since ", date(status.since()))});
  table.add({"health", {status.health(), style_of(status.health())}, status.text()});
  table.add({"restarts", std::to_string(status.restarts())});
  if (status.next_attempt() != 0) table.add({"next start", ago(status.next_attempt(), context.now)});
  table.add({"path", reply.path()});
  table.add({"signed by", reply.signed_by()});
  table.add({"bus", cat(std::to_string(reply.published()), " published, ", std::to_string(reply.delivered()), " delivered, ", std::to_string(reply.queued()), " queued, ",
                        std::to_string(reply.denied()), " denied, ", std::to_string(reply.busy()), " busy, ", std::to_string(reply.lost()), " lost")});
  if (reply.overruns() != 0) table.add({"overruns", std::to_string(reply.overruns())});
  table.add({"settings", cat("revision ", std::to_string(status.observed_revision()), " observed, ", std::to_string(status.settings_revision()), " expected")});
  table.add({"", reply.settings_json()});
  table.print(context.terminal);
  return Exit::ok;
}

Result<Exit> plugin_restart(Context& context) {
  host::v1::PluginRestartRequest request;
  request.set_id(context.arguments().front());
  host::v1::PluginRestartReply reply;
  PICKET_TRY(context.session.ask_patiently("picket.plugin.restart", request, reply));
  const auto& now = reply.status();
  const bool runs = now.state() == "running";
  if (context.is_json()) {
    json::object data = to_json(reply);
    data["id"] = request.id();
    context.print_json(std::move(data));
  } else {
    const auto why = now.text().empty() ? std::string() : cat(": ", runtime::printable(now.text()));
    context.terminal.out(runs ? cat(request.id(), " was restarted and runs, version ", now.version(), why, "\n") : cat(request.id(), " does not run, it is ", now.state(), why, "\n"));
  }
  return runs ? Exit::ok : Exit::failed;
}

}  // namespace picket::ctl
