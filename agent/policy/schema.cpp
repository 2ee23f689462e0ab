#include "policy/schema.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <boost/json/serialize.hpp>

#include "base/bytes.hpp"
#include "package/schema_examine.hpp"
#include "policy/defaults.hpp"
#include "policy/one_line.hpp"
#include "policy/secrets.hpp"

namespace picket::policy {
namespace {

using package::pattern_keyword, package::resolve;

constexpr std::size_t max_shown = 120;

// valijson's wording -> the keyword, whose value in the schema tells more than the wording does.
struct Wording {
  std::string_view part;
  std::array<const char*, 2> keywords;
};
constexpr std::array wordings{
    Wording{"'type' constraint", {"type", nullptr}},
    Wording{"any enum values", {"enum", nullptr}},
    Wording{"'const' constraint", {"const", nullptr}},
    Wording{"'pattern' constraint", {pattern_keyword, nullptr}},
    Wording{"Expected number less than", {"maximum", "exclusiveMaximum"}},
    Wording{"Expected number greater than", {"minimum", "exclusiveMinimum"}},
    Wording{"should be a multiple", {"multipleOf", nullptr}},
    Wording{"String should be no more", {"maxLength", nullptr}},
    Wording{"String should be no fewer", {"minLength", nullptr}},
    Wording{"Array should contain no more", {"maxItems", nullptr}},
    Wording{"Array should contain no fewer", {"minItems", nullptr}},
    Wording{"Object should have no more", {"maxProperties", nullptr}},
    Wording{"Object should have no fewer", {"minProperties", nullptr}},
    Wording{"Elements at indexes", {"uniqueItems", nullptr}},
};

std::string shown(const json::value& value) {
  return shortened(json::serialize(value), max_shown);
}

std::size_t count_nodes(const json::value& value) {
  std::size_t count = 1;
  if (const auto* object = value.if_object())
    for (const auto& member : *object) count += count_nodes(member.value());
  if (const auto* array = value.if_array())
    for (const auto& element : *array) count += count_nodes(element);
  return count;
}

// "<root>", "[limits]", "[0]": our path, walking the value to tell members from elements.
Path path_of(const std::vector<std::string>& context, const json::value& value, const json::value*& at) {
  Path path;
  at = &value;
  for (std::size_t i = 1; i < context.size() && at != nullptr; ++i) {
    const std::string_view name = std::string_view(context[i]).substr(1, context[i].size() - 2);
    if (const auto* object = at->if_object()) {
      path.emplace_back(name);
      at = object->if_contains(name);
    } else if (const auto* array = at->if_array()) {
      std::size_t index = 0;
      std::from_chars(name.data(), name.data() + name.size(), index);
      path.push_back(context[i]);
      at = index < array->size() ? &(*array)[index] : nullptr;
    } else {
      at = nullptr;
    }
  }
  return path;
}

// The schema that applies at a path, through properties and items only; nullptr when it is not that plain.
const json::object* schema_at(const json::value& root, const Path& path) {
  const json::object* at = resolve(root.get_object(), root);
  for (const auto& part : path) {
    if (at == nullptr) return nullptr;
    const json::value* next = nullptr;
    if (const auto* properties = at->if_contains("properties"); properties != nullptr && properties->is_object()) next = properties->get_object().if_contains(part);
    if (next == nullptr && part.front() == '[') next = at->if_contains("items");
    if (next == nullptr) next = at->if_contains("additionalProperties");
    at = next != nullptr && next->is_object() ? resolve(next->get_object(), root) : nullptr;
  }
  return at;
}

bool may_be_object(const json::object& schema) {
  const auto* type = schema.if_contains("type");
  const auto is_object = [](const json::value& name) { return name == json::value("object"); };
  if (type == nullptr) return true;
  return type->is_array() ? std::any_of(type->get_array().begin(), type->get_array().end(), is_object) : is_object(*type);
}

bool may_hold(const json::value& schema, const Path& path, std::size_t from, const json::value& root) {
  if (schema.is_bool()) return schema.get_bool();
  const auto* rules = resolve(schema.get_object(), root);
  if (from == path.size() || rules == nullptr) return true;
  if (!may_be_object(*rules)) return false;
  if (const auto* all = rules->if_contains("allOf"))
    for (const auto& part : all->get_array())
      if (!may_hold(part, path, from, root)) return false;
  const auto* properties = rules->if_contains("properties");
  const auto* next = properties == nullptr ? nullptr : properties->get_object().if_contains(path[from]);
  if (next == nullptr) next = rules->if_contains("additionalProperties");
  return next == nullptr || may_hold(*next, path, from + 1, root);
}

std::string quoted_end(std::string_view description) {
  const auto from = description.find('\'', description.find(": ") == description.npos ? 0 : description.find(": "));
  const auto to = description.rfind('\'');
  return from == description.npos || to <= from ? std::string() : std::string(description.substr(from + 1, to - from - 1));
}

Violation describe(const package::BrokenRule& broken, const json::value& value, const json::value& schema) {
  Violation out;
  const json::value* at = nullptr;
  out.path = path_of(broken.where, value, at);
  const std::string_view description = broken.rule;
  if (description.find("Object contains a property") == 0) {
    out.path.push_back(quoted_end(description));
    out.what = "is unknown";
    return out;
  }
  if (description.find("Missing required property '") == 0) {
    auto rest = description.substr(27);
    out.path.emplace_back(rest.substr(0, rest.find('\'')));
    out.what = "is required and not given";
    return out;
  }
  // The message is logged, stored as the last refusal and shown to who may not read the file.
  const std::string subject = at == nullptr || is_secret(out.path) ? std::string("the value") : shown(without_secrets(*at));
  if (const auto* rules = schema_at(schema, out.path)) {
    for (const auto& wording : wordings) {
      if (description.find(wording.part) == description.npos) continue;
      for (const auto* keyword : wording.keywords) {
        const auto* rule = keyword == nullptr ? nullptr : rules->if_contains(keyword);
        if (rule == nullptr) continue;
        out.what = cat(subject, " breaks the rule \"", std::string_view(keyword) == pattern_keyword ? "pattern" : keyword, "\": ", shown(*rule));
        return out;
      }
    }
  }
  out.what = cat(subject, " breaks a rule: ", description);
  return out;
}

}  // namespace

CompiledSchema::CompiledSchema(package::SettingsSchema schema) : schema_(std::move(schema)) {}

Result<CompiledSchema> CompiledSchema::compile(std::string_view schema_json) {
  PICKET_LET(schema, one_line(package::SettingsSchema::compile(schema_json)));
  return CompiledSchema(std::move(schema));
}

std::optional<Violation> CompiledSchema::check(const json::value& value, std::size_t max_nodes) const {
  if (count_nodes(value) > max_nodes) return Violation{{}, cat("more than ", std::to_string(max_nodes), " values")};
  const auto broken = schema_.check(value);
  if (!broken) return std::nullopt;
  return broken->where.empty() ? Violation{{}, broken->rule} : describe(*broken, value, schema_.safe);
}

bool CompiledSchema::knows(const Path& setting) const { return may_hold(schema_.safe, setting, 0, schema_.safe); }

bool CompiledSchema::fill_defaults(json::value& value) const { return policy::fill_defaults(schema_.original, value); }

}  // namespace picket::policy
