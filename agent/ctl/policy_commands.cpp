#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/files.hpp"
#include "base/listed.hpp"
#include "bus/bus.hpp"
#include "ctl/command.hpp"
#include "ctl/humane.hpp"
#include "ctl/proto_json.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"
#include "picket/policy/v1/policy.pb.h"
#include "runtime/log_text.hpp"

namespace picket::ctl {
namespace {

// One request carries it.
constexpr std::size_t max_envelope = bus::kMaxPayload - 1024;

Result<std::string> read_envelope(const std::string& file) {
  auto text = file == "-" ? read_all(STDIN_FILENO, max_envelope) : read_file(file, max_envelope);
  if (!text && text.error().code == Code::too_large) return fail(Code::too_large, cat(file, ": a policy given to picketctl may have at most ", std::to_string(max_envelope), " bytes"));
  return text;
}

void print_text(Terminal& terminal, std::string_view text, Style style) {
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    terminal.out(cat(terminal.styled(style, runtime::printable(line)), "\n"));
  }
}

std::string list_of(const google::protobuf::RepeatedPtrField<std::string>& names) {
  return names.empty() ? "none" : listed(names);
}

}  // namespace

Result<Exit> policy_apply(Context& context) {
  PICKET_LET(envelope, read_envelope(context.arguments().front()));
  policy::v1::ApplyRequest request;
  request.set_envelope(envelope);
  policy::v1::ApplyReply reply;
  PICKET_TRY(context.session.ask_patiently("picket.policy.apply", request, reply));
  if (context.is_json()) {
    context.print_json(to_json(reply));
    return reply.applied() ? Exit::ok : Exit::failed;
  }
  if (!reply.plugins().empty()) {
    Table table{"PLUGIN", "EXPECTED", "OBSERVED", "HEALTH", "TEXT"};
    for (const auto& plugin : reply.plugins())
      table.add({plugin.plugin(), std::to_string(plugin.expected_revision()), std::to_string(plugin.observed_revision()), {plugin.health(), style_of(plugin.health())}, plugin.text()});
    table.print(context.terminal);
  }
  auto& terminal = context.terminal;
  const auto in_force = reply.revision() == 0 ? std::string("no policy is in force") : cat("policy revision ", std::to_string(reply.revision()), " is in force");
  terminal.out(cat(reply.applied() ? terminal.styled(Style::good, "applied") : terminal.styled(Style::bad, "not applied"), ": ", in_force, "\n"));
  print_text(terminal, reply.text(), reply.applied() ? Style::plain : Style::bad);
  return reply.applied() ? Exit::ok : Exit::failed;
}

Result<Exit> policy_show(Context& context) {
  PICKET_LET(reply, context.session.ask<policy::v1::ShowReply>("picket.policy.show", policy::v1::ShowRequest()));
  auto& terminal = context.terminal;
  if (context.invocation.has("document")) {
    if (reply.policy_json().empty()) return fail(Code::not_found, "no policy is in force");
    if (!context.is_json()) {
      terminal.out(reply.policy_json());
      return Exit::ok;
    }
  }
  if (context.printed_as_json(reply)) return Exit::ok;
  if (reply.revision() == 0) {
    terminal.out("no policy is in force\n");
  } else {
    Table table;
    table.add({"revision", {std::to_string(reply.revision()), Style::strong}});
    table.add({"signed by", reply.signed_by()});
    table.add({"applied", date(reply.applied())});
    table.add({"expires", {date(reply.expires()), reply.expires() <= context.now ? Style::warning : Style::plain}, ago(reply.expires(), context.now)});
    boost::system::error_code error;
    const auto document = json::parse(reply.policy_json(), error);
    if (!error && document.is_object()) {
      if (const auto* audience = document.get_object().if_contains("audience")) table.add({"audience", json::serialize(*audience)});
      if (const auto* host = document.get_object().if_contains("host")) table.add({"host", json::serialize(*host)});
      if (const auto* plugins = document.get_object().if_contains("plugins"); plugins != nullptr && plugins->is_object())
        for (const auto& plugin : plugins->get_object()) table.add({std::string(plugin.key()), json::serialize(plugin.value())});
    }
    table.print(terminal);
  }
  print_text(terminal, reply.text(), Style::warning);
  return Exit::ok;
}

Result<Exit> policy_explain(Context& context) {
  policy::v1::ExplainRequest request;
  request.set_plugin(context.arguments().front());
  if (context.arguments().size() > 1) request.set_setting(context.arguments()[1]);
  PICKET_LET(reply, context.session.ask<policy::v1::ExplainReply>("picket.policy.explain", request));
  if (context.printed_as_json(reply)) return Exit::ok;
  if (reply.settings().empty() && reply.topics().empty()) {
    context.terminal.out(cat(runtime::printable(request.plugin()), " has no settings\n"));
    return Exit::ok;
  }
  Table table{"SETTING", "LAYER", "VALUE", ""};
  for (const auto& setting : reply.settings()) {
    bool first = true;
    for (const auto& layer : setting.layers()) {
      if (layer.value_json().empty()) continue;
      table.add({first ? Cell(setting.setting(), Style::strong) : Cell(""), layer.layer(), {layer.value_json(), layer.wins() ? Style::good : Style::faint}, layer.wins() ? "in force" : ""});
      first = false;
    }
    // A value that no layer gives as a whole: a default within an element of an array.
    if (first) table.add({{setting.setting(), Style::strong}, "", setting.value_json(), "in force"});
  }
  if (!reply.settings().empty()) table.print(context.terminal);
  if (reply.topics().empty()) return Exit::ok;
  if (!reply.settings().empty()) context.terminal.out("\n");
  Table topics{"TOPICS", "ALLOWED", "TAKEN AWAY BY THE POLICY"};
  for (const auto& list : reply.topics()) topics.add({{list.list(), Style::strong}, list_of(list.allowed()), {list_of(list.taken_away()), Style::warning}});
  topics.print(context.terminal);
  return Exit::ok;
}

}  // namespace picket::ctl
