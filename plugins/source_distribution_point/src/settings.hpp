#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "curl_source/http_target.hpp"
#include "curl_source/loop.hpp"
#include "points.hpp"

namespace source_distribution_point {

struct Settings {
  std::vector<Point> points;
  std::string device;                  // empty: the computer's name
  std::vector<std::string> groups;     // of this device
  bool announce = true;
  curl_source::HttpSettings http;
  curl_source::LoopOptions loop;
};

// Valid against the schema already; what a schema cannot say (addresses, URLs, names that occur twice) is checked here.
[[nodiscard]] picket::Result<Settings> parse_settings(std::string_view json);

}  // namespace source_distribution_point
