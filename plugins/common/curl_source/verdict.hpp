// What a finished attempt means for the asker.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <string>

#include "curl_source/failure.hpp"

namespace curl_source {

// A transfer that libcurl ended: `text` is its own.
[[nodiscard]] Failure failure_of(CURLcode code, const std::string& address, const std::string& text, bool body_began);

// An HTTP status other than 200 and 206. retry_after: seconds, 0 when the server did not say.
[[nodiscard]] Failure failure_of_status(long status, const std::string& address, std::int64_t retry_after);

// "bytes 100-199/200" -> first 100, total 200; "bytes */200" -> no first.
struct ContentRange {
  bool has_first = false;
  std::uint64_t first = 0;
  bool has_total = false;
  std::uint64_t total = 0;
};
[[nodiscard]] bool parse_content_range(const std::string& text, ContentRange& out);

}  // namespace curl_source
