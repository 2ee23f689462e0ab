// What one device said that it needs: bytes from anybody, taken under limits.
#pragma once

#include <boost/json/object.hpp>

#include <set>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "settings.hpp"

namespace distribution_point {

constexpr std::size_t kMostWants = 2048;   // of one device: a thousand components, some of them in both variants

// {"device":"ID","components":[{"component":"yara-rules","variants":["full"]}]}
struct Announcement {
  std::string device;
  std::set<ComponentVariant> wants;
};
// The error is for the device: one line.
[[nodiscard]] picket::Result<Announcement> parse_announcement(std::string_view json);

[[nodiscard]] picket::Result<boost::json::object> parse_object(std::string_view text);
// Its member `components`.
[[nodiscard]] picket::Result<std::set<ComponentVariant>> parse_wants(const boost::json::object& object, std::size_t most);

}  // namespace distribution_point
