// What update servers are told: the four items of one run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <picket/update/v1/sources.pb.h>

#include "base/result.hpp"
#include "base/told.hpp"
#include "update/settings.hpp"
#include "update/update.hpp"

namespace picket::update {

// Drawn at the first start, and kept. Where it cannot be kept, servers see another one after each start.
[[nodiscard]] std::string installation_id(const std::filesystem::path& data_dir);
[[nodiscard]] Told told_servers(const Options& options, const Settings& settings, const std::string& installation, std::uint64_t run);
[[nodiscard]] v1::WhatIsSentReply what_is_sent(const Options& options, const Settings& settings, const std::string& installation, std::uint64_t next_run);

}  // namespace picket::update
