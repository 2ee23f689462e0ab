#include "check/edges.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include <boost/json.hpp>

namespace picket::check {

namespace {

namespace json = boost::json;
constexpr unsigned max_depth = 16;
constexpr std::size_t max_values = 4096;
constexpr std::int64_t max_length = 65536;  // of the strings and lists that are made

std::optional<std::int64_t> bound(const json::object& rule, std::string_view name) {
  const auto* value = rule.if_contains(name);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return value->get_int64();
}

std::string_view type_of(const json::object& rule) {
  const auto* type = rule.if_contains("type");
  return type != nullptr && type->is_string() ? std::string_view(type->get_string()) : std::string_view();
}

// The simplest that the rule may accept.
json::value plain(const json::value& schema, unsigned depth) {
  const auto* rule = schema.if_object();
  if (rule == nullptr || depth == max_depth) return nullptr;
  if (const auto* value = rule->if_contains("default")) return *value;
  if (const auto* values = rule->if_contains("enum"); values != nullptr && values->is_array() && !values->get_array().empty()) return values->get_array().front();
  const auto type = type_of(*rule);
  if (type == "boolean") return true;
  if (type == "integer" || type == "number") return bound(*rule, "minimum").value_or(0);
  if (type == "string") return json::string(static_cast<std::size_t>(std::min(bound(*rule, "minLength").value_or(1), max_length)), 'x');
  if (type == "array") return json::array();
  if (type != "object") return nullptr;
  json::object out;
  const auto* required = rule->if_contains("required");
  const auto* properties = rule->if_contains("properties");
  if (required == nullptr || properties == nullptr || !required->is_array() || !properties->is_object()) return out;
  for (const auto& name : required->get_array())
    if (const auto* inner = name.is_string() ? properties->get_object().if_contains(name.get_string()) : nullptr) out[name.get_string()] = plain(*inner, depth + 1);
  return out;
}

template <class Use>
void lengths(const json::object& rule, const char* least, const char* most, Use&& use) {
  for (const char* name : {least, most})
    if (const auto edge = bound(rule, name); edge && *edge < max_length)
      for (const auto length : {*edge - 1, *edge, *edge + 1})
        if (length >= 0) use(static_cast<std::size_t>(length));
}

void vary(const json::value& schema, const json::value& from, unsigned depth, std::vector<json::value>& out) {
  // One of each type: a wrong type is beside every rule.
  for (json::value value : {json::value(nullptr), json::value(false), json::value(true), json::value(-1), json::value(0), json::value(1.5), json::value("")})
    out.push_back(std::move(value));
  out.emplace_back(json::array());
  out.emplace_back(json::object());
  const auto* rule = schema.if_object();
  if (rule == nullptr || depth == max_depth) return;

  if (const auto* values = rule->if_contains("enum"); values != nullptr && values->is_array()) out.insert(out.end(), values->get_array().begin(), values->get_array().end());
  for (const char* name : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
    if (const auto edge = bound(*rule, name))
      for (const std::int64_t step : {-1, 0, 1}) out.emplace_back(static_cast<std::int64_t>(static_cast<std::uint64_t>(*edge) + static_cast<std::uint64_t>(step)));
  lengths(*rule, "minLength", "maxLength", [&](std::size_t length) { out.emplace_back(json::string(length, 'x')); });

  if (const auto* items = rule->if_contains("items")) {
    const auto item = plain(*items, depth);
    lengths(*rule, "minItems", "maxItems", [&](std::size_t length) { out.emplace_back(json::array(length, item)); });
    std::vector<json::value> inner;
    vary(*items, item, depth + 1, inner);
    for (auto& value : inner) out.emplace_back(json::array(1, value));
  }
  const auto* properties = rule->if_contains("properties");
  if (properties == nullptr || !properties->is_object()) return;
  const json::object base = from.is_object() ? from.get_object() : json::object();
  const auto with = [&](std::string_view name, json::value value) {
    json::object changed = base;
    changed[name] = std::move(value);
    out.emplace_back(std::move(changed));
  };
  with("in-no-schema", true);
  for (const auto& [name, inner_rule] : properties->get_object()) {
    const auto* now = base.if_contains(name);
    std::vector<json::value> inner;
    vary(inner_rule, now != nullptr ? *now : plain(inner_rule, depth), depth + 1, inner);
    for (auto& value : inner)
      if (out.size() < max_values) with(name, std::move(value));
  }
}

}  // namespace

std::vector<json::value> around(const json::value& schema, const json::value& from) {
  std::vector<json::value> out;
  vary(schema, from, 0, out);
  return out;
}

}  // namespace picket::check
