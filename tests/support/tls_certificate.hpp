#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace picket::support {

// A self-signed P-256 certificate for 127.0.0.1 and localhost, valid for a day, and its key: two PEM files.
[[nodiscard]] Result<> make_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key);

}  // namespace picket::support
