#include "ctl/command.hpp"
#include "ctl/table.hpp"
#include "picket/host/v1/config.pb.h"

namespace picket::ctl {

Result<Exit> config_show(Context& context) {
  PICKET_LET(reply, context.session.ask<host::v1::HostConfigReply>("picket.host.config", host::v1::HostConfigRequest()));
  if (context.printed_as_json(reply)) return Exit::ok;
  Table table{"SETTING", "VALUE", "FROM"};
  for (const auto& value : reply.values()) table.add({{value.name(), Style::strong}, value.value(), {value.from(), value.from() == "default" ? Style::faint : Style::plain}});
  table.print(context.terminal);
  return Exit::ok;
}

}  // namespace picket::ctl
