// Metadata that lie beside themselves with gzip, NAME.json.gz, for servers that pack nothing on the way: agents ask for these first.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace picket::repo {

// Those that are asked for by their version. Not the roots, which are few, and not the timestamp, which is small and changes.
[[nodiscard]] bool lies_packed(std::string_view file_name);
[[nodiscard]] inline std::string packed_name(std::string_view file_name) { return cat(file_name, ".gz"); }
// The same bytes for the same bytes: no time and no name are in it.
[[nodiscard]] Result<std::string> pack(std::string_view bytes);
// It is whole, and nothing but these bytes come out of it. Whoever packed them: another zlib makes other bytes.
[[nodiscard]] bool unpacks_to(std::string_view packed, std::string_view bytes);

}  // namespace picket::repo
