// Members of a JSON object that may be absent: what is not there, or of another kind, is what the caller says otherwise. For documents that a schema has
// looked at, and for files of our own; what needs an error of its own is read by hand. Header only: who includes it links Boost.JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "base/result.hpp"

namespace picket::members {

// What a plugin is given as its settings.
[[nodiscard]] inline Result<boost::json::object> settings_from(std::string_view text) {
  boost::system::error_code error;
  auto value = boost::json::parse(text, error);
  if (error || !value.is_object()) return fail(Code::invalid, "settings are not a JSON object");
  return std::move(value.get_object());
}

[[nodiscard]] inline std::string text_of(const boost::json::object& from, std::string_view name, std::string_view otherwise = {}) {
  const auto* value = from.if_contains(name);
  return std::string(value != nullptr && value->is_string() ? std::string_view(value->get_string()) : otherwise);
}
// Also when it does not fit the type.
template <class Number = std::int64_t>
[[nodiscard]] Number number_of(const boost::json::object& from, std::string_view name, Number otherwise = 0) {
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_int64() && std::in_range<Number>(value->get_int64()) ? static_cast<Number>(value->get_int64()) : otherwise;
}
[[nodiscard]] inline bool flag_of(const boost::json::object& from, std::string_view name, bool otherwise = false) {
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}
[[nodiscard]] inline const boost::json::object& object_of(const boost::json::object& from, std::string_view name) {
  static const boost::json::object none;
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : none;
}
[[nodiscard]] inline const boost::json::array& list_of(const boost::json::object& from, std::string_view name) {
  static const boost::json::array none;
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_array() ? value->get_array() : none;
}
// Those of a list that are texts.
[[nodiscard]] inline std::vector<std::string> texts_of(const boost::json::object& from, std::string_view name) {
  std::vector<std::string> out;
  for (const auto& one : list_of(from, name))
    if (one.is_string()) out.emplace_back(one.get_string());
  return out;
}

}  // namespace picket::members
