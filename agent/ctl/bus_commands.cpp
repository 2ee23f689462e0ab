#include <cstdio>
#include <ctime>

#include <boost/json/serialize.hpp>

#include "base/listed.hpp"
#include "bus/names.hpp"
#include "ctl/command.hpp"
#include "ctl/proto_json.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"
#include "picket/host/v1/config.pb.h"
#include "picket/host/v1/watch.pb.h"
#include "runtime/log_text.hpp"

namespace picket::ctl {
namespace {

std::string clock_time(std::int64_t at_us) {
  const std::time_t seconds = at_us / 1'000'000;
  std::tm local{};
  char text[40];
  if (::localtime_r(&seconds, &local) == nullptr) return "?";
  const auto length = std::strftime(text, sizeof text, "%H:%M:%S", &local);
  std::snprintf(text + length, sizeof text - length, ".%06d", static_cast<int>(at_us % 1'000'000));
  return text;
}

json::object to_shown(const host::v1::WatchEvent& event, bool payloads) {
  json::object out = to_json(event);
  if (!payloads) {
    out.erase("payload");
  } else if (event.status() >= 0 && !event.content_type().empty()) {
    // A known type as JSON; what is not known stays base64.
    if (auto decoded = payload_to_json(event.content_type(), event.payload())) out["payload"] = std::move(*decoded);
  } else if (event.status() < 0) {
    out["payload"] = event.payload();
  }
  return out;
}

std::string line_of(const Terminal& terminal, const host::v1::WatchEvent& event, bool payloads) {
  using runtime::printable;
  std::string what = printable(event.what());
  what.resize(std::max<std::size_t>(what.size(), 7), ' ');
  std::string line = cat(terminal.styled(Style::faint, clock_time(event.at_us())), " ", terminal.styled(style_of(event.what()), what), " ");
  if (event.missed() != 0) return cat(line, std::to_string(event.missed()), event.missed() == 1 ? " message" : " messages", ", too fast to be shown");
  line += terminal.styled(Style::strong, printable(event.topic()));
  if (!event.key().empty()) line += cat(" [", printable(event.key()), "]");
  line += cat(" ", printable(event.from()), event.to().empty() ? "" : " > ", printable(event.to()), " ", std::to_string(event.size()), " bytes");
  if (event.status() < 0) line += cat(" status ", std::to_string(event.status()));
  if (!payloads || event.payload().empty()) return line;
  const auto shown = to_shown(event, true);
  return line + " " + printable(json::serialize(shown.at("payload")));
}

}  // namespace

Result<Exit> bus_watch(Context& context) {
  PICKET_LET(most, context.number("count", 0, 1'000'000'000, 1));
  host::v1::WatchRequest request;
  if (!context.arguments().empty()) {
    const auto& filter = context.arguments().front();
    if (!bus::is_filter(filter)) return context.wrong_usage(cat("'", filter.substr(0, 128), "' is neither a topic nor a prefix that ends in .*"));
    request.set_filter(filter);
  }
  const bool payloads = context.invocation.has("payloads");
  request.set_payloads(payloads);
  host::v1::WatchReply reply;
  std::uint64_t seen = 0;
  constexpr std::string_view enough = "seen enough";
  const auto show = [&](std::string_view payload) -> Result<> {
    host::v1::WatchEvent event;
    if (!event.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return fail(Code::invalid, "what was watched could not be read");
    if (context.is_json()) context.print_json(to_shown(event, payloads));  // one document a line
    else context.terminal.out(line_of(context.terminal, event, payloads) + "\n");
    if (context.terminal.failed()) return fail(Code::cancelled, std::string(enough));  // e.g. piped into head
    if (event.missed() != 0) return {};
    return ++seen == most ? fail(Code::cancelled, std::string(enough)) : Result<>();
  };
  const auto idle = [&]() -> Result<> { return context.terminal.is_closed() ? fail(Code::cancelled, std::string(enough)) : Result<>(); };
  PICKET_TRY(context.session.watch("picket.bus.watch", request, reply, show, idle));
  return Exit::ok;
}

Result<Exit> bus_topics(Context& context) {
  PICKET_LET(reply, context.session.ask<host::v1::TopicsReply>("picket.bus.topics", host::v1::TopicsRequest()));
  if (context.printed_as_json(reply)) return Exit::ok;
  Table table{"TOPIC", "KIND", "MESSAGES", "PUBLISHERS", "SUBSCRIBERS", "ANSWERERS"};
  for (const auto& topic : reply.topics())
    table.add({{topic.topic(), Style::strong}, topic.kind(), std::to_string(topic.messages()), listed(topic.publishers()), listed(topic.subscribers()), listed(topic.answerers())});
  table.print(context.terminal);
  return Exit::ok;
}

}  // namespace picket::ctl
