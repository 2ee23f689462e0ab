// Names of topics and filters: dotted parts of letters, digits, '_' and '-'. A filter may end in ".*", or be "*".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace picket::bus {

[[nodiscard]] bool is_topic(std::string_view name);
[[nodiscard]] bool is_filter(std::string_view filter);
[[nodiscard]] bool matches(std::string_view filter, std::string_view topic);
// Everything that `inner` matches, `outer` matches too.
[[nodiscard]] bool is_within(std::string_view inner, std::string_view outer);
[[nodiscard]] bool is_within_any(std::string_view inner, const std::vector<std::string>& outer);
// What both lists allow.
[[nodiscard]] std::vector<std::string> intersect(const std::vector<std::string>& a, const std::vector<std::string>& b);

}  // namespace picket::bus
