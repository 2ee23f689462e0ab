// The settings that every libcurl plugin has: proxy, parallel_fetches, fallback_resolvers.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "curl_source/failure.hpp"
#include "curl_source/loop.hpp"

namespace curl_source {

struct CommonSettings {
  std::string proxy{};
  LoopOptions loop{};
};
// True: taken. False: it is none of these, or of another type or out of range. The error says what is wrong with its text.
[[nodiscard]] Outcome<bool> take_common(std::string_view key, const boost::json::value& value, CommonSettings& into);

}  // namespace curl_source
