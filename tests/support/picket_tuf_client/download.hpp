#pragma once

#include <filesystem>
#include <string>

#include "http.hpp"

namespace picket::tuf_client {

// Puts the target into `folder` under its percent-encoded path, unless the right file is there already. What is half done lies in
// `partial_folder`, never in `folder`.
[[nodiscard]] Result<> download(Http& http, const trust::Target& target, bool consistent, const std::string& base_url, const std::filesystem::path& folder,
                                const std::filesystem::path& partial_folder);

}  // namespace picket::tuf_client
