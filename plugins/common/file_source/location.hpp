// What a request names: the base folder, and a file below it. Pure text; nothing is opened here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "file_source/failure.hpp"

namespace file_source {

// "/mnt/usb/updates" or "file:///mnt/usb/updates" (percent-encoded) -> the absolute path.
[[nodiscard]] Outcome<std::string> base_folder(std::string_view location);

// "targets/yara%20rules/x" -> {"targets", "yara rules", "x"}. No part is empty, "." or "..", or hides a '/' or NUL.
[[nodiscard]] Outcome<std::vector<std::string>> path_parts(std::string_view path);

}  // namespace file_source
