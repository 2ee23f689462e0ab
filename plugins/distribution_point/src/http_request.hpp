// One HTTP/1.1 request head, from bytes that anybody may have sent. Pure: no socket, no file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace distribution_point {

constexpr std::size_t kMostHead = 8192;    // bytes of a request's head
constexpr std::size_t kMostPath = 2048;    // as sent
constexpr std::size_t kMostBody = 262'144; // of a POST: what one device may wish for (kMostWants), with the longest names

struct Request {
  enum class Method { get, head, post, other } method = Method::other;
  std::string path;                        // decoded, without query; begins with '/'
  bool keep_alive = true;
  bool takes_gzip = false;
  std::uint64_t body_bytes = 0;
  // Borrowed from the bytes that were parsed; empty: not sent.
  std::string_view range, if_range, if_none_match, if_modified_since;
};

struct Parsed {
  enum class What { incomplete, complete, bad } what = What::incomplete;
  std::size_t head_bytes = 0;              // complete: the body, or the next request, begins here
  int status = 0;                          // bad: what to answer before the connection is closed
  const char* why = "";
};

// Strict where a second reading is possible (lengths, line ends, folded lines), because what is ambiguous is an attack or a mistake.
[[nodiscard]] Parsed parse_request(std::string_view bytes, Request& out);

// The part of a file of `size` bytes that "bytes=..." asks for. nullopt: answer with the whole file (no range, several, or nonsense, as
// RFC 9110 14.2 allows); length 0 with `unsatisfiable` set: 416.
struct Part {
  std::uint64_t first = 0, length = 0;
  bool unsatisfiable = false;
};
[[nodiscard]] std::optional<Part> part_of(std::string_view range, std::uint64_t size);

// "Sun, 06 Nov 1994 08:49:37 GMT"
[[nodiscard]] std::string http_date(std::int64_t time);
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text);

}  // namespace distribution_point
