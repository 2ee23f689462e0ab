// What an administrator set for somebody who is not there: a mistyped name would otherwise say nothing.
#pragma once

#include <string>
#include <vector>

#include "app/config.hpp"

namespace picket::app {

// One line each: files of local settings, in-process and disabled that name none of `ids` (plugins, and the host's parts that take settings);
// `silent_parts`: of log-level, that nobody writes as.
[[nodiscard]] std::vector<std::string> unknown_names(const Config& config, const std::vector<std::string>& ids, const std::vector<std::string>& silent_parts);

}  // namespace picket::app
