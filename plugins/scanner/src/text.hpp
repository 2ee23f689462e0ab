// Texts of others (file names, rules) on their way into messages: valid UTF-8, one line, of bounded length.
#pragma once

#include <string>
#include <string_view>

namespace scanner {

// Control characters and what is no UTF-8 become \xHH.
[[nodiscard]] std::string printable(std::string_view text, std::size_t most = 4096);

}  // namespace scanner
