// From staged to published: sign the online roles, prove the result with the agent's own client, then write it in an order that a
// reader never sees half of.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.hpp"
#include "base/result.hpp"
#include "repo/key_store.hpp"
#include "repo/workspace.hpp"

namespace picket::repo {

struct PublishOptions {
  bool online_only = false;  // a new timestamp (and a new snapshot when the old one is past half of its life), nothing staged
  // Called before every step that changes what is published, with its name; a test ends the process there.
  std::function<void(std::string_view step)> at_step;
};

struct PublishReport {
  std::map<std::string, std::int64_t> versions;  // of the roles that are new
  std::vector<std::string> targets;              // paths of new targets
  std::uint64_t target_bytes = 0;
  std::string warning;
};

// What stands in the way, for people: "targets needs 1 more signature, by alice or bob". Empty: ready.
[[nodiscard]] std::vector<std::string> missing_signatures(const Workspace& workspace, const KeyStore& keys);

// Code::conflict with "nothing is staged" when there is nothing to do. Every other failure leaves what was published as it was.
[[nodiscard]] Result<PublishReport> publish(Workspace& workspace, const KeyStore& keys, const PublishOptions& options, Progress& progress);

// Removes metadata that has been superseded (but no root) and targets that nothing refers to, when older than `before`.
struct Cleaned {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};
[[nodiscard]] Result<Cleaned> clean(Workspace& workspace, UnixTime before);

}  // namespace picket::repo
