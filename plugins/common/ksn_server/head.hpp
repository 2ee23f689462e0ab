// The head of one HTTP/1.1 request, from bytes that anybody may have sent. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace ksn_server {

struct Head {
  enum class Method { post, get, head, other } method = Method::other;
  std::string_view path;        // borrowed from the parsed bytes; begins with '/', without query
  std::uint64_t body_bytes = 0;
  bool keep_alive = true;
  bool expects_continue = false;
};

struct ParsedHead {
  enum class What { incomplete, complete, bad } what = What::incomplete;
  std::size_t bytes = 0;        // complete: the body begins here
  int status = 0;               // bad: what to answer before the connection is closed
  const char* why = "";
};

// Strict where a second reading is possible (lengths, line ends, folded lines): what is ambiguous is an attack or a mistake.
[[nodiscard]] ParsedHead parse_head(std::string_view bytes, Head& out);

[[nodiscard]] Head::Method method_of(std::string_view name);
// What may stand in a path here: no decoding is done, because no path of the protocol needs any.
[[nodiscard]] bool is_plain_path(std::string_view path);
// Digits only, no sign, no overflow.
[[nodiscard]] bool parse_length(std::string_view text, std::uint64_t& out);

}  // namespace ksn_server
