// What is made of texts before they are logged or shown.
#pragma once

#include <string>
#include <string_view>

namespace picket::runtime {

// "https://user:secret@host/x" -> "https://***@host/x", wherever addresses stand in the text.
[[nodiscard]] std::string redact(std::string_view text);
// Control characters and broken UTF-8 as \n, \x1b: what plugins and servers write cannot forge lines or drive a terminal.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace picket::runtime
