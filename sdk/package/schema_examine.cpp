#include "package/schema_examine.hpp"

#include <array>
#include <map>
#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "package/pattern.hpp"

namespace picket::package {
namespace {

constexpr std::string_view definitions_prefix = "#/definitions/";
// With every reference written out. Checking costs at most this times the nodes of the settings.
constexpr std::size_t max_expanded = 4096;
constexpr std::size_t max_enum = 1024;

constexpr std::array annotations{"format", "$id", "id", "$schema", "$comment", "default", "examples", "title", "description", "contentMediaType", "contentEncoding"};
constexpr std::array one_schema{"additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"};
constexpr std::array many_schemas{"allOf", "anyOf", "oneOf"};

class Examiner {
 public:
  explicit Examiner(json::value& root) : root_(root) {}

  Result<> run() {
    if (!root_.is_object()) return fail(Code::invalid, "the schema is not an object");
    if (auto* definitions = root_.get_object().if_contains("definitions")) {
      if (!definitions->is_object()) return fail(Code::invalid, "\"definitions\" is not an object");
      for (auto& definition : definitions->get_object()) PICKET_TRY(definition_cost(definition.key()));
    }
    return walk(root_, true).map([](std::size_t) {});
  }

 private:
  // Expanded size of a definition, examined once. A cycle would make checking endless.
  Result<std::size_t> definition_cost(std::string_view name) {
    const auto known = costs_.find(name);
    if (known != costs_.end()) {
      if (known->second == open) return fail(Code::unsupported, cat("recursive reference to definition '", name.substr(0, 64), "'"));
      return known->second;
    }
    auto* definitions = root_.get_object().if_contains("definitions");
    auto* definition = definitions != nullptr && definitions->is_object() ? definitions->get_object().if_contains(name) : nullptr;
    if (definition == nullptr) return fail(Code::invalid, cat("\"$ref\" to a definition that is not there: '", name.substr(0, 64), "'"));
    costs_.emplace(name, open);
    PICKET_LET(cost, walk(*definition, false));
    costs_[std::string(name)] = cost;
    return cost;
  }

  Result<std::size_t> walk(json::value& schema, bool is_root) {
    std::size_t cost = 1;
    if (schema.is_bool()) return cost;
    if (!schema.is_object()) return fail(Code::invalid, "a schema that is neither an object nor true or false");
    auto& object = schema.get_object();
    for (const auto* name : annotations) object.erase(name);
    if (object.contains("patternProperties")) return fail(Code::unsupported, "\"patternProperties\" is not supported");
    if (object.contains(pattern_keyword)) return fail(Code::invalid, cat("\"", pattern_keyword, "\" is a reserved word"));
    if (!is_root) object.erase("definitions");  // only those at the top can be referred to
    PICKET_TRY(values(object));

    if (auto* reference = object.if_contains("$ref")) PICKET_TRY(add(cost, follow(*reference)));
    for (const auto* name : one_schema)
      if (auto* child = object.if_contains(name)) PICKET_TRY(add(cost, walk(*child, false)));
    for (const auto* name : many_schemas) {
      auto* children = object.if_contains(name);
      if (children == nullptr) continue;
      if (!children->is_array()) return fail(Code::invalid, cat("\"", name, "\" is not an array"));
      for (auto& child : children->get_array()) PICKET_TRY(add(cost, walk(child, false)));
    }
    if (auto* items = object.if_contains("items")) {
      if (!items->is_array()) {
        PICKET_TRY(add(cost, walk(*items, false)));
      } else {
        for (auto& child : items->get_array()) PICKET_TRY(add(cost, walk(child, false)));
      }
    }
    for (const auto* name : {"properties", "dependencies"}) {
      auto* members = object.if_contains(name);
      if (members == nullptr) continue;
      if (!members->is_object()) return fail(Code::invalid, cat("\"", name, "\" is not an object"));
      for (auto& member : members->get_object()) {
        if (member.value().is_array()) ++cost;  // dependencies: names
        else PICKET_TRY(add(cost, walk(member.value(), false)));
      }
    }
    return cost;
  }

  static Result<> add(std::size_t& cost, Result<std::size_t> more) {
    if (!more) return fail(std::move(more).error());
    cost += *more;
    if (cost > max_expanded) return fail(Code::too_large, "more than 4096 schemas once references are written out");
    return {};
  }

  Result<std::size_t> follow(const json::value& reference) {
    const auto* text = reference.if_string();
    if (text == nullptr) return fail(Code::invalid, "\"$ref\" is not a string");
    const std::string_view target(*text);
    const auto name = target.starts_with(definitions_prefix) ? target.substr(definitions_prefix.size()) : std::string_view();
    if (name.empty() || name.find_first_of("/~%") != name.npos)
      return fail(Code::unsupported, cat("\"$ref\" may only point to \"#/definitions/NAME\", not to '", target.substr(0, 128), "'"));
    return definition_cost(name);
  }

  // Keywords whose values could harm or would be misread.
  static Result<> values(json::object& object) {
    if (const auto* multiple = object.if_contains("multipleOf")) {
      if (!multiple->is_number() || multiple->to_number<double>() <= 0) return fail(Code::invalid, "\"multipleOf\" is not a number over 0");
    }
    if (const auto* choices = object.if_contains("enum")) {
      if (!choices->is_array() || choices->get_array().empty()) return fail(Code::invalid, "\"enum\" is not an array of values");
      if (choices->get_array().size() > max_enum) return fail(Code::too_large, "\"enum\" has more than 1024 values");
    }
    for (const auto* name : {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}) {
      const auto* count = object.if_contains(name);
      if (count != nullptr && (!count->is_int64() || count->get_int64() < 0)) return fail(Code::invalid, cat("\"", name, "\" is not a count"));
    }
    for (const auto* name : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}) {
      const auto* bound = object.if_contains(name);
      if (bound != nullptr && !bound->is_number()) return fail(Code::invalid, cat("\"", name, "\" is not a number"));
    }
    if (auto* pattern = object.if_contains("pattern")) {
      if (!pattern->is_string()) return fail(Code::invalid, "\"pattern\" is not a string");
      if (auto compiled = Pattern::compile(pattern->get_string()); !compiled)
        return fail(std::move(compiled).error(), cat("pattern '", std::string_view(pattern->get_string()).substr(0, 64), "'"));
      json::value text = std::move(*pattern);
      object.erase("pattern");
      object[pattern_keyword] = std::move(text);
    }
    return {};
  }

  static constexpr std::size_t open = ~std::size_t{0};
  json::value& root_;
  std::map<std::string, std::size_t, std::less<>> costs_;
};

}  // namespace

Result<> make_safe(json::value& schema) { return Examiner(schema).run(); }

const json::object* resolve(const json::object& schema, const json::value& root) {
  const json::object* at = &schema;
  for (const json::value* reference; (reference = at->if_contains("$ref")) != nullptr;) {  // ends: references are not recursive
    const auto* text = reference->if_string();
    const auto* definitions = root.get_object().if_contains("definitions");
    if (text == nullptr || definitions == nullptr || !definitions->is_object() || !std::string_view(*text).starts_with(definitions_prefix)) return nullptr;
    const auto* target = definitions->get_object().if_contains(std::string_view(*text).substr(definitions_prefix.size()));
    if (target == nullptr || !target->is_object()) return nullptr;
    at = &target->get_object();
  }
  return at;
}

}  // namespace picket::package
