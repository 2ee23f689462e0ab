#include "service.hpp"

#include <ctime>

#include "ksn/limits.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_proxy {

namespace v1 = picket::ksn::v1;
using picket::cat;

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

std::string utc(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  char text[40];
  if (::gmtime_r(&time, &parts) == nullptr) return "-";
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts)};
}

}  // namespace

void Service::handle(const ksn_server::Request& request, ksn_server::Reply reply) {
  if (request.path == "/ksn/v1/ask") return broker_.ask(request.body, std::move(reply), request.peer);
  if (request.path == "/ksn/v1/statistics") return forwarder_.statistics(request.body, request.peer, std::move(reply));
  if (request.path == "/ksn/v1/content") return forwarder_.content(request.body, request.peer, std::move(reply));
  if (request.path != "/ksn/v1/hello")
    return std::move(reply).send(404, ksn_server::refusal(v1::Refusal::UNKNOWN_REQUEST, cat("nothing is served at ", request.path.substr(0, 64))));
  v1::HelloRequest hello;
  if (!hello.ParseFromArray(request.body.data(), static_cast<int>(request.body.size())) || hello.asker().licence().size() > picket::ksn::kMostTextBytes)
    return std::move(reply).send(400, ksn_server::refusal(v1::Refusal::MALFORMED, "this is no HelloRequest"));
  v1::HelloReply answer;
  answer.set_ksn(whose_.name);
  answer.set_private_ksn(whose_.is_private);
  answer.set_proxy(true);
  answer.set_version(whose_.version);
  answer.set_now(now_());
  broker_.greet(hello.asker().licence(), answer, std::move(reply), request.peer);
}

std::map<std::string, std::uint64_t> figures(const BrokerCounters& broker, const ForwarderCounters& forwarder, const ksn_server::Counters& server) {
  return {{"requests", broker.requests},
          {"digests", broker.digests},
          {"from_cache", broker.from_cache},
          {"merged", broker.merged},
          {"upstream_questions", broker.upstream_questions},
          {"upstream_requests", broker.upstream_requests},
          {"upstream_failures", broker.upstream_failures},
          {"untrusted_answers", broker.untrusted},
          {"refused", broker.refused},
          {"malformed", broker.malformed},
          {"overdue", broker.overdue},
          {"overloaded", broker.overloaded},
          {"waiting_requests", broker.waiting},
          {"pending_questions", broker.pending},
          {"licences", broker.licences},
          {"cache_entries", broker.cache.entries},
          {"cache_bytes", broker.cache.bytes},
          {"cache_evicted", broker.cache.evicted},
          {"cache_not_admitted", broker.cache.not_admitted},
          {"cache_expired", broker.cache.expired},
          {"messages_passed_on", forwarder.passed_on},
          {"messages_stored", forwarder.stored},
          {"messages_delivered", forwarder.delivered},
          {"messages_refused_by_ksn", forwarder.refused_by_ksn},
          {"messages_expired", forwarder.expired},
          {"messages_no_room", forwarder.no_room},
          {"messages_no_licence", forwarder.no_licence},
          {"messages_damaged", forwarder.outbox.damaged + forwarder.unreadable},
          {"waiting_messages", forwarder.outbox.waiting},
          {"waiting_bytes", forwarder.outbox.waiting_bytes},
          {"connections", server.connections},
          {"connections_turned_away", server.turned_away},
          {"connections_broken_off", server.broken_off},
          {"bytes_in", server.bytes_in},
          {"bytes_out", server.bytes_out}};
}

std::string status_page(const WhoseKsn& whose, const std::string& state, const std::string& upstream, std::int64_t since, const std::map<std::string, std::uint64_t>& figures) {
  std::string out = cat("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>KSN proxy</title><h1>KSN proxy</h1><p>", escaped(state), "</p><table>");
  const auto row = [&](std::string_view name, std::string_view value) { out += cat("<tr><td>", escaped(name), "</td><td>", escaped(value), "</td></tr>\n"); };
  row("ksn", cat(whose.name, whose.is_private ? " (private)" : " (global)"));
  row("version", whose.version);
  row("since", utc(since));
  row("upstream", upstream);
  const auto digests = figures.at("digests");
  row("share from the cache", digests == 0 ? "-" : cat(std::to_string(figures.at("from_cache") * 1000 / digests / 10), ".", std::to_string(figures.at("from_cache") * 1000 / digests % 10), " %"));
  for (const auto& [name, value] : figures) row(name, std::to_string(value));
  return out += "</table></html>\n";
}

}  // namespace ksn_proxy
