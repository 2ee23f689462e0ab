// Several names or reasons as one text for people.
#pragma once

#include <string>
#include <string_view>

namespace picket {

// "a, b", or with another separator; of none: empty. `texts`: any range of strings, also of a protobuf message.
template <class Texts>
[[nodiscard]] std::string listed(const Texts& texts, std::string_view separator = ", ") {
  std::string out;
  bool is_first = true;
  for (const std::string_view text : texts) {
    if (!is_first) out.append(separator);
    out.append(text);
    is_first = false;
  }
  return out;
}

}  // namespace picket
