#include "policy/compose.hpp"

#include <algorithm>
#include <array>

#include <boost/json/serialize.hpp>

#include "policy/one_line.hpp"

namespace picket::policy {
namespace {

// Lowest first.
struct Layers {
  json::value defaults, policy, local, locked;

  [[nodiscard]] std::array<std::pair<std::string_view, const json::value*>, 4> all() const {
    return {{{"default", &defaults}, {"policy", &policy}, {"local", &local}, {"locked policy", &locked}}};
  }
};

Result<Layers> layers_of(const CompiledSchema& schema, const PluginPolicy* plugin, const json::object* local) {
  static const PluginPolicy nothing;
  const auto& says = plugin == nullptr ? nothing : *plugin;
  auto parts = split(says.settings, says.locks);
  Layers out;
  out.policy = std::move(parts.unlocked);
  out.local = local == nullptr ? json::object() : without_locked(*local, says.locks);
  out.locked = std::move(parts.locked);
  json::value given = out.policy;
  merge(given, out.local);
  merge(given, out.locked);
  out.defaults = skeleton(given.get_object());
  if (!schema.fill_defaults(out.defaults)) return fail(Code::too_large, "the schema's defaults are too large");
  return out;
}

Result<json::value> merged(const CompiledSchema& schema, const Layers& layers) {
  json::value out = layers.policy;
  merge(out, layers.local);
  merge(out, layers.locked);
  if (!schema.fill_defaults(out)) return fail(Code::too_large, "the schema's defaults are too large");
  return out;
}

// The layer whose value is wrong: the last that says anything there, or above it. Empty: it is nobody's, as where something is missing.
std::string_view layer_of(const Layers& layers, const Violation& violation) {
  auto path = violation.path;  // without array elements: layers replace arrays as a whole
  for (std::size_t i = 0; i < path.size(); ++i)
    if (!path[i].empty() && path[i].front() == '[') path.resize(i);
  for (std::size_t length = path.size(); length > 0; --length) {
    const Path part(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(length));
    const auto all = layers.all();
    for (auto layer = all.rbegin(); layer != all.rend(); ++layer) {
      const auto* value = find(*layer->second, part);
      if (value != nullptr && !(length < path.size() && value->is_object())) return layer->first;
    }
  }
  return {};
}

std::string blame(std::string_view id, const Layers& layers, const LocalFile& local, const Violation& violation) {
  const auto layer = layer_of(layers, violation);
  return cat(id, ": ", violation.path.empty() ? std::string("the settings") : cat("setting ", format_name(violation.path)), ": ", violation.what,
             layer.empty() ? std::string() : layer == "local" ? cat(" (from the local file ", local.name, ")")
                                           : layer == "default" ? std::string(" (from the schema's defaults)") : cat(" (from the ", layer, ")"));
}

Result<Composed> compose_layers(std::string_view id, const CompiledSchema& schema, const PluginPolicy* plugin, const LocalFile& local, const Check& check) {
  Composed out;
  out.local_problem = local.problem;
  const auto attempt = [&](const json::object* values) -> Result<> {
    auto layers = layers_of(schema, plugin, values);
    if (!layers) return fail(std::move(layers).error(), id);
    auto settings = merged(schema, *layers);
    if (!settings) return fail(std::move(settings).error(), id);
    if (auto violation = schema.check(*settings)) return fail(Code::invalid, blame(id, *layers, local, *violation));
    if (check)
      if (auto good = check(json::serialize(*settings)); !good) return fail(Code::invalid, cat(id, ": ", runtime::redact(good.error().message)));
    out.settings = std::move(*settings);
    return {};
  };
  auto with_local = attempt(&local.settings);
  if (with_local || local.settings.empty()) return with_local ? Result<Composed>(std::move(out)) : fail(std::move(with_local).error());
  auto without_local = attempt(nullptr);
  if (!without_local) return fail(std::move(without_local).error());
  out.local_problem = with_local.error().message;
  return out;
}

Result<> judge_alone(std::string_view id, const CompiledSchema& schema, const PluginPolicy& plugin) {
  for (const auto& path : plugin.locks.paths)
    if (!schema.knows(path)) return fail(Code::invalid, cat(id, ": locked: setting ", format_name(path), " is unknown"));
  PICKET_LET(layers, layers_of(schema, &plugin, nullptr));
  PICKET_LET(settings, merged(schema, layers));
  const auto violation = schema.check(settings);
  const auto whose = violation ? layer_of(layers, *violation) : std::string_view();
  if (whose == "policy" || whose == "locked policy") return fail(Code::invalid, blame(id, layers, {}, *violation));
  return {};
}

Result<std::vector<Explained>> explain_layers(std::string_view id, const CompiledSchema& schema, const PluginPolicy* plugin, const LocalFile& local,
                                              std::string_view setting, const Check& check) {
  PICKET_LET(wanted, parse_name(setting));
  PICKET_LET(composed, compose(id, schema, plugin, local, check));
  const bool ignored = !composed.local_problem.empty();
  PICKET_LET(layers, layers_of(schema, plugin, ignored ? nullptr : &local.settings));
  const json::value local_says = local.settings;  // also what a lock or a mistake keeps from counting

  std::vector<Explained> out;
  for_each_leaf(composed.settings, [&](const Path& path, const json::value& value) {
    if (path.size() < wanted.size() || !std::equal(wanted.begin(), wanted.end(), path.begin())) return;
    Explained one{format_name(path), json::serialize(value), {}};
    bool won = false;
    const auto all = layers.all();
    for (auto layer = all.rbegin(); layer != all.rend(); ++layer) {
      const auto* counts = find(*layer->second, path);
      const bool is_local = layer->first == "local";
      const auto* says = is_local ? find(local_says, path) : counts;
      Layer shown{std::string(layer->first), says == nullptr ? std::string() : json::serialize(*says), false};
      if (is_local && ignored && says != nullptr) shown.name = "local, ignored";
      shown.wins = !won && counts != nullptr;
      won = won || shown.wins;
      one.layers.push_back(std::move(shown));
    }
    std::ranges::reverse(one.layers);
    out.push_back(std::move(one));
  });
  if (out.empty() && !wanted.empty()) return fail(Code::not_found, cat(id, ": no layer gives a setting '", setting.substr(0, 128), "'"));
  return out;
}

}  // namespace

Result<Composed> compose(std::string_view id, const CompiledSchema& schema, const PluginPolicy* plugin, const LocalFile& local, const Check& check) {
  auto composed = one_line(compose_layers(id, schema, plugin, local, check));
  if (composed) composed->local_problem = runtime::printable(composed->local_problem);
  return composed;
}

Result<> check_alone(std::string_view id, const CompiledSchema& schema, const PluginPolicy& plugin) { return one_line(judge_alone(id, schema, plugin)); }

Fitting what_fits(std::string_view id, const CompiledSchema& schema, const PluginPolicy& plugin, const LocalFile& local, const Check& check) {
  if (compose(id, schema, &plugin, local, check)) return {plugin, {}};
  Fitting out{{{}, plugin.locks, plugin.topics}, {}};
  // Again and again: a setting may fit only beside another that comes later.
  for (bool took_one = true; took_one;) {
    took_one = false;
    out.problems.clear();
    for (const auto& setting : plugin.settings) {
      if (out.policy.settings.contains(setting.key())) continue;
      auto with = out.policy;
      with.settings.emplace(setting.key(), setting.value());
      const auto composed = compose(id, schema, &with, local, check);
      if (composed) out.policy = std::move(with);
      else out.problems.push_back(cat("the policy's setting ", runtime::printable(setting.key()), " is ignored: ", composed.error().message));
      took_one = took_one || composed;
    }
  }
  return out;
}

Result<std::vector<Explained>> explain_settings(std::string_view id, const CompiledSchema& schema, const PluginPolicy* plugin, const LocalFile& local,
                                                std::string_view setting, const Check& check) {
  return one_line(explain_layers(id, schema, plugin, local, setting, check));
}

}  // namespace picket::policy
