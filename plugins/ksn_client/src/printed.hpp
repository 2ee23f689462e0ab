// The exact messages to KSN as JSON for people.
#pragma once

#include <string>
#include <string_view>

namespace ksn_client {

// path: "/ksn/v1/ask", ...; the body as it went or would go. One line each member; digests in hex; the size in bytes.
[[nodiscard]] std::string printed(std::string_view path, std::string_view body);

}  // namespace ksn_client
