// The defaults of a settings schema, as the host fills them in, held against the schema itself.
#include <boost/json.hpp>

#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "check/subject.hpp"
#include "trust/json.hpp"

namespace picket::check {

namespace {

namespace json = boost::json;
constexpr unsigned max_depth = 32;

void fill(const json::value& schema, json::object& into, unsigned depth) {
  const auto* rules = schema.if_object();
  const auto* properties = rules != nullptr ? rules->if_contains("properties") : nullptr;
  if (properties == nullptr || !properties->is_object() || depth == max_depth) return;
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

Result<> validate(const json::value& schema, const json::value& settings) {
  try {
    valijson::Schema compiled;
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(valijson::adapters::BoostJsonAdapter(schema), compiled);
    valijson::ValidationResults why;
    if (valijson::Validator().validate(compiled, valijson::adapters::BoostJsonAdapter(settings), &why)) return {};
    valijson::ValidationResults::Error first;
    if (!why.popError(first)) return fail(Code::invalid, "the settings break their schema");
    std::string where;
    for (const auto& part : first.context) where += part;
    return fail(Code::invalid, cat("settings ", where, ": ", first.description));
  } catch (const std::exception& e) {
    return fail(Code::invalid, cat("settings_schema: ", e.what()));
  }
}

}  // namespace

Result<std::string> default_settings(const std::string& schema_json) {
  PICKET_LET(schema, trust::parse_strict(schema_json, {}, trust::Numbers::any));
  json::object settings;
  fill(schema, settings, 0);
  PICKET_TRY(validate(schema, settings));
  return json::serialize(settings);
}

Result<> check_settings(const std::string& schema_json, const std::string& settings_json) {
  PICKET_LET(schema, trust::parse_strict(schema_json, {}, trust::Numbers::any));
  PICKET_LET(settings, trust::parse_strict(settings_json, {}, trust::Numbers::any));
  return validate(schema, settings);
}

}  // namespace picket::check
