// The colour of a word that says how something is.
#pragma once

#include <string_view>

#include "ctl/terminal.hpp"

namespace picket::ctl {

[[nodiscard]] Style style_of(std::string_view word);

}  // namespace picket::ctl
