// The tasks' side of the bus.
#include <algorithm>

#include <picket/distribution_point/v1/distribution_point.pb.h>

#include "base/bytes.hpp"
#include "tasks/runner.hpp"

namespace picket::tasks {
namespace {

constexpr std::size_t kMaxReply = 120'000;
static_assert(kMaxOptions + Records::kMostOfRun <= kMaxReply, "picket.task.show answers with both");

}  // namespace

template <class Message>
void Runner::answer(bus::RequestId id, const Message& message) {
  bus::answer(own_peer(), id, cat("application/x-protobuf; messageType=", message.GetTypeName()), message.SerializeAsString());
}

// Used by the other files too.
template void Runner::answer<v1::Run>(bus::RequestId, const v1::Run&);

void Runner::refuse(bus::RequestId id, Code code, std::string_view text) { own_peer().respond(id, bus::status_of(code), "", text); }

void Runner::refuse_unknown(bus::RequestId id, std::string_view task) {
  refuse(id, Code::not_found, cat("there is no task '", shortened(task, 64), "'; see picketctl task list"));
}

void Runner::on_message(const bus::MessagePtr& message) {
  const auto payload = message->payload();
  const auto parse = [&](auto& into) { return into.ParseFromArray(payload.data(), static_cast<int>(payload.size())); };
  update::v1::RunResult update;
  distribution_point::v1::DownloadResult download;
  if (message->topic() == "picket.update.finished" && parse(update)) {
    if (std::ranges::none_of(update.components(), [](const auto& component) { return component.result() == "updated"; })) return;
    const std::lock_guard lock(mutex_);
    new_updates("", update.kind() == "verification" ? "verification" : "update");
  } else if (message->topic() == "picket.distribution_point.finished" && parse(download)) {
    if (std::ranges::none_of(download.points(), [](const auto& each) { return each.published(); })) return;
    const std::lock_guard lock(mutex_);
    new_updates("", "distribution-point");
  } else if (message->topic() == "picket.source.appeared") {
    const std::lock_guard lock(mutex_);
    source_appeared();
  }
}

void Runner::on_request(bus::RequestId id, const bus::MessagePtr& message) {
  const auto topic = message->topic();
  const auto payload = message->payload();
  auto parse = [&](auto into) {
    const bool good = into.ParseFromArray(payload.data(), static_cast<int>(payload.size()));
    if (!good) refuse(id, Code::invalid, cat("the payload is no request of ", topic));
    return good ? std::optional(std::move(into)) : std::nullopt;
  };
  {
    const std::lock_guard lock(mutex_);
    if (!configured_) return refuse(id, Code::unavailable, "the agent is still starting");
  }
  if (topic == "picket.task.list") {
    if (const auto request = parse(v1::ListRequest())) answer_list(id, *request);
  } else if (topic == "picket.task.show") {
    const auto request = parse(v1::ShowRequest());
    if (!request) return;
    const auto offered = types();
    const std::lock_guard lock(mutex_);
    if (const auto* entry = find(request->id())) answer(id, describe(*entry, offered));
    else refuse_unknown(id, request->id());
  } else if (topic == "picket.task.run") {
    if (const auto request = parse(v1::StartRequest())) answer_start(id, *request);
  } else if (topic == "picket.task.watch") {
    if (const auto request = parse(v1::WatchRequest())) answer_watch(id, *request);
  } else if (topic == "picket.task.cancel") {
    if (const auto request = parse(v1::CancelRequest())) answer_cancel(id, *request);
  } else if (topic == "picket.task.history") {
    if (const auto request = parse(v1::HistoryRequest())) answer_history(id, *request);
  } else {
    refuse(id, Code::unsupported, cat(topic, " is not answered here"));
  }
}

void Runner::answer_list(bus::RequestId id, const v1::ListRequest& request) {
  const bool is_first = request.after().empty();
  const auto offered = types();
  v1::ListReply reply;
  if (is_first) reply.mutable_types()->Add(offered.begin(), offered.end());
  const std::lock_guard lock(mutex_);
  reply.set_outbreak(is_first && outbreak_);
  auto bytes = reply.ByteSizeLong();
  for (auto at = entries_.upper_bound(request.after()); at != entries_.end(); ++at) {
    auto task = describe(at->second, offered);
    if (task.has_last()) task.mutable_last()->clear_parts();  // picket.task.show has all
    task.clear_definition_json();
    bytes += task.ByteSizeLong() + 8;
    if (bytes > kMaxReply && !reply.tasks().empty()) {
      reply.set_more(true);
      break;
    }
    *reply.add_tasks() = std::move(task);
  }
  answer(id, reply);
}

void Runner::answer_start(bus::RequestId id, const v1::StartRequest& request) {
  const std::lock_guard lock(mutex_);
  auto* entry = find(request.id());
  if (stopping_) return refuse(id, Code::unavailable, "the agent is stopping");
  if (entry == nullptr) return refuse_unknown(id, request.id());
  if (entry->running || !entry->waiting.empty())
    return refuse(id, Code::conflict, cat("task ", request.id(), entry->running ? " runs already" : " waits for a free place already", "; see picketctl task watch ", request.id()));
  make_wait(*entry, std::string(kByHand));
  if (request.detach()) {
    v1::Run accepted;
    accepted.set_task(request.id());
    accepted.set_type(entry->definition.type);
    accepted.set_trigger(std::string(kByHand));
    answer(id, accepted);
  } else {
    entry->waiting_asker = id;
  }
  look_ = true;
  wake_.notify_all();
}

void Runner::answer_watch(bus::RequestId id, const v1::WatchRequest& request) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return refuse(id, Code::unavailable, "the agent is stopping");
  if (!request.id().empty() && going_of(request.id()) == nullptr) {
    const auto* entry = find(request.id());
    if (entry == nullptr) return refuse_unknown(id, request.id());
    if (entry->waiting.empty()) return refuse(id, Code::conflict, cat("task ", request.id(), " does not run; see picketctl task history ", request.id()));
  }
  watchers_[id] = request.id();
}

void Runner::answer_cancel(bus::RequestId id, const v1::CancelRequest& request) {
  const std::lock_guard lock(mutex_);
  auto* entry = find(request.id());
  if (auto* going = going_of(request.id())) {
    if (going->why_ended.empty()) going->why_ended = "cancelled";
    going->cancel.cancel();
    answer(id, going->run);
  } else if (entry == nullptr) {
    refuse_unknown(id, request.id());
  } else if (!entry->waiting.empty()) {
    v1::Run run;
    run.set_task(request.id());
    run.set_type(entry->definition.type);
    run.set_trigger(entry->waiting);
    answer(id, run);
    give_up_waiting(*entry, Code::cancelled, "was cancelled before it began");
    // What made it wait has been answered: not again at once.
    auto what = entry->remembered;
    what.last_start = parts_.clock.wall_seconds();
    what.pending_at = 0;
    entry->ran_since_start = true;
    remember(*entry, what);
  } else {
    refuse(id, Code::conflict, cat("task ", request.id(), " does not run"));
  }
}

void Runner::answer_history(bus::RequestId id, const v1::HistoryRequest& request) {
  v1::HistoryReply reply;
  const auto limit = static_cast<int>(request.limit() == 0 ? 20 : std::min<std::uint32_t>(request.limit(), 10'000));
  std::size_t bytes = 0;
  const std::lock_guard lock(mutex_);
  if (!request.id().empty() && find(request.id()) == nullptr && !records_.all().contains(request.id()))
    return refuse_unknown(id, request.id());
  auto done = records_.read([&](v1::Run run) {
    if (!request.id().empty() && run.task() != request.id()) return true;
    bytes += run.ByteSizeLong() + 8;
    if (bytes > kMaxReply) return false;
    *reply.add_runs() = std::move(run);
    return reply.runs_size() < limit;
  });
  if (done) answer(id, reply);
  else refuse(id, done.error().code, done.error().message);
}

void Runner::on_cancel(bus::RequestId id) {
  const std::lock_guard lock(mutex_);
  watchers_.erase(id);
  for (auto& going : going_)
    if (going.asker == id) {
      going.asker = 0;
      if (going.why_ended.empty()) going.why_ended = "cancelled";
      going.cancel.cancel();
    }
  for (auto& [name, entry] : entries_)
    if (entry.waiting_asker == id) {
      entry.waiting_asker = 0;
      give_up_waiting(entry, Code::cancelled, "was cancelled before it began");
    }
}

void Runner::give_up_waiting(Entry& entry, Code code, std::string_view why) {
  const auto& task = entry.definition.id;
  const auto text = cat("task ", task, " ", why);
  entry.waiting.clear();
  if (const auto asker = std::exchange(entry.waiting_asker, 0); asker != 0) refuse(asker, code, text);
  for (auto at = watchers_.begin(); at != watchers_.end();) {
    if (at->second != task) {
      ++at;
      continue;
    }
    refuse(at->first, code, text);
    at = watchers_.erase(at);
  }
}

v1::Task Runner::describe(const Entry& entry, const std::vector<std::string>& offered) const {
  v1::Task out;
  const auto& definition = entry.definition;
  out.set_id(definition.id);
  out.set_type(definition.type);
  out.set_origin(definition.json.empty() ? "built-in" : "settings");
  out.set_enabled(definition.enabled);
  out.set_schedule(in_words(definition.schedule));
  out.set_state(entry.running ? "running" : !entry.waiting.empty() ? "waiting" : definition.enabled ? "idle" : "disabled");
  const auto pending = definition.enabled ? entry.remembered.pending_at : 0;
  out.set_next_run(pending == 0 || (entry.due.at != 0 && entry.due.at < pending) ? entry.due.at : pending);
  if (entry.last.run() != 0) *out.mutable_last() = entry.last;
  out.set_definition_json(definition.json);
  if (!std::ranges::binary_search(offered, definition.type)) out.set_text(cat("no plugin that runs offers tasks of type '", definition.type, "'"));
  return out;
}

std::vector<std::string> Runner::types() const {
  std::vector<std::string> out;
  for (const auto& work : work_) out.emplace_back(work->type());
  for (const auto& topic : parts_.router.topics())
    if (topic.topic.starts_with(kTypeTopic) && !topic.answerers.empty()) out.push_back(topic.topic.substr(kTypeTopic.size()));
  std::ranges::sort(out);
  return out;
}

}  // namespace picket::tasks
