// The engine's side of the bus.
#include <algorithm>

#include <picket/update/v1/sources.pb.h>

#include "base/files.hpp"
#include "update/what_is_sent.hpp"
#include "update/engine_impl.hpp"
#include "update/one_message.hpp"

namespace picket::update {
namespace {

constexpr std::string_view kType = "application/x-protobuf; messageType=picket.update.v1.";
constexpr std::chrono::milliseconds kFinishedPatience{2000};  // how long a full queue may delay picket.update.finished

}  // namespace

template <class Message>
void EngineImpl::answer(bus::RequestId id, const Message& message, std::string_view type) {
  bus::answer(own_peer(), id, cat(kType, type), message.SerializeAsString());
}

void EngineImpl::refuse(bus::RequestId id, Code code, std::string_view text) {
  if (id != 0) own_peer().respond(id, bus::status_of(code), "", text);
}

void EngineImpl::on_message(const bus::MessagePtr& message) {
  v1::VariantChoice choice;
  if (message->topic() != "picket.update.variant" || !choice.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size()))) return;
  // Anything else is nothing that a repository could hold, unless the choice was withdrawn.
  if (choice.variant() != "full" && choice.variant() != "light" && !message->payload().empty()) return;
  board_.choose_variant(std::move(choice));
}

void EngineImpl::on_request(bus::RequestId id, const bus::MessagePtr& message) {
  const auto topic = message->topic();
  const auto payload = message->payload();
  auto parse = [&](auto& into) {
    if (into.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return true;
    refuse(id, Code::invalid, cat("the payload is no request of ", topic));
    return false;
  };
  if (topic == "picket.update.run") {
    RunJob job{{}, {id}};
    if (parse(job.order)) enqueue(id, std::move(job));
  } else if (topic == "picket.update.rollback") {
    RollbackJob job{{}, {id}};
    if (!parse(job.order)) return;
    if (auto good = trust::check_component_name(job.order.component()); !good) return refuse(id, Code::invalid, good.error().message);
    enqueue(id, std::move(job));
  } else if (topic == "picket.update.export") {
    ExportJob job{{}, {id}};
    if (parse(job.order)) enqueue(id, std::move(job));
  } else if (topic == "picket.update.verdict") {
    VerdictJob job{{}, {id}};
    if (!parse(job.order)) return;
    const auto& word = job.order.verdict();
    if (word != "passed" && word != "failed" && word != "untried") return refuse(id, Code::invalid, "a verdict is passed, failed or untried");
    enqueue(id, std::move(job));
  } else if (topic == "picket.update.status" || topic == "picket.component.list") {
    v1::StatusRequest question;
    if (!parse(question)) return;
    auto status = board_.status(parts_.demands(), parts_.clock.wall_seconds());
    for (auto& source : sources_.status()) *status.add_sources() = std::move(source);
    answer(id, page_of(std::move(status), question.after()), "StatusReply");
  } else if (topic == "picket.update.history") {
    v1::HistoryRequest question;
    if (!parse(question)) return;
    auto runs = history_.read(question.limit());
    if (runs) answer(id, *runs, "HistoryReply");
    else refuse(id, runs.error().code, runs.error().message);
  } else if (topic == "picket.update.explain") {
    v1::ExplainRequest question;
    if (parse(question)) answer(id, explain_.reply(question.component()), "ExplainReply");
  } else if (topic == "picket.update.what_is_sent") {
    answer(id, what_is_sent(options_, board_.settings(), installation_, counters_.get("run") + 1), "WhatIsSentReply");
  } else if (topic == "picket.update.sources") {
    v1::SourcesRequest question;
    if (parse(question)) answer_sources(id, message->sender(), question);
  } else if (topic == "picket.update.source_outcome") {
    v1::SourceOutcome outcome;
    if (parse(outcome)) take_outcome(id, message->sender(), outcome);
  } else {
    refuse(id, Code::unsupported, cat(topic, " is not answered here"));
  }
}

void EngineImpl::answer_sources(bus::RequestId id, std::string_view asker, const v1::SourcesRequest& question) {
  // Options may hold passwords: for plugins whose manifest asks it, not for whoever reaches the control socket.
  if (asker.starts_with("picketctl")) return refuse(id, Code::denied, "picket.update.sources is for plugins: options of sources may hold passwords");
  auto root = read_file(options_.root_file, trust::Limits{}.root_bytes);
  if (!root) return refuse(id, root.error().code, cat("the initial root of trust: ", root.error().message));
  const auto settings = board_.settings();
  v1::SourcesReply reply;
  for (const auto& entry : settings.sources) {
    if (!entry.enabled) continue;
    auto& road = *reply.add_sources();
    road.set_plugin(entry.plugin);
    road.mutable_source()->set_name(entry.name);
    road.mutable_source()->set_location(entry.location);
    road.mutable_source()->set_options_json(entry.options_json);
    const auto limits = limits_of(settings, entry);
    road.set_connect_timeout_ms(static_cast<std::uint32_t>(limits.connect_timeout.count()));
    road.set_stall_timeout_ms(static_cast<std::uint32_t>(limits.stall_timeout.count()));
    const auto rest = sources_.rest_of(entry.name);
    road.set_rests_seconds(static_cast<std::uint32_t>(rest.left.count()));
    road.set_rests_after(rest.why);
    road.set_rest_is_asked_for(rest.is_asked_for);
    road.set_may_hold_back(entry.may_hold_back);
  }
  reply.set_initial_root(*root);
  reply.set_connect_timeout_ms(static_cast<std::uint32_t>(std::chrono::milliseconds(settings.connect_timeout).count()));
  reply.set_stall_timeout_ms(static_cast<std::uint32_t>(std::chrono::milliseconds(settings.stall_timeout).count()));
  reply.set_min_bytes_per_second(settings.min_bytes_per_second);
  reply.set_tell(settings.tell_servers);
  reply.set_version(options_.agent_version);
  reply.set_installation(installation_);
  reply.set_licence_key(settings.licence_key_id);
  for (const auto& declined : settings.declined) {
    auto& one = *reply.add_declined();
    one.set_component(declined.component);
    one.set_release(declined.release);
  }
  for (auto& held : board_.held()) *reply.add_held() = std::move(held);
  answer(id, page_of(std::move(reply), question), "SourcesReply");
}

// A plugin that downloads for others finds out how sources do, too: one memory for both, so that neither disturbs a rest that the other knows of.
void EngineImpl::take_outcome(bus::RequestId id, std::string_view asker, const v1::SourceOutcome& outcome) {
  if (asker.starts_with("picketctl")) return refuse(id, Code::denied, "picket.update.source_outcome is for plugins that download");
  if (!sources_.knows(outcome.source())) return refuse(id, Code::not_found, "the settings name no such source");
  if (outcome.error().empty()) sources_.worked(outcome.source());
  else sources_.failed(outcome.source(), outcome.error(), outcome.has_retry_after_seconds() ? std::optional(std::chrono::seconds(outcome.retry_after_seconds())) : std::nullopt);
  answer(id, v1::SourceOutcomeReply(), "SourceOutcomeReply");
}

void EngineImpl::enqueue(bus::RequestId id, Job job) {
  {
    const std::lock_guard lock(mutex_);
    const bool asked = !std::holds_alternative<RefusedJob>(job) && !std::holds_alternative<LoadedJob>(job);
    if (!stopping_ && (!asked || jobs_.size() < kMaxJobs)) {
      jobs_.push_back(std::move(job));
      wake_.notify_one();
      return;
    }
  }
  refuse(id, Code::busy, cat("more than ", std::to_string(kMaxJobs), " updates are waiting already"));
}

void EngineImpl::on_cancel(bus::RequestId id) {
  const std::lock_guard lock(mutex_);
  if (current_ == id && current_cancel_) {
    current_cancel_->cancel();
    return;
  }
  std::erase_if(jobs_, [&](const Job& job) { return asker_of(job) == id; });
}

void EngineImpl::answer_result(const Asker& asker, const v1::RunResult& result) {
  if (asker.id != 0) answer(asker.id, result, "RunResult");
}

void EngineImpl::publish_finished(const v1::RunResult& result) {
  const auto payload = in_one_message(result).SerializeAsString();
  const auto until = std::chrono::steady_clock::now() + kFinishedPatience;
  // An event is never lost silently: a full queue gets a little time to empty itself.
  for (;;) {
    if (own_peer().publish("picket.update.finished", "", cat(kType, "RunResult"), payload) != bus::status_of(Code::busy)) return;
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, std::chrono::milliseconds(20), [&] { return stopping_; }) || std::chrono::steady_clock::now() > until) break;
  }
  explain_.say({}, "picket.update.finished could not be delivered: a subscriber's queue is full");
}

void EngineImpl::announce(const component::v1::ActiveSet& set) {
  (void)own_peer().publish("picket.component.active", set.component(), "application/x-protobuf; messageType=picket.component.v1.ActiveSet", set.SerializeAsString());
  if (set.release() == 0) parts_.router.forget("picket.component.active", set.component());  // whoever comes later finds nothing, which is so
}

void EngineImpl::plugin_started(const std::string& plugin_id) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    // A job may be about to change what is in force; the plugin gets what is so now, and again what is so afterwards if that differs.
    if (current_cancel_) started_meanwhile_.insert(plugin_id);
  }
  const auto sets = board_.in_force();
  for (const auto& demand : parts_.demands())
    if (demand.plugin == plugin_id)
      for (const auto& set : sets)
        if (set.component() == demand.component) hand_over(plugin_id, set);
}

void EngineImpl::hand_over_missed() {
  std::set<std::string> plugins;
  {
    const std::lock_guard lock(mutex_);
    plugins.swap(started_meanwhile_);
  }
  for (const auto& plugin : plugins) plugin_started(plugin);
}

void EngineImpl::hand_over(const std::string& plugin, const component::v1::ActiveSet& set) {
  component::v1::ActivateRequest question;
  *question.mutable_set() = set;
  const auto payload = question.SerializeAsString();
  bus::Token token = 0;
  {
    const std::lock_guard lock(mutex_);
    token = next_token_++;
    hand_overs_[token] = {plugin, set.component(), std::filesystem::path(set.path()).filename().native()};
  }
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(board_.settings().confirm_timeout);
  const auto status = own_peer().request({.topic = kActivateTopic, .to = plugin, .content_type = kActivateType, .payload = payload, .timeout = limit}, token);
  if (status == bus::kOk) return;
  const std::lock_guard lock(mutex_);
  hand_overs_.erase(token);  // gone again, or its queue is full: its next start asks anew
}

void EngineImpl::on_reply(bus::Token token, bus::Status status, const bus::MessagePtr& message) {
  HandOver over;
  {
    const std::lock_guard lock(mutex_);
    const auto found = hand_overs_.find(token);
    if (found == hand_overs_.end()) return;
    over = std::move(found->second);
    hand_overs_.erase(found);
  }
  if (status == bus::kOk) {
    component::v1::ActivateReply reply;
    const bool is_said = message && reply.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size()));
    if (is_said && reply.pending()) return;  // asked again after the restart
    return enqueue(0, LoadedJob{over.component, over.set, is_said ? reply.text() : std::string()});
  }
  if (status == bus::status_of(Code::cancelled)) return;
  enqueue(0, RefusedJob{over.component, over.set, over.plugin, message ? std::string(message->payload()) : std::string("no answer"), status == bus::status_of(Code::expired)});
}

}  // namespace picket::update
