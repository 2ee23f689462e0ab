// What was verified here, for others: the files of a repository that lead another client to the same state.
#include "trust/client/client_impl.hpp"

namespace picket::trust {

Result<std::vector<MetadataFile>> ClientImpl::metadata_files(const std::vector<std::string>& roles) {
  PICKET_TRY(check_ready());
  std::vector<MetadataFile> out;
  std::int64_t first = root_.version;
  if (options_.pinned_root) {
    PICKET_LET(pinned, Metadata<Root>::parse(*options_.pinned_root));
    first = pinned.version;
    out.push_back({cat(std::to_string(first), ".root.json"), *options_.pinned_root});
    for (auto version = first + 1; version <= root_.version; ++version) {
      PICKET_LET(bytes, store_.read_root(version, options_.limits.root_bytes));
      if (!bytes) return fail(Code::not_found, cat("root version ", std::to_string(version), " is not stored"));
      out.push_back({cat(std::to_string(version), ".root.json"), std::move(*bytes)});
    }
  } else {
    PICKET_LET(bytes, store_.read("root", options_.limits.root_bytes));
    if (!bytes) return fail(Code::not_found, "no root is stored");
    out.push_back({cat(std::to_string(first), ".root.json"), std::move(*bytes)});
  }

  const auto add = [&](std::string_view role, std::int64_t version, std::uint64_t limit) -> Result<> {
    PICKET_LET(bytes, store_.read(role, limit));
    if (!bytes) return fail(Code::not_found, cat(role, " is not stored"));
    const bool versioned = root_.body.consistent_snapshot && role != "timestamp";
    out.push_back({cat(versioned ? cat(std::to_string(version), ".") : std::string(), encode_role(role), ".json"), std::move(*bytes)});
    return {};
  };
  const auto most = std::max(options_.limits.targets_bytes, options_.limits.declared_bytes);
  PICKET_TRY(add("timestamp", timestamp_.version, options_.limits.timestamp_bytes));
  PICKET_TRY(add("snapshot", snapshot_.version, most));
  std::vector<std::string> names{"targets"};
  names.insert(names.end(), roles.begin(), roles.end());
  for (const auto& role : names) {
    const auto listed = snapshot_.body.meta.find(cat(role, ".json"));
    if (listed == snapshot_.body.meta.end()) return fail(Code::not_found, cat("snapshot does not list ", role, ".json"));
    PICKET_TRY(add(role, listed->second.version, most));
    // An older one may lie there, or another, since it was read.
    PICKET_TRY(verify_file(role, out.back().bytes, listed->second));
  }
  return out;
}

}  // namespace picket::trust
