// Settings as the host makes them of a schema: its defaults, and what lies at its edges, held against the schema itself.
#include <boost/json.hpp>

#include "check/edges.hpp"
#include "check/subject.hpp"
#include "package/settings_schema.hpp"
#include "trust/json.hpp"

namespace picket::check {

namespace {

namespace json = boost::json;
constexpr unsigned max_filled_depth = 32;

void fill(const json::value& schema, json::object& into, unsigned depth) {
  const auto* rules = schema.if_object();
  const auto* properties = rules != nullptr ? rules->if_contains("properties") : nullptr;
  if (properties == nullptr || !properties->is_object() || depth == max_filled_depth) return;
  for (const auto& [name, rule] : properties->get_object()) {
    if (!rule.is_object()) continue;
    if (const auto* value = rule.get_object().if_contains("default"); value != nullptr && !into.contains(name)) into[name] = *value;
    // An object's members have defaults of their own, also where nobody mentioned the object.
    if (!into.contains(name)) {
      json::object inner;
      fill(rule, inner, depth + 1);
      if (!inner.empty()) into[name] = std::move(inner);
    } else if (into[name].is_object()) {
      fill(rule, into[name].get_object(), depth + 1);
    }
  }
}

Result<> validate(const package::SettingsSchema& schema, const json::value& settings) {
  const auto broken = schema.check(settings);
  if (!broken) return {};
  std::string where;
  for (const auto& part : broken->where) where += part;
  return fail(Code::invalid, cat("settings ", where, ": ", broken->rule));
}

}  // namespace

Result<std::string> default_settings(const std::string& schema_json) {
  PICKET_LET(schema, package::SettingsSchema::compile(schema_json));
  json::object settings;
  fill(schema.original, settings, 0);
  PICKET_TRY(validate(schema, settings));
  return json::serialize(settings);
}

Result<> check_settings(const std::string& schema_json, const std::string& settings_json) {
  PICKET_LET(schema, package::SettingsSchema::compile(schema_json));
  PICKET_LET(settings, trust::parse_strict(settings_json, {}, trust::Numbers::any));
  return validate(schema, settings);
}

Result<Edges> settings_at_edges(const std::string& schema_json, const std::string& settings_json) {
  PICKET_LET(schema, package::SettingsSchema::compile(schema_json));
  PICKET_LET(settings, trust::parse_strict(settings_json, {}, trust::Numbers::any));
  Edges out;
  for (auto& value : around(schema.original, settings)) {
    if (value.is_object()) fill(schema.original, value.get_object(), 0);
    if (value.is_object() && validate(schema, value)) out.accepted.push_back(json::serialize(value));
    else ++out.refused;
  }
  return out;
}

}  // namespace picket::check
