// Where messages wait: each KSN has a folder of its own. So none gets what was given for another, and settings that are taken back lose nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace ksn_proxy {

// The folder in `all` of the KSN that has or had one of these keys (their ids), made when there is none. No keys: any KSN's, `all` itself.
[[nodiscard]] picket::Result<std::filesystem::path> outbox_folder(const std::filesystem::path& all, const std::vector<std::string>& keys);

// Throws away what waits for others than the one whose folder is `own`. Says how many messages that were.
[[nodiscard]] std::uint64_t remove_other_outboxes(const std::filesystem::path& all, const std::filesystem::path& own);

}  // namespace ksn_proxy
