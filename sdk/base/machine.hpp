// Which computer this is, for what must not be the same on a copy of it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace picket {

// 16 hex digits made of /etc/machine-id, which nobody is told as it is (machine-id(5)) and which a copied image is given anew. Empty: it has none.
[[nodiscard]] std::string machine_mark(const std::filesystem::path& file = "/etc/machine-id");

// Whether what was kept with `mark` was kept on this computer: it was, as far as one of the two is not known.
[[nodiscard]] inline bool is_of_this_machine(std::string_view mark, std::string_view machine) { return mark.empty() || machine.empty() || mark == machine; }

}  // namespace picket
