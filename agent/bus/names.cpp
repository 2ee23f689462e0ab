#include "bus/names.hpp"

#include <algorithm>

#include "bus/message.hpp"

namespace picket::bus {
namespace {

bool is_name(std::string_view name) {
  bool part_is_empty = true;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (c == '.' ? part_is_empty : !plain) return false;
    part_is_empty = c == '.';
  }
  return !part_is_empty;
}

}  // namespace

bool is_topic(std::string_view name) { return name.size() <= kMaxTopic && is_name(name); }

bool is_filter(std::string_view filter) {
  if (filter == "*") return true;
  if (filter.ends_with(".*")) filter.remove_suffix(2);
  return is_topic(filter);
}

bool matches(std::string_view filter, std::string_view topic) {
  if (filter == "*") return true;
  if (!filter.ends_with(".*")) return filter == topic;
  filter.remove_suffix(1);
  return topic.size() > filter.size() && topic.starts_with(filter);
}

bool is_within(std::string_view inner, std::string_view outer) {
  if (outer == "*") return true;
  if (inner == "*") return false;
  if (!inner.ends_with(".*")) return matches(outer, inner);
  if (!outer.ends_with(".*")) return false;
  outer.remove_suffix(1);
  return inner.starts_with(outer);
}

bool is_within_any(std::string_view inner, const std::vector<std::string>& outer) {
  return std::any_of(outer.begin(), outer.end(), [&](const std::string& one) { return is_within(inner, one); });
}

std::vector<std::string> intersect(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::string> both;
  for (const auto& one : a)
    if (is_within_any(one, b)) both.push_back(one);
  for (const auto& one : b)
    if (is_within_any(one, a) && std::find(both.begin(), both.end(), one) == both.end()) both.push_back(one);
  return both;
}

}  // namespace picket::bus
