// An AskRequest, read in place: views into its bytes, which anybody may have sent. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "entry.hpp"

namespace ksn_proxy {

struct Ask {
  std::string_view licence;
  bool extended = false;
  std::vector<Key> keys;   // in the order of the questions
};

// Code::invalid: malformed; Code::too_large: more than kMostQuestions. Unknown fields are passed over, as protobuf does.
[[nodiscard]] picket::Result<> parse_ask(std::string_view body, Ask& out);

}  // namespace ksn_proxy
