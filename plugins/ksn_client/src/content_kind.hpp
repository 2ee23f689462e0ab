// What kind of file it is that KSN may wish for.
#pragma once

#include <array>
#include <string_view>

namespace ksn_client {

inline constexpr std::array<std::string_view, 4> kContentKinds{"executable", "script", "archive", "document"};

// One of kContentKinds; empty: none of these. By the first bytes.
[[nodiscard]] std::string_view kind_of_content(std::string_view head);

}  // namespace ksn_client
