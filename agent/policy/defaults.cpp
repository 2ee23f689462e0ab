#include "policy/defaults.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "package/schema_examine.hpp"
#include "policy/layers.hpp"

namespace picket::policy {
namespace {

using package::resolve;

std::size_t weight(const json::value& value) {
  std::size_t sum = 1;
  if (const auto* text = value.if_string()) sum += text->size() / 64;
  if (const auto* object = value.if_object())
    for (const auto& member : *object) sum += weight(member.value()) + member.key().size() / 64;
  if (const auto* array = value.if_array())
    for (const auto& element : *array) sum += weight(element);
  return sum;
}

class Filler {
 public:
  explicit Filler(const json::value& root) : root_(root) {}
  [[nodiscard]] bool fits() const { return fits_; }

  void fill(const json::value& schema_value, json::value& value, unsigned depth) {
    const auto* schema = schema_value.is_object() && depth < max_depth ? resolve(schema_value.get_object(), root_) : nullptr;
    if (schema == nullptr) return;
    if (const auto* from = schema->if_contains("default"); from != nullptr && from->is_object() && value.is_object() && charge(*from)) {
      json::value merged = *from;
      merge(merged, value);
      value = std::move(merged);
    }
    if (const auto* all = schema->if_contains("allOf"); all != nullptr && all->is_array())
      for (const auto& part : all->get_array()) fill(part, value, depth + 1);
    if (auto* object = value.if_object()) members(*schema, *object, depth);
    if (auto* array = value.if_array()) elements(*schema, *array, depth);
  }

 private:
  void members(const json::object& schema, json::object& object, unsigned depth) {
    const auto* properties = schema.if_contains("properties");
    if (properties == nullptr || !properties->is_object()) return;
    for (const auto& property : properties->get_object()) {
      if (auto* present = object.if_contains(property.key())) {
        fill(property.value(), *present, depth + 1);
        continue;
      }
      const auto* rules = property.value().is_object() ? resolve(property.value().get_object(), root_) : nullptr;
      if (rules == nullptr) continue;
      if (const auto* from = rules->if_contains("default")) {
        if (!charge(*from)) return;
        json::value filled = *from;
        fill(property.value(), filled, depth + 1);
        object[property.key()] = std::move(filled);
      } else if (rules->contains("properties")) {
        json::value filled = json::object();
        fill(property.value(), filled, depth + 1);
        if (!filled.get_object().empty() && satisfied(*rules, filled.get_object())) object[property.key()] = std::move(filled);
      }
    }
  }

  void elements(const json::object& schema, json::array& array, unsigned depth) {
    const auto* items = schema.if_contains("items");
    if (items == nullptr || !items->is_object()) return;
    for (auto& element : array) {
      if (!fits_) return;
      fill(*items, element, depth + 1);
    }
  }

  // References let a small schema make many copies of a large default.
  bool charge(const json::value& copied) {
    const auto cost = weight(copied);
    fits_ = fits_ && cost <= budget_;
    if (fits_) budget_ -= cost;
    return fits_;
  }

  static bool satisfied(const json::object& schema, const json::object& object) {
    const auto* required = schema.if_contains("required");
    if (required == nullptr || !required->is_array()) return true;
    for (const auto& name : required->get_array())
      if (!name.is_string() || !object.contains(name.get_string())) return false;
    return true;
  }

  // References and the schema's own depth bound it already (not recursive); this is the net below.
  static constexpr unsigned max_depth = 128;
  const json::value& root_;
  std::size_t budget_ = 65536;
  bool fits_ = true;
};

}  // namespace

bool fill_defaults(const json::value& schema, json::value& value) {
  Filler filler(schema);
  filler.fill(schema, value, 0);
  return filler.fits();
}

}  // namespace picket::policy
