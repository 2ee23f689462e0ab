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

// Drawn at the first start on this machine (base/machine.hpp's mark), and kept: a copied image does not go by the number of the one it was copied from.
// Where it cannot be kept, servers see another one after each start.
[[nodiscard]] std::string installation_id(const std::filesystem::path& data_dir, std::string_view machine);
[[nodiscard]] Told told_servers(const Options& options, const Settings& settings, const std::string& installation, std::uint64_t run);
[[nodiscard]] v1::WhatIsSentReply what_is_sent(const Options& options, const Settings& settings, const std::string& installation, std::uint64_t next_run);

}  // namespace picket::update
