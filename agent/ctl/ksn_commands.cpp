// picketctl ksn: the reputation network, as the plugins ksn_client and ksn_proxy tell it.
#include <utility>

#include <pwd.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/listed.hpp"
#include "ctl/command.hpp"
#include "ctl/humane.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"
#include "picket/ksn/v1/control.pb.h"
#include "runtime/log_text.hpp"

namespace picket::ctl {
namespace {

constexpr std::size_t kCountersWide = 80;  // beside their title that is within 100 columns

std::string user() {
  const auto uid = ::getuid();
  passwd entry{}, *found = nullptr;
  char text[4096];
  const bool named = ::getpwuid_r(uid, &entry, text, sizeof text, &found) == 0 && found != nullptr;
  std::string out = named ? entry.pw_name : cat("uid ", std::to_string(uid));
  // Who became root to say it.
  if (const char* before = std::getenv("SUDO_USER"); uid == 0 && before != nullptr && *before != '\0') out += cat(" (", before, ")");
  return runtime::printable(out);
}

void print_statement(Table& table, const ksn::v1::Statement& statement) {
  if (statement.version().empty()) {
    table.add({"Statement", {"missing; picketctl ksn statement show says why", Style::bad}});
  } else {
    std::string line = cat("version ", statement.version(), " (", statement.language(), "): ");
    if (statement.decision() == "none") line += "not decided";
    else line += cat(statement.decision(), " by ", statement.who(), " on ", date(statement.when()));
    table.add({"Statement", line});
  }
  if (!statement.accepted_version().empty() && (statement.accepted_version() != statement.version() || statement.decision() != "accepted"))
    table.add({"In force", cat("KSN is used under version ", statement.accepted_version())});
}

// Decides about the text that ships, which was shown before or is named by its digest.
Result<Exit> decide(Context& context, bool accept) {
  ksn::v1::StatementRequest ask;
  ask.set_language(context.invocation.value("language"));
  PICKET_LET(shown, context.session.ask<ksn::v1::StatementReply>("picket.ksn.statement", ask));
  const auto wanted = context.invocation.value("digest");
  if (!wanted.empty() && wanted != shown.statement().digest())
    return fail(Code::conflict, cat("the statement's SHA-256 is ", shown.statement().digest(), ", not ", wanted, ": read it again (picketctl ksn statement show)"));
  ksn::v1::DecideRequest request;
  request.set_accept(accept);
  request.set_language(shown.statement().language());
  request.set_digest(shown.statement().digest());
  request.set_who(user());
  PICKET_LET(reply, context.session.ask<ksn::v1::DecideReply>("picket.ksn.decide", request));
  if (context.printed_as_json(reply)) return Exit::ok;
  context.terminal.out(cat("the KSN statement, version ", runtime::printable(reply.statement().version()), ", is ", runtime::printable(reply.statement().decision()), "\n",
                           runtime::printable(reply.status()), "\n"));
  if (const auto& stays = reply.statement().accepted_version(); !accept && !stays.empty())
    context.terminal.out(cat("you stay under version ", runtime::printable(stays), ", which was accepted before: picketctl ksn disable ends it\n"));
  return Exit::ok;
}

Result<Exit> turn(Context& context, bool on) {
  ksn::v1::SwitchRequest request;
  request.set_on(on);
  request.set_who(user());
  PICKET_LET(reply, context.session.ask<ksn::v1::SwitchReply>("picket.ksn.switch", request));
  if (context.printed_as_json(reply)) return Exit::ok;
  context.terminal.out(cat(runtime::printable(reply.status()), "\n"));
  if (!on) context.terminal.out(cat(std::to_string(reply.cleared()), reply.cleared() == 1 ? " message" : " messages", " that waited to be sent thrown away\n"));
  return Exit::ok;
}

json::value parsed(const std::string& text) {
  boost::system::error_code error;
  auto value = json::parse(text, error);
  return error ? json::value(text) : value;
}

void print_questions(Terminal& terminal, const json::value& group) {
  const auto* members = group.if_object();
  const auto* digests = members == nullptr ? nullptr : members->if_contains("digests");
  if (digests == nullptr || !digests->is_array()) return terminal.out(cat("  questions = ", runtime::printable(json::serialize(group)), "\n"));
  for (const auto& inner : *members)
    if (inner.key() != "digests") terminal.out(cat("  questions.", runtime::printable(std::string(inner.key())), " = ", runtime::printable(json::serialize(inner.value())), "\n"));
  std::string lines;
  for (const auto& digest : digests->get_array()) lines += cat("    ", runtime::printable(digest.is_string() ? std::string(digest.get_string()) : json::serialize(digest)), "\n");
  terminal.out(lines);
}

// A payload as it went, member by member.
void print_payload(Terminal& terminal, const std::string& text) {
  const auto value = parsed(text);
  if (!value.is_object()) {
    terminal.out(cat("  ", runtime::printable(text), "\n"));
    return;
  }
  for (const auto& member : value.get_object()) {
    const auto* object = member.value().if_object();
    // A thousand digests are a thousand lines.
    if (const auto* questions = member.value().if_array(); questions != nullptr && member.key() == "questions") {
      for (const auto& group : *questions) print_questions(terminal, group);
    } else if (object != nullptr) {
      for (const auto& inner : *object) terminal.out(cat("  ", runtime::printable(std::string(member.key())), ".", runtime::printable(std::string(inner.key())), " = ", runtime::printable(json::serialize(inner.value())), "\n"));
    } else {
      terminal.out(cat("  ", runtime::printable(std::string(member.key())), " = ", runtime::printable(json::serialize(member.value())), "\n"));
    }
  }
}

Result<Exit> server_status(Context& context, const std::string& role, std::string_view plugin, std::string_view topic) {
  PICKET_LET(reply, context.session.ask_role<ksn::v1::ServerStatusReply>(role, plugin, topic, ksn::v1::ServerStatusRequest()));
  if (context.printed_as_json(reply)) return Exit::ok;
  Table table;
  table.add({role, reply.state()});
  for (const auto& address : reply.addresses()) table.add({"Listens on", address});
  table.add({"Since", cat(date(reply.since()), reply.since() == 0 ? "" : cat(" (", ago(reply.since(), context.now), ")"))});
  if (!reply.upstream().empty()) table.add({"Upstream", reply.upstream()});
  std::map<std::string, std::uint64_t> counters(reply.counters().begin(), reply.counters().end());
  for (const auto& [name, count] : counters) table.add({name, std::to_string(count)});
  table.print(context.terminal);
  return Exit::ok;
}

}  // namespace

Result<Exit> ksn_status(Context& context) {
  PICKET_LET(reply, context.session.ask<ksn::v1::StatusReply>("picket.ksn.status", ksn::v1::StatusRequest()));
  if (context.printed_as_json(reply)) return Exit::ok;
  Table table;
  table.add({"KSN", {reply.status(), reply.status() == "Enabled" ? Style::good : reply.status() == "Disabled" ? Style::plain : Style::warning}});
  table.add({"", reply.line()});
  if (!reply.kind().empty()) table.add({"Kind", reply.kind()});
  table.add({"Mode", reply.mode()});
  if (!reply.cause().empty()) table.add({"Cause", reply.cause()});
  table.add({"Since", cat(date(reply.since()), reply.since() == 0 ? "" : cat(" (", ago(reply.since(), context.now), ")"))});
  table.add({"Last exchange", reply.last_exchange() == 0 ? "never" : cat(date(reply.last_exchange()), " (", ago(reply.last_exchange(), context.now), ")")});
  table.add({"Next attempt", reply.next_attempt() == 0 ? "none is planned" : cat(date(reply.next_attempt()), " (", ago(reply.next_attempt(), context.now), ")")});
  table.add({"Road", reply.road()});
  table.add({"Device", {reply.device_status(), style_of(reply.device_status())}});
  if (reply.has_provider()) {
    table.add({"Provider", cat(reply.provider().name(), reply.provider().contact().empty() ? "" : ", ", reply.provider().contact(), ", file of ", date(reply.provider().created()))});
    for (const auto& server : reply.provider().servers()) table.add({"", server});
  }
  print_statement(table, reply.statement());
  std::map<std::string, std::uint64_t> counters(reply.counters().begin(), reply.counters().end());
  std::string line, title = "Counters";
  for (const auto& [name, count] : counters)
    if (count != 0) {
      const auto item = cat(name, " ", std::to_string(count));
      if (line.size() + item.size() > kCountersWide) table.add({std::exchange(title, ""), std::exchange(line, "")});
      line += cat(line.empty() ? "" : ", ", item);
    }
  if (!line.empty()) table.add({title, line});
  table.print(context.terminal);
  return Exit::ok;
}

Result<Exit> ksn_last_sent(Context& context) {
  // Each by itself: one message of the bus holds either, of a full batch not both.
  ksn::v1::SentRequest request;
  request.set_what(ksn::v1::SentRequest::LAST);
  PICKET_LET(reply, context.session.ask<ksn::v1::SentReply>("picket.ksn.sent", request));
  request.set_what(ksn::v1::SentRequest::NEXT);
  PICKET_LET(then, context.session.ask<ksn::v1::SentReply>("picket.ksn.sent", request));
  reply.set_next(then.next());
  if (context.printed_as_json(reply)) return Exit::ok;
  if (reply.last().empty()) {
    context.terminal.out("nothing was sent since the agent started\n");
  } else {
    context.terminal.out(cat("sent ", date(reply.last_when()), " to ", runtime::printable(reply.last_to()), reply.last_taken() ? ":\n" : ", which did not take it, or not yet:\n"));
    print_payload(context.terminal, reply.last());
  }
  if (!reply.next().empty()) {
    context.terminal.out("next, as it would go now:\n");
    print_payload(context.terminal, reply.next());
  }
  return Exit::ok;
}

Result<Exit> ksn_what_is_sent(Context& context) {
  PICKET_LET(reply, context.session.ask<ksn::v1::StatusReply>("picket.ksn.status", ksn::v1::StatusRequest()));
  struct Item {
    const char *mode, *item, *meaning;
  };
  static constexpr Item items[] = {
      {"Basic", "digest", "SHA-256 of a file's content, or its first bytes where policy says so"},
      {"Basic", "address digest", "SHA-256 of host-suffix/path-prefix expressions of a web address, or their first bytes; never the address"},
      {"Basic", "software digest", "SHA-256 of a program's publisher and product, or its first bytes"},
      {"Basic", "licence", "id of the licence key, not the key; empty: none"},
      {"Basic", "installation", "a random number, drawn anew now and then"},
      {"Basic", "product, version", "picket and its version"},
      {"Basic", "mode", "whether extended mode is on"},
      {"Extended", "statistics", "how many objects of each kind were checked and what came of it, and when; no names, no paths"},
      {"Extended", "files or parts", "only when KSN asks for one, only of kinds and sizes that policy allows, never twice the same"},
  };
  if (context.is_json()) {
    json::array out;
    for (const auto& item : items) out.push_back(json::object{{"mode", item.mode}, {"item", item.item}, {"meaning", item.meaning}});
    context.print_json(json::object{{"mode", reply.mode()}, {"items", std::move(out)}});
    return Exit::ok;
  }
  context.terminal.out(reply.mode() == "Off" ? "Nothing is sent: KSN is off. Switched on, it would be:\n" : cat("Mode in force: ", runtime::printable(reply.mode()), "\n"));
  Table table{"MODE", "ITEM", "MEANING"};
  for (const auto& item : items) table.add({item.mode, item.item, item.meaning});
  table.print(context.terminal);
  context.terminal.out("The exact last message: picketctl ksn last-sent\n");
  return Exit::ok;
}

Result<Exit> ksn_connection(Context& context) {
  PICKET_LET(reply, context.session.ask<ksn::v1::ConnectionReply>("picket.ksn.connection", ksn::v1::ConnectionRequest()));
  bool any = false, all = reply.tried_size() > 0;
  for (const auto& tried : reply.tried()) {
    any = any || tried.works();
    all = all && tried.works();
  }
  const Exit exit = all ? Exit::ok : any ? Exit::partial : Exit::failed;
  if (context.printed_as_json(reply)) return exit;
  if (reply.tried().empty()) {
    context.terminal.out("there is nobody to ask: no proxy is set, and policy does not allow servers\n");
    return exit;
  }
  Table table{"ADDRESS", "KIND", "RESULT", "MS", "PROTOCOL", "KSN", "TEXT"};
  for (const auto& tried : reply.tried())
    table.add({tried.address(), tried.proxy() ? "proxy" : "server", {tried.works() ? "works" : "fails", tried.works() ? Style::good : Style::bad}, std::to_string(tried.milliseconds()),
               tried.protocol(), tried.ksn(), tried.text()});
  table.print(context.terminal);
  return exit;
}

Result<Exit> ksn_statement_show(Context& context) {
  ksn::v1::StatementRequest request;
  request.set_language(context.invocation.value("language"));
  PICKET_LET(reply, context.session.ask<ksn::v1::StatementReply>("picket.ksn.statement", request));
  if (context.printed_as_json(reply)) return Exit::ok;
  for (std::string_view rest = reply.statement().text(); !rest.empty();) {
    const auto end = rest.find('\n');
    context.terminal.out(cat(runtime::printable(std::string(rest.substr(0, end))), "\n"));
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  }
  context.terminal.out("\n");
  Table table;
  print_statement(table, reply.statement());
  table.add({"SHA-256", reply.statement().digest()});
  table.add({"Languages", listed(reply.languages())});
  table.print(context.terminal);
  return Exit::ok;
}

Result<Exit> ksn_statement_accept(Context& context) { return decide(context, true); }
Result<Exit> ksn_statement_decline(Context& context) { return decide(context, false); }
Result<Exit> ksn_enable(Context& context) { return turn(context, true); }
Result<Exit> ksn_disable(Context& context) { return turn(context, false); }

Result<Exit> ksn_proxy_status(Context& context) { return server_status(context, "KSN proxy", "org.picket.ksn-proxy", "picket.ksn.proxy.status"); }
Result<Exit> ksn_service_status(Context& context) { return server_status(context, "Private KSN", "org.picket.ksn-service", "picket.ksn.service.status"); }

}  // namespace picket::ctl
