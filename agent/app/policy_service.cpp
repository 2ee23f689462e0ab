#include "app/policy_service.hpp"

#include <algorithm>

#include "bus/names.hpp"
#include "package/manifest.hpp"
#include "picket/policy/v1/policy.pb.h"
#include "plugin_host/topic_limits.hpp"

namespace picket::app {
namespace {

namespace v1 = picket::policy::v1;
constexpr std::chrono::milliseconds kApplyLimit{10'000};
constexpr std::string_view kActivate = "picket.component.activate";

v1::ApplyReply to_proto(const policy::Applied& applied) {
  v1::ApplyReply out;
  out.set_applied(applied.applied);
  out.set_revision(applied.policy_revision);
  out.set_text(applied.text);
  for (const auto& outcome : applied.outcomes) {
    auto& row = *out.add_plugins();
    row.set_plugin(outcome.id);
    row.set_expected_revision(outcome.expected_revision);
    row.set_observed_revision(outcome.observed_revision);
    row.set_health(outcome.health);
    row.set_text(outcome.text);
  }
  return out;
}

v1::ShowReply to_proto(const policy::Shown& shown) {
  v1::ShowReply out;
  out.set_policy_json(shown.policy_json);
  out.set_revision(shown.revision);
  out.set_signed_by(shown.signed_by);
  out.set_applied(shown.applied);
  out.set_expires(shown.expires);
  out.set_text(shown.text);
  return out;
}

v1::ExplainReply to_proto(const std::string& plugin, const std::vector<policy::Explained>& settings) {
  v1::ExplainReply out;
  out.set_plugin(plugin);
  for (const auto& setting : settings) {
    auto& row = *out.add_settings();
    row.set_setting(setting.setting);
    row.set_value_json(setting.value_json);
    for (const auto& layer : setting.layers) {
      auto& entry = *row.add_layers();
      entry.set_layer(layer.name);
      entry.set_value_json(layer.value_json);
      entry.set_wins(layer.wins);
    }
  }
  return out;
}

using Names = std::vector<std::string>;

// One list of topics that the policy names: what it leaves of the manifest's.
void add_topics(v1::ExplainReply& out, std::string_view list, const std::optional<Names>& policy, const Names& manifest, const Names& left) {
  if (!policy) return;
  auto& row = *out.add_topics();
  row.set_list(std::string(list));
  for (const auto& name : left) row.add_allowed(name);
  for (const auto& name : manifest)
    if (!bus::is_within_any(name, left)) row.add_taken_away(name);
}

void add_topics(v1::ExplainReply& out, const package::Manifest& manifest, const plugin_host::TopicLimits& policy) {
  const auto left = plugin_host::narrowed(manifest, policy).topics;
  const auto topics_of = [](const auto& published) {
    Names names;
    for (const auto& one : published) names.push_back(one.topic);
    return names;
  };
  add_topics(out, "publishes", policy.publishes, topics_of(manifest.topics.publishes), topics_of(left.publishes));
  add_topics(out, "subscribes", policy.subscribes, manifest.topics.subscribes, left.subscribes);
  add_topics(out, "answers", policy.answers, manifest.topics.answers, left.answers);
  add_topics(out, "asks", policy.asks, manifest.topics.asks, left.asks);
}

}  // namespace

plugin_host::TopicLimits limits_of(policy::Topics topics) {
  return {std::move(topics.publishes), std::move(topics.subscribes), std::move(topics.answers), std::move(topics.asks)};
}

PolicyService::PolicyService(Parts parts) : parts_(std::move(parts)) {
  answer_later<v1::ApplyRequest>("picket.policy.apply", [this](bus::RequestId id, v1::ApplyRequest request) {
    parts_.worker.post([this, id, envelope = std::move(*request.mutable_envelope())] {
      const auto applied = parts_.policy.apply(envelope, *this);
      if (applied.applied) parts_.log.info("revision ", applied.policy_revision, " is in force", applied.text.empty() ? "" : "; ", applied.text);
      else parts_.log.warning(applied.text);
      reply<v1::ApplyReply>(id, to_proto(applied));
    });
  });
  answer<v1::ShowRequest, v1::ShowReply>("picket.policy.show", [this](const auto&) -> Result<v1::ShowReply> { return to_proto(parts_.policy.shown()); });
  answer<v1::ExplainRequest, v1::ExplainReply>("picket.policy.explain", [this](const auto& request) -> Result<v1::ExplainReply> {
    PICKET_LET(schema, schema_of(request.plugin()));
    PICKET_LET(explained, parts_.policy.explain(request.plugin(), schema, request.setting()));
    auto out = to_proto(request.plugin(), explained);
    if (request.setting().empty())
      if (const auto info = parts_.plugins()->info(request.plugin()))
        if (const auto manifest = package::Manifest::parse(info->manifest_json)) add_topics(out, *manifest, limits_of(parts_.policy.topics(request.plugin())));
    return out;
  });
}

Result<> PolicyService::start() {
  bus::PeerOptions options;
  options.name = "picket.policy";
  return attach(parts_.router, std::move(options));
}

void PolicyService::reload_local() {
  parts_.worker.post([this] {
    const auto reloaded = parts_.policy.reload_local(*this);
    // Nobody waits for an answer to a signal: the log is where its sender looks.
    if (reloaded.applied) parts_.log.info("local settings reloaded: they change for ", reloaded.outcomes.size(), reloaded.outcomes.size() == 1 ? " part" : " parts");
    else parts_.log.error(reloaded.text);
  });
}

std::vector<policy::Schema> PolicyService::schemas() {
  std::vector<policy::Schema> out{{std::string(kUpdateId), std::string(update::Engine::settings_schema())},
                                  {std::string(kTasksId), std::string(tasks::Tasks::settings_schema())}};
  for (auto& schema : parts_.plugins()->schemas()) out.push_back({std::move(schema.id), std::move(schema.schema_json)});
  return out;
}

Result<std::string> PolicyService::schema_of(const std::string& id) {
  for (auto& schema : schemas())
    if (schema.id == id) return std::move(schema.schema_json);
  return fail(Code::not_found, cat("no plugin with the id '", id, "' is installed; see picketctl plugin list"));
}

// Nothing else would tell: such a plugin runs, and what it demands is installed.
Result<> PolicyService::check(const std::string& id, const policy::Topics& topics) {
  if (!topics.answers || bus::is_within_any(kActivate, *topics.answers)) return {};
  const auto info = parts_.plugins()->info(id);
  if (!info) return {};
  const auto manifest = package::Manifest::parse(info->manifest_json);
  if (!manifest || manifest->demands.empty() || std::ranges::find(manifest->topics.answers, kActivate) == manifest->topics.answers.end()) return {};
  return fail(Code::invalid, cat("topics.answers leaves out ", kActivate, ", by which it is handed the component ", manifest->demands.front().component, " that it needs"));
}

policy::Outcome PolicyService::apply(const std::string& id, const policy::Effective& settings) {
  for (const auto& warning : settings.warnings) parts_.log.warning(warning);
  if (id == kUpdateId || id == kTasksId) {
    const auto done = id == kUpdateId ? parts_.updates()->apply_settings(settings.json) : parts_.tasks()->apply_settings(settings.json, settings.is_back);
    if (done && id == kUpdateId) parts_.tasks()->update_interval_changed(settings.is_back);
    return {id, settings.revision, done ? settings.revision : 0, done.has_value(), done ? "healthy" : "failed", done ? "" : done.error().message};
  }
  auto outcome = parts_.plugins()->apply(id, {settings.json, settings.revision, limits_of(settings.topics)}, kApplyLimit);
  const bool ok = outcome.observed_revision == outcome.expected_revision && outcome.health != plugin_host::Health::failed;
  return {id, outcome.expected_revision, outcome.observed_revision, ok, std::string(to_string(outcome.health)), std::move(outcome.text)};
}

}  // namespace picket::app
