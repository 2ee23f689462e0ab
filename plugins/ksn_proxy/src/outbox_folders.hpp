// Where messages wait: each KSN has a folder of its own. So none gets what was given for another, and settings that are taken back lose nothing
// that there is room for.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "outbox.hpp"

namespace ksn_proxy {

// The folder in `all` of the KSN that has or had one of these keys (their ids), made when there is none. No keys: any KSN's, `all` itself.
[[nodiscard]] picket::Result<std::filesystem::path> outbox_folder(const std::filesystem::path& all, const std::vector<std::string>& keys);

struct OtherOutbox {
  std::filesystem::path folder;
  std::uint64_t bytes = 0;  // of its files, without what is put aside
};
// All but the one whose folder is `own`; first the one that was not written to for longest.
[[nodiscard]] std::deque<OtherOutbox> other_outboxes(const std::filesystem::path& all, const std::filesystem::path& own);

struct PutAside {
  std::filesystem::path file;
  std::uint64_t bytes = 0;
};
// What could not be read, of all KSNs; the oldest first.
[[nodiscard]] std::deque<PutAside> put_aside(const std::filesystem::path& all);

// Throws away what waits there. Says how many messages that were.
[[nodiscard]] std::uint64_t remove_outbox(const std::filesystem::path& folder);

}  // namespace ksn_proxy
