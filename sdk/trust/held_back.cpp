#include "trust/held_back.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "trust/json.hpp"
#include "trust/release.hpp"

namespace picket::trust {

std::string write_held_back(const HeldBack& held) {
  json::object components;
  for (const auto& [component, releases] : held) components[component] = json::array(releases.begin(), releases.end());
  return json::serialize(json::object{{"held", std::move(components)}});
}

Result<HeldBack> parse_held_back(std::string_view text) {
  if (text.size() > kMostHeldBack) return fail(Code::too_large, "is too long");
  PICKET_LET(document, parse_strict(text));
  const auto* root = document.if_object();
  const auto* held = root != nullptr ? root->if_contains("held") : nullptr;
  if (held == nullptr || !held->is_object()) return fail(Code::invalid, "must be an object with an object \"held\"");
  HeldBack out;
  for (const auto& [component, releases] : held->get_object()) {
    PICKET_TRY(check_component_name(component));
    if (!releases.is_array()) return fail(Code::invalid, cat("held.", std::string_view(component), ": must be a list of releases"));
    for (const auto& release : releases.get_array()) {
      if (!release.is_int64() || release.get_int64() < 1) return fail(Code::invalid, cat("held.", std::string_view(component), ": must be a list of releases"));
      out[std::string(component)].insert(release.get_int64());
    }
  }
  return out;
}

}  // namespace picket::trust
