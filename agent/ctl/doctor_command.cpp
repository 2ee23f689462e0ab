#include <algorithm>
#include <optional>

#include "ctl/command.hpp"
#include "ctl/doctor_checks.hpp"
#include "ctl/pages.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"

namespace picket::ctl {
namespace {

// An answer goes on to its check, a failure becomes one.
template <class Reply, class Then>
void judge(Checks& checks, const char* name, const Result<Reply>& reply, const Then& then) {
  if (reply) then(*reply);
  else checks.push_back({name, "fail", cat("not answered: ", reply.error().message)});
}

Checks examine(Context& context) {
  Checks checks;
  auto& session = context.session;
  if (auto connected = session.connect(); !connected) {
    checks.push_back({"picketd", "fail", connected.error().message});
    return checks;
  }
  checks.push_back({"picketd", "ok", cat("answers at ", session.socket().string())});
  judge(checks, "host", session.ask<host::v1::HostStatusReply>("picket.host.status", host::v1::HostStatusRequest()), [&](const auto& host) {
    check_host(checks, host, context.now);
    check_data_dir(checks, host.data_dir());
  });
  const auto updates = ask_updates(session);
  judge(checks, "configuration", session.ask<host::v1::HostConfigReply>("picket.host.config", host::v1::HostConfigRequest()), [&](const auto& config) { check_keys(checks, config, !updates || has_updates(*updates)); });
  std::optional<host::v1::PluginListReply> plugins;
  judge(checks, "plugins", session.ask<host::v1::PluginListReply>("picket.plugin.list", host::v1::PluginListRequest()), [&](const auto& answer) {
    plugins = answer;
    check_plugins(checks, answer);
  });
  judge(checks, "updates", updates, [&](const auto& answer) { check_updates(checks, answer, plugins ? &*plugins : nullptr, context.now); });
  judge(checks, "policy", session.ask<policy::v1::ShowReply>("picket.policy.show", policy::v1::ShowRequest()), [&](const auto& policy) { check_policy(checks, policy, context.now); });
  return checks;
}

}  // namespace

Result<Exit> doctor(Context& context) {
  const auto checks = examine(context);
  const auto count = [&](const char* result) { return static_cast<std::size_t>(std::ranges::count(checks, result, &Check::result)); };
  const Exit exit = context.session.is_unreachable() ? Exit::unreachable : count("fail") > 0 ? Exit::failed : Exit::ok;
  if (context.is_json()) {
    json::array list;
    for (const auto& check : checks) list.push_back(json::object{{"name", check.name}, {"result", check.result}, {"text", check.text}});
    context.print_json(json::object{{"checks", std::move(list)}, {"warnings", count("warn")}, {"failures", count("fail")}});
    return exit;
  }
  Table table;
  for (const auto& check : checks) table.add({{check.result, style_of(check.result)}, check.name, check.text});
  table.print(context.terminal);
  const auto counted = [](std::size_t number, const char* what) { return cat(std::to_string(number), " ", what, number == 1 ? "" : "s"); };
  context.terminal.out(cat(counted(checks.size(), "check"), ", ", counted(count("warn"), "warning"), ", ", counted(count("fail"), "failure"), "\n"));
  return exit;
}

}  // namespace picket::ctl
