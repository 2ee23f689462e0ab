// picketctl as a function: main.cpp and the tests call it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "core/cancel.hpp"
#include "ctl/terminal.hpp"

namespace picket::ctl {

// The exit code. `now`: Unix seconds.
[[nodiscard]] int run(std::span<const std::string> arguments, Terminal& terminal, const core::CancelToken& cancel, std::int64_t now);

// The picketctl that came with the picketd that runs, when an update brought one: it knows what this one may not. Empty: this one.
[[nodiscard]] std::filesystem::path newer_picketctl(std::span<const std::string> arguments);

}  // namespace picket::ctl
