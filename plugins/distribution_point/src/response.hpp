// What to answer a request with: pure, from the request and what is served.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "catalogue.hpp"
#include "http_request.hpp"

namespace distribution_point {

struct Reply {
  int status = 404;
  const Entry* entry = nullptr;        // whose bytes follow the head; nullptr: none
  std::uint64_t first = 0, length = 0; // of the entry's bytes
  bool packed = false;                 // entry->packed follows instead, all of it
};

// GET and HEAD of a file: 200, 206, 304, 404, 416. The head is appended to `head`; `date` is the ready line "Date: ...\r\n".
[[nodiscard]] Reply answer_file(const Request& request, const Catalogue& catalogue, std::string_view date, std::string& head);
// A whole answer with a short text or JSON for a body. `close` says that the connection ends with it.
void answer_text(int status, std::string_view type, std::string_view body, bool head_only, bool close, std::string_view date, std::string& out);
[[nodiscard]] std::string_view reason_of(int status);

}  // namespace distribution_point
