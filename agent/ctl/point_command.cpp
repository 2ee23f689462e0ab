// picketctl point status: what this computer's distribution point holds, for whom, and how its last download went.
#include <algorithm>

#include "base/progress.hpp"
#include "ctl/command.hpp"
#include "ctl/humane.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"
#include "picket/distribution_point/v1/distribution_point.pb.h"

namespace picket::ctl {
namespace {

namespace v1 = distribution_point::v1;

constexpr int kMostNamed = 5;

void add_last(const v1::DownloadResult& last, std::int64_t now, Table& table) {
  table.add({"Last download", {cat(last.overall(), " (rule: ", last.rule(), "), ", ago(last.finished(), now)), style_of(last.overall())}});
  for (const auto& point : last.points()) {
    table.add({"", {cat(point.point(), ": ", point.result_class(), point.reason().empty() ? "" : cat(": ", point.reason())), style_of(point.result_class())}});
    table.add({"", cat(std::to_string(point.files()), " files, ", human_bytes(point.bytes()), point.source().empty() ? "" : cat(" from ", point.source()), point.published() ? cat(", published set ", std::to_string(point.set())) : ", nothing new to publish")});
    for (const auto& step : point.steps()) table.add({"", step.source().empty() ? step.text() : cat("source ", step.source(), ": ", step.text())});
    for (const auto& missing : point.missing()) table.add({"", {cat("not here: ", missing), Style::warning}});
  }
}

std::string asked_by(const v1::Wish& wish) {
  std::string out;
  for (int i = 0; i < wish.by_size() && i < kMostNamed; ++i) out += cat(i == 0 ? "" : ", ", wish.by(i));
  const auto more = wish.askers() - std::min<std::uint32_t>(wish.askers(), kMostNamed);
  return more == 0 ? out : cat(out, " and ", std::to_string(more), " more");
}

Cell devices(const v1::StatusReply& reply) {
  const auto number = [](std::uint64_t count) { return std::to_string(count); };
  auto text = cat(number(reply.devices()), " of at most ", number(reply.most_devices()), " known");
  if (reply.displaced_devices() != 0) text += cat("; ", number(reply.displaced_devices()), " forgotten to make room");
  if (reply.refused_wishes() != 0) text += cat(reply.displaced_devices() != 0 ? ", " : "; ", number(reply.refused_wishes()), " wishes refused");
  if (reply.displaced_devices() + reply.refused_wishes() != 0) text += " since it started";
  return {text, reply.devices() >= reply.most_devices() || reply.displaced_devices() != 0 ? Style::warning : Style::plain};
}

Cell served(const v1::Wish& wish) {
  if (wish.release() == 0) return {"not yet", Style::warning};
  if (wish.unverified()) return {cat(std::to_string(wish.release()), ", unverified"), Style::warning};
  return std::to_string(wish.release());
}

}  // namespace

Result<Exit> point_status(Context& context) {
  PICKET_LET(reply, context.session.ask_role<v1::StatusReply>("distribution point", "org.picket.distribution-point", "picket.distribution_point.status", v1::StatusRequest()));
  if (context.printed_as_json(reply)) return Exit::ok;
  Table table;
  table.add({"Distribution point", reply.state()});
  if (reply.state() != "idle" && reply.state() != "running") {   // it has no folder and no clients: their numbers would be no facts
    table.print(context.terminal);
    return Exit::ok;
  }
  for (const auto& address : reply.addresses()) table.add({"Listens on", address});
  table.add({"Serves", reply.set() == 0 ? std::string("nothing yet") : cat("set ", std::to_string(reply.set()), ", published ", ago(reply.published(), context.now))});
  table.add({"Clients", cat(std::to_string(reply.connections()), " connected; ", std::to_string(reply.requests()), " requests answered and ", human_bytes(reply.sent_bytes()), " sent since it started")});
  table.add({"Devices", devices(reply)});
  table.add({"Disk", cat(human_bytes(reply.stored_bytes()), " stored, ", human_bytes(reply.free_bytes()), " free")});
  if (reply.has_last()) add_last(reply.last(), context.now, table);
  table.print(context.terminal);
  if (reply.wishes().empty()) return Exit::ok;
  context.terminal.out("\n");
  Table wishes{"COMPONENT", "VARIANT", "SERVED", "ASKED FOR BY"};
  for (const auto& wish : reply.wishes()) wishes.add({wish.component(), wish.variant(), served(wish), asked_by(wish)});
  wishes.print(context.terminal);
  if (std::ranges::any_of(reply.wishes(), &v1::Wish::unverified))
    context.terminal.out("\nunverified: no verification of this agent tries it, so it is served as it comes; the point's setting unverified holds it back.\n");
  return Exit::ok;
}

}  // namespace picket::ctl
