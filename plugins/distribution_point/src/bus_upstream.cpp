#include "bus_upstream.hpp"

#include <utility>

#include "base/fetching.hpp"
#include "base/told.hpp"
#include "picket/source/v1/source.pb.h"
#include "picket/update/v1/report.pb.h"
#include "picket/update/v1/sources.pb.h"

namespace distribution_point {
namespace {

namespace update = picket::update::v1;
namespace source = picket::source::v1;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
using std::chrono::milliseconds;

constexpr std::uint64_t kWindow = 1u << 20;   // bytes of stream on their way
constexpr std::size_t kMostWanted = 96 * 1024;  // bytes of what is wanted in one question, which has an end on the bus: a thousand components and more
constexpr milliseconds kWhole{86'400'000};    // the bus's longest; a transfer that moves may take its time

// All of it, in however many messages it comes.
Result<update::SourcesReply> ask_sources(picket::plugin::Asker& asker, const std::atomic<bool>& cancelled) {
  update::SourcesReply out;
  update::SourcesRequest question;
  const auto place = [](const update::ReleaseName& name) { return std::pair(name.component(), name.release()); };
  for (;;) {
    const auto order = question.SerializeAsString();
    auto payload = asker.call({.topic = "picket.update.sources", .content_type = "application/x-protobuf; messageType=picket.update.v1.SourcesRequest", .payload = order}, cancelled);
    if (!payload) return fail(std::move(payload).error(), "ask the agent for its sources");
    out.clear_next();
    if (!out.MergeFromString(*payload)) return fail(Code::invalid, "the agent's answer is no SourcesReply");
    if (!out.has_next()) return out;
    if (question.has_after() && place(out.next()) <= place(question.after())) return fail(Code::invalid, cat("the agent's answers have no end: what follows ", out.next().component(), " was told already"));
    *question.mutable_after() = out.next();
  }
}

}  // namespace

Result<Roads> BusUpstream::roads(std::uint64_t run) {
  PICKET_LET(reply, ask_sources(asker_, cancelled_));
  least_ = reply.min_bytes_per_second();
  picket::Told told;
  told.version = reply.version();
  told.installation = reply.installation();
  told.licence_key = reply.licence_key();
  told.run = std::to_string(run);
  told_ = reply.tell() ? picket::user_agent(told) : std::string();
  Roads out;
  out.initial_root = reply.initial_root();
  for (const auto& one : reply.declined()) out.declined.push_back({one.component(), one.release()});
  for (const auto& one : reply.held()) out.declined.push_back({one.component(), one.release(), one.newer()});
  const auto own_or = [](std::uint32_t own, std::uint32_t of_all) { return milliseconds(own > 0 ? own : of_all); };
  for (const auto& road : reply.sources())
    out.roads.push_back({road.source().name(), road.plugin(), road.source().location(), road.source().options_json(), own_or(road.connect_timeout_ms(), reply.connect_timeout_ms()),
                         own_or(road.stall_timeout_ms(), reply.stall_timeout_ms()), std::chrono::seconds(road.rests_seconds()), road.rests_after(), road.rest_is_asked_for(), road.may_hold_back()});
  return out;
}

Result<std::vector<AgentWish>> BusUpstream::agent_demand() {
  std::vector<AgentWish> out;
  update::StatusRequest question;
  for (;;) {
    const auto order = question.SerializeAsString();
    PICKET_LET(payload, asker_.call({.topic = "picket.update.status", .content_type = "application/x-protobuf; messageType=picket.update.v1.StatusRequest", .payload = order}, cancelled_));
    update::StatusReply reply;
    if (!reply.ParseFromString(payload)) return fail(Code::invalid, "the agent's answer is no StatusReply");
    for (const auto& component : reply.components())
      if (component.demanded_by_size() > 0) out.push_back({{component.component(), component.wanted_variant() == "light" ? "light" : "full"}, component.optional()});
    if (!reply.more()) return out;
    const auto last = reply.components().empty() ? std::string() : reply.components().rbegin()->component();
    if (last <= question.after()) return fail(Code::invalid, cat("the agent's answers have no end: what follows ", last, " was told already"));
    question.set_after(last);
  }
}

Result<Upstream::Got> BusUpstream::fetch(const Road& road, std::string_view path, std::uint64_t offset, std::uint64_t max_bytes, const Sink& sink) {
  source::FetchRequest question;
  question.mutable_source()->set_name(road.name);
  question.mutable_source()->set_location(road.location);
  question.mutable_source()->set_options_json(road.options_json);
  question.set_path(std::string(path));
  question.set_offset(offset);
  question.set_max_bytes(max_bytes);
  question.set_connect_timeout_ms(static_cast<std::uint32_t>(road.connect_timeout.count()));
  question.set_stall_timeout_ms(static_cast<std::uint32_t>(road.stall_timeout.count()));
  question.set_min_bytes_per_second(least_);
  question.set_told(told_);
  if (path == "metadata/timestamp.json") {  // what every check asks for
    auto& wanted = *question.mutable_wanted();
    std::size_t bytes = 0;
    for (const auto& wish : wanted_) {
      bytes += wish.component.size() + wish.variant.size() + 8;   // and what says which is which
      if (bytes > kMostWanted) break;
      auto& one = *wanted.add_components();
      one.set_component(wish.component);
      one.set_variant(wish.variant);
    }
  }
  const auto payload = question.SerializeAsString();
  std::uint64_t arrived = 0;
  const auto now = [] { return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()); };
  picket::Pace pace({road.stall_timeout, least_}, now());
  const auto counted = [&](std::string_view chunk) -> Result<> {
    if (chunk.size() > max_bytes - arrived) return fail(Code::too_large, cat("sends more than the ", std::to_string(max_bytes), " bytes it was asked for"));
    arrived += chunk.size();
    PICKET_TRY(pace.arrived(chunk.size(), now()));
    return sink(chunk);
  };
  // The plugin watches its own connection and says more; being cut off here is for a plugin that hangs.
  const auto patience = road.connect_timeout + road.stall_timeout + milliseconds(1000);
  std::string type;
  auto answer = asker_.call({.topic = "picket.source.fetch", .to = road.plugin, .content_type = "application/x-protobuf; messageType=picket.source.v1.FetchRequest",
                             .payload = payload, .timeout = kWhole, .answer_type = &type}, cancelled_, counted, kWindow, patience);
  wish_ = answer ? std::nullopt : picket::retry_after(type);
  if (!answer) return fail(std::move(answer).error());
  source::FetchReply reply;
  if (!reply.ParseFromString(*answer)) return fail(Code::invalid, cat(road.plugin, " answered something that is no FetchReply"));
  if (reply.sent() != arrived) return fail(Code::io, cat(road.plugin, " says it sent ", std::to_string(reply.sent()), " bytes, but ", std::to_string(arrived), " arrived"));
  return Got{arrived, reply.offset(), reply.point()};
}

void BusUpstream::report(const Road& road, const picket::Error* error) {
  update::SourceOutcome outcome;
  outcome.set_source(road.name);
  if (error != nullptr) {
    outcome.set_error(error->message);
    if (wish_) outcome.set_retry_after_seconds(static_cast<std::uint32_t>(wish_->count()));
  }
  const auto payload = outcome.SerializeAsString();
  // That the agent does not hear of it costs a rest, no more.
  (void)asker_.call({.topic = "picket.update.source_outcome", .content_type = "application/x-protobuf; messageType=picket.update.v1.SourceOutcome", .payload = payload}, cancelled_);
}

}  // namespace distribution_point
