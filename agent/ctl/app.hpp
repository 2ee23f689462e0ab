// picketctl as a function: main.cpp and the tests call it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/cancel.hpp"
#include "ctl/terminal.hpp"

namespace picket::ctl {

// The exit code. `now`: Unix seconds.
[[nodiscard]] int run(std::span<const std::string> arguments, Terminal& terminal, const core::CancelToken& cancel, std::int64_t now);

}  // namespace picket::ctl
