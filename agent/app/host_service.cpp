#include "app/host_service.hpp"

#include <algorithm>

#include <unistd.h>

#include "picket/host/v1/config.pb.h"
#include "picket/host/v1/host.pb.h"
#include "runtime/log_text.hpp"

namespace picket::app {
namespace {

namespace v1 = picket::host::v1;

constexpr std::string_view kConcern = "picket.device.concern";
constexpr std::ptrdiff_t kMostConcerns = 32;  // of one plugin: nobody's crowd out another's

v1::PluginStatus to_proto(const plugin_host::Status& status) {
  v1::PluginStatus out;
  out.set_id(status.id);
  out.set_version(status.version);
  out.set_vendor(status.vendor);
  out.set_home(std::string(to_string(status.home)));
  out.set_state(std::string(to_string(status.state)));
  out.set_health(std::string(to_string(status.health)));
  out.set_text(cat(status.text, status.text.empty() || status.passed_over.empty() ? "" : "; ", status.passed_over));
  out.set_restarts(status.restarts);
  out.set_since(status.since);
  out.set_next_attempt(status.next_attempt);
  out.set_settings_revision(status.expected_revision);
  out.set_observed_revision(status.observed_revision);
  out.set_pid(static_cast<std::uint32_t>(status.pid));
  out.set_pending_version(status.pending);
  return out;
}

v1::PluginInfoReply to_proto(const plugin_host::Info& info) {
  v1::PluginInfoReply out;
  *out.mutable_status() = to_proto(info.status);
  out.set_manifest_json(info.manifest_json);
  out.set_path(info.path);
  out.set_signed_by(info.signed_by);
  out.set_settings_json(info.settings_json);
  out.set_published(info.counters.published);
  out.set_delivered(info.counters.delivered);
  out.set_denied(info.counters.denied);
  out.set_busy(info.counters.busy);
  out.set_lost(info.counters.lost);
  out.set_queued(info.counters.queued_messages);
  out.set_overruns(info.overruns);
  return out;
}

v1::TopicsReply to_proto(const std::vector<bus::Router::TopicInfo>& topics) {
  v1::TopicsReply out;
  for (const auto& topic : topics) {
    auto& row = *out.add_topics();
    row.set_topic(topic.topic);
    row.set_kind(std::string(to_string(topic.kind)));
    for (const auto& name : topic.publishers) row.add_publishers(name);
    for (const auto& name : topic.subscribers) row.add_subscribers(name);
    for (const auto& name : topic.answerers) row.add_answerers(name);
    row.set_messages(topic.messages);
  }
  return out;
}

}  // namespace

HostService::HostService(Parts parts) : parts_(std::move(parts)), started_(parts_.clock.wall_seconds()) {
  answer<v1::PluginListRequest, v1::PluginListReply>("picket.plugin.list", [this](const auto&) -> Result<v1::PluginListReply> {
    v1::PluginListReply out;
    for (const auto& status : parts_.plugins()->list()) *out.add_plugins() = to_proto(status);
    return out;
  });
  answer<v1::PluginInfoRequest, v1::PluginInfoReply>("picket.plugin.info", [this](const auto& request) -> Result<v1::PluginInfoReply> {
    PICKET_LET(info, parts_.plugins()->info(request.id()));
    return to_proto(info);
  });
  answer_later<v1::PluginRestartRequest>("picket.plugin.restart", [this](bus::RequestId id, const v1::PluginRestartRequest& request) {
    parts_.worker.post([this, id, plugin = request.id()] {
      auto begun = parts_.plugins()->restart(plugin, [this, id](const plugin_host::Status& status) {
        v1::PluginRestartReply out;
        *out.mutable_status() = to_proto(status);
        reply(id, Result<v1::PluginRestartReply>(std::move(out)));
      });
      if (!begun) reply(id, Result<v1::PluginRestartReply>(fail(std::move(begun).error())));
    });
  });
  answer<v1::HostStatusRequest, v1::HostStatusReply>("picket.host.status", [this](const auto&) -> Result<v1::HostStatusReply> {
    v1::HostStatusReply out;
    out.set_version(PICKET_VERSION);
    out.set_started(started_);
    out.set_pid(static_cast<std::uint32_t>(::getpid()));
    out.set_data_dir(parts_.config.data_dir);
    auto self = parts_.self();
    out.set_slot(std::move(self.slot));
    out.set_slot_text(std::move(self.text));
    out.set_taken_back(self.is_taken_back);
    const auto device = parts_.device_status();
    out.set_device_status(device.level);
    for (const auto& reason : device.reasons) out.add_reasons(reason);
    return out;
  });
  answer<v1::HostConfigRequest, v1::HostConfigReply>("picket.host.config", [this](const auto&) -> Result<v1::HostConfigReply> {
    v1::HostConfigReply out;
    for (const auto& value : parts_.config.values) {
      auto& row = *out.add_values();
      row.set_name(value.name);
      row.set_value(value.value);
      row.set_from(value.from);
    }
    return out;
  });
  answer<v1::TopicsRequest, v1::TopicsReply>("picket.bus.topics", [this](const auto&) -> Result<v1::TopicsReply> { return to_proto(parts_.router.topics()); });
}

Result<> HostService::start() {
  bus::PeerOptions options;
  options.name = "picket.host";
  // Nobody publishes concerns here: declared first, so that no plugin can make another kind of what all others may publish.
  options.allow.publishes = {{"picket.plugin.state", bus::Kind::state}, {std::string(kConcern), bus::Kind::state}};
  options.allow.subscribes = {std::string(kConcern)};
  PICKET_TRY(attach(parts_.router, std::move(options)));
  if (peer().subscribe(kConcern) != bus::kOk) return fail(Code::internal, cat("cannot subscribe to ", kConcern));
  return {};
}

void HostService::on_message(const bus::MessagePtr& message) {
  v1::DeviceConcern said;
  const auto payload = message->payload();
  if (message->topic() != kConcern || !said.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return;
  const std::lock_guard lock(mutex_);
  const std::pair key(std::string(message->sender()), std::string(message->key()));
  if (said.level() == "OK" || payload.empty()) concerns_.erase(key);  // empty: withdrawn
  else if (concerns_.contains(key) || concerns_of(key.first) < kMostConcerns) concerns_[key] = {key.first, said.level(), runtime::printable(said.text().substr(0, 500))};
}

std::ptrdiff_t HostService::concerns_of(const std::string& sender) const {
  return std::count_if(concerns_.begin(), concerns_.end(), [&](const auto& one) { return one.first.first == sender; });
}

std::vector<Concern> HostService::concerns() const {
  const std::lock_guard lock(mutex_);
  std::vector<Concern> out;
  for (const auto& [key, concern] : concerns_) out.push_back(concern);
  return out;
}

void HostService::plugin_changed(const plugin_host::Status& status) {
  const auto message = to_proto(status);
  // A state topic coalesces per key, so the only refusal is during shutdown.
  (void)peer().publish("picket.plugin.state", status.id, content_type_of(message.GetTypeName()), message.SerializeAsString());
}

}  // namespace picket::app
