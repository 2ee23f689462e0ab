#include "announcement.hpp"

#include <boost/json.hpp>

#include <algorithm>

#include "trust/release.hpp"

namespace distribution_point {
namespace {

namespace json = boost::json;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;

bool is_device_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

}  // namespace

Result<json::object> parse_object(std::string_view text) {
  json::parse_options limits;
  limits.max_depth = 8;
  boost::system::error_code error;
  auto value = json::parse(text, error, {}, limits);
  if (error || !value.is_object()) return fail(Code::invalid, "the body is no JSON object");
  return std::move(value.get_object());
}

Result<std::set<ComponentVariant>> parse_wants(const json::object& object, std::size_t most) {
  const auto* list = object.if_contains("components");
  if (list == nullptr || !list->is_array()) return fail(Code::invalid, "'components' is missing or no list");
  std::set<ComponentVariant> out;
  for (const auto& entry : list->get_array()) {
    const auto* members = entry.if_object();
    const auto* name = members != nullptr ? members->if_contains("component") : nullptr;
    if (name == nullptr || !name->is_string()) return fail(Code::invalid, "an entry of 'components' names no component");
    const std::string component(name->get_string());
    PICKET_TRY(picket::trust::check_component_name(component));
    const auto* variants = members->if_contains("variants");
    if (variants == nullptr || !variants->is_array()) return fail(Code::invalid, cat(component, ": 'variants' is missing or no list"));
    for (const auto& variant : variants->get_array()) {
      const auto* word = variant.if_string();
      if (word == nullptr || (*word != "full" && *word != "light")) return fail(Code::invalid, cat(component, ": a variant is full or light"));
      out.insert({component, std::string(*word)});
      if (out.size() > most) return fail(Code::too_large, cat("more than ", std::to_string(most), " wishes"));
    }
  }
  return out;
}

Result<Announcement> parse_announcement(std::string_view text) {
  PICKET_LET(object, parse_object(text));
  const auto* device = object.if_contains("device");
  if (device == nullptr || !device->is_string() || !is_device_id(device->get_string())) return fail(Code::invalid, "'device' is missing or no id of at most 128 plain characters");
  PICKET_LET(wants, parse_wants(object, kMostWants));
  return Announcement{std::string(device->get_string()), std::move(wants)};
}

}  // namespace distribution_point
