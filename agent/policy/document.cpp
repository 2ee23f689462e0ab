#include "policy/document.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "policy/one_line.hpp"
#include "policy/schema.hpp"
#include "policy_schema.hpp"
#include "trust/json.hpp"
#include "trust/metadata.hpp"

namespace picket::policy {
namespace {

constexpr std::size_t max_document = 4u << 20, max_nodes = 262144;
constexpr std::int64_t clock_skew = 600;

std::vector<std::string> strings(const json::object& object, std::string_view name) {
  std::vector<std::string> out;
  if (const auto* list = object.if_contains(name))
    for (const auto& element : list->get_array()) out.emplace_back(element.get_string());
  return out;
}

Result<Topics> topics_of(std::string_view plugin, const json::value* topics) {
  Topics out;
  if (topics == nullptr) return out;
  if (plugin == kUpdatePart || plugin == kTasksPart) return fail(Code::invalid, cat("policy: plugins.", plugin, ".topics: it is a part of the host, without a manifest"));
  const auto& object = topics->get_object();
  for (const auto& [name, list] : {std::pair("publishes", &out.publishes), std::pair("subscribes", &out.subscribes), std::pair("answers", &out.answers), std::pair("asks", &out.asks)})
    if (object.contains(name)) *list = strings(object, name);
  return out;
}

Result<Locks> locks_of(std::string_view plugin, const json::value* locked) {
  Locks locks;
  if (locked == nullptr) return locks;
  if (locked->is_bool()) {
    locks.everything = locked->get_bool();
    return locks;
  }
  for (const auto& name : locked->get_array()) {
    auto path = parse_name(name.get_string());
    if (!path) return fail(std::move(path).error(), cat("locked of ", plugin));
    locks.paths.push_back(std::move(*path));
  }
  return locks;
}

std::string release_of(std::string_view component, std::int64_t release) {
  return cat(release == 0 ? std::string("every release") : cat("release ", std::to_string(release)), " of '", component, "'");
}

// What an administrator decided about releases: the update engine's lists, which local values then cannot change.
Result<> add_approvals(const json::object& root, Document& out) {
  const auto* list = root.if_contains("approvals");
  if (list == nullptr || list->get_array().empty()) return {};
  auto& update = out.plugins[std::string(kUpdatePart)];
  for (const auto* name : {"approved", "declined"}) {
    auto& releases = update.settings[name];
    if (!releases.is_array()) releases = json::array();
    update.locks.paths.push_back({name});
  }
  constexpr std::int64_t every = 0;
  std::set<std::pair<std::string_view, std::int64_t>> approved, declined;
  for (const auto& item : list->get_array()) {
    const auto& approval = item.get_object();
    const auto& state = approval.at("state").get_string();
    const auto* number = approval.if_contains("release");
    json::object release{{"component", approval.at("component")}};
    if (number != nullptr) release["release"] = *number;
    update.settings[state].get_array().push_back(std::move(release));
    (state == "approved" ? approved : declined).emplace(approval.at("component").get_string(), number == nullptr ? every : number->get_int64());
  }
  // Every release but some is a decision; one that can never count is a mistake.
  for (const auto& [component, release] : approved)
    for (const auto not_taken : {release, every})
      if (declined.contains({component, not_taken}))
        return fail(Code::invalid, cat("policy: approvals: ", release_of(component, release), " is approved, and ", release_of(component, not_taken), " is declined"));
  return {};
}

Result<> add_tasks(const json::object& root, Document& out) {
  const auto* list = root.if_contains("tasks");
  if (list == nullptr || list->get_array().empty()) return {};
  auto& part = out.plugins[std::string(kTasksPart)];
  auto& tasks = part.settings["tasks"];
  if (!tasks.is_object()) tasks = json::object();
  for (const auto& item : list->get_array()) {
    auto task = item.get_object();
    const std::string id(task.at("id").get_string());
    task.erase("id");
    if (!tasks.get_object().emplace(id, std::move(task)).second) return fail(Code::invalid, cat("policy: tasks: two tasks have the id '", id, "'"));
    part.locks.paths.push_back({"tasks", id});
  }
  return {};
}

}  // namespace

std::string Audience::why_not_for(const Identity& identity) const { return runtime::printable(why_not(identity)); }

std::string Audience::why_not(const Identity& identity) const {
  if (!tenant.empty() && tenant != identity.tenant)
    return cat("it is for tenant '", tenant, "', this device is of ", identity.tenant.empty() ? "none" : cat("'", identity.tenant, "'"));
  if (groups.empty() && devices.empty()) return {};
  if (std::ranges::find(devices, identity.device) != devices.end()) return {};
  if (std::ranges::any_of(groups, [&](const auto& group) { return std::ranges::find(identity.groups, group) != identity.groups.end(); })) return {};
  if (groups.empty()) return cat("it is for other devices than '", identity.device, "'");
  return cat("it is for ", devices.empty() ? "" : "other devices and ", "groups that this device is not in: ", groups.front(), groups.size() > 1 ? ", ..." : "");
}

Result<Document> Document::parse(std::string_view payload) { return one_line(read(payload)); }

Result<Document> Document::read(std::string_view payload) {
  if (payload.size() > max_document) return fail(Code::too_large, "policy: more than 4 MiB");
  auto parsed = trust::parse_strict(payload, {}, trust::Numbers::any);
  if (!parsed) return fail(std::move(parsed).error(), "policy");
  if (!parsed->is_object()) return fail(Code::invalid, "policy: not a JSON object");
  const auto& root = parsed->get_object();
  if (const auto* version = root.if_contains("policy"); version != nullptr && version->is_int64() && version->get_int64() != 1)
    return fail(Code::unsupported, cat("policy: format version ", std::to_string(version->get_int64()), " is not known, only 1"));

  PICKET_LET(schema, CompiledSchema::compile(policy_schema_json));
  if (auto violation = schema.check(*parsed, max_nodes))
    return fail(Code::invalid, cat("policy: ", violation->path.empty() ? "the document" : format_name(violation->path), ": ", violation->what));

  Document out;
  out.text = payload;
  out.revision = static_cast<std::uint64_t>(root.at("revision").get_int64());
  const auto time = [&](std::string_view name) {
    auto at = trust::parse_time(root.at(name).get_string());
    return at ? at : Result<trust::UnixTime>(fail(std::move(at).error(), cat("policy: ", name)));
  };
  PICKET_LET(issued, time("issued"));
  PICKET_LET(expires, time("expires"));
  out.issued = issued;
  out.expires = expires;
  if (const auto* audience = root.if_contains("audience")) {
    const auto& object = audience->get_object();
    if (const auto* tenant = object.if_contains("tenant")) out.audience.tenant = tenant->get_string();
    out.audience.groups = strings(object, "groups");
    out.audience.devices = strings(object, "devices");
  }
  if (const auto* host = root.if_contains("host")) {
    out.host.in_process = strings(host->get_object(), "in_process");
    out.host.stand_in = strings(host->get_object(), "stand_in");
    out.host.disabled = strings(host->get_object(), "disabled");
  }
  if (const auto* plugins = root.if_contains("plugins")) {
    for (const auto& member : plugins->get_object()) {
      const auto& object = member.value().get_object();
      PluginPolicy plugin;
      if (const auto* settings = object.if_contains("settings")) plugin.settings = settings->get_object();
      PICKET_LET(locks, locks_of(member.key(), object.if_contains("locked")));
      plugin.locks = std::move(locks);
      PICKET_LET(topics, topics_of(member.key(), object.if_contains("topics")));
      plugin.topics = std::move(topics);
      out.plugins.emplace(member.key(), std::move(plugin));
    }
  }
  PICKET_TRY(add_approvals(root, out));
  PICKET_TRY(add_tasks(root, out));
  return out;
}

Result<> check_times(const Document& document, std::int64_t now) {
  if (document.expires <= document.issued) return fail(Code::invalid, "it expires before it was issued");
  if (document.issued > now + clock_skew)
    return fail(Code::invalid, cat("it is not issued before ", trust::format_time(document.issued), "; is this computer's clock right (", trust::format_time(now), ")?"));
  if (document.expires <= now) return fail(Code::expired, cat("it expired at ", trust::format_time(document.expires)));
  return {};
}

}  // namespace picket::policy
