// Bytes are std::string when owned and std::string_view when borrowed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace picket {

[[nodiscard]] std::string to_hex(std::string_view bytes);                       // lower case
[[nodiscard]] std::optional<std::string> from_hex(std::string_view hex);        // nullopt: odd length or not hex (either case)
[[nodiscard]] int hex_digit(char c);                                            // 0 to 15, either case; -1: none
[[nodiscard]] std::string percent_encoded(std::string_view text, std::string_view plain = {});  // all but RFC 3986's unreserved characters and those in `plain`
[[nodiscard]] std::string to_base64(std::string_view bytes);                    // standard alphabet, padded
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);    // standard or URL alphabet, padded; strict
[[nodiscard]] bool is_valid_utf8(std::string_view text);                        // RFC 3629: no surrogates, no overlong forms
[[nodiscard]] std::string_view whole_characters(std::string_view utf8, std::size_t most);  // its beginning, at most so many bytes; protobuf and JSON take no half character
[[nodiscard]] std::string shortened(std::string_view utf8, std::size_t most);  // the same for who reads it: "..." where something was cut, beyond `most`
[[nodiscard]] std::string as_utf8(std::string_view text);                       // of what is none, '?' for all that is not ASCII
[[nodiscard]] std::string plain_line(std::string_view text, std::size_t most);  // any bytes as UTF-8 in one line: blanks for control characters, at most so many bytes
[[nodiscard]] std::string random_bytes(std::size_t count);                      // from the kernel

}  // namespace picket
