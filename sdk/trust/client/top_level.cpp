// 5.4 and 5.5: timestamp and snapshot.
#include <algorithm>

#include "trust/client/client_impl.hpp"

namespace picket::trust {
namespace {

auto fell(std::string_view what, std::int64_t from, std::int64_t to) {
  return fail(Code::untrusted, cat(what, " version fell from ", std::to_string(from), " to ", std::to_string(to)));
}

}  // namespace

// What an earlier run stored, checked as if it had come from outside. Damage is told and then counts as absence; the marks still hold.
template <class Body>
std::optional<ClientImpl::Local<Body>> ClientImpl::stored(std::string_view role, std::uint64_t max_bytes, const RoleKeys& keys) {
  auto bytes = store_.read(role, max_bytes);
  if (bytes && !*bytes) return std::nullopt;
  auto metadata = bytes ? parse_and_verify<Body>(role, **bytes, keys, root_.body.keys) : Result<Metadata<Body>>(fail(std::move(bytes).error()));
  if (!metadata) {
    event(cat("stored ", role, " cannot be used: ", metadata.error().message));
    return std::nullopt;
  }
  return Local<Body>{std::move(**bytes), std::move(*metadata)};
}

Result<> ClientImpl::update_timestamp() {
  auto local = stored<Timestamp>("timestamp", options_.limits.timestamp_bytes, root_.body.timestamp);
  if (online_) PICKET_TRY(accept_timestamp(local));
  if (!local) return fail(Code::not_found, "no usable timestamp is stored");
  if (local->metadata.version < marks_.timestamp()) return fell("timestamp", marks_.timestamp(), local->metadata.version);
  if (local->metadata.body.snapshot.version < marks_.snapshot()) return fell("snapshot", marks_.snapshot(), local->metadata.body.snapshot.version);
  PICKET_TRY(check_expiry("timestamp", local->metadata));
  timestamp_ = std::move(local->metadata);
  marks_.saw(timestamp_);
  return {};
}

// Replaces `local` by a newer one of the server, after all checks and after it was stored.
Result<> ClientImpl::accept_timestamp(std::optional<Local<Timestamp>>& local) {
  PICKET_LET(bytes, fetch("timestamp", std::nullopt, options_.limits.timestamp_bytes));
  PICKET_LET(remote, parse_and_verify<Timestamp>("timestamp", bytes, root_.body.timestamp, root_.body.keys));
  const auto version_floor = std::max(local ? local->metadata.version : 0, marks_.timestamp());
  if (remote.version < version_floor) return fell("timestamp", version_floor, remote.version);
  // Equal: nothing new was published. Go on with the stored one: its snapshot may not have arrived last time.
  if (local && remote.version == local->metadata.version) return {};
  const auto snapshot_floor = std::max(local ? local->metadata.body.snapshot.version : 0, marks_.snapshot());
  if (remote.body.snapshot.version < snapshot_floor) return fell("snapshot (in timestamp)", snapshot_floor, remote.body.snapshot.version);
  PICKET_TRY(check_expiry("timestamp", remote));
  PICKET_TRY(store_.keep("timestamp", bytes));
  local = Local<Timestamp>{std::move(bytes), std::move(remote)};
  return {};
}

Result<> ClientImpl::update_snapshot() {
  const auto& expected = timestamp_.body.snapshot;
  PICKET_LET(limit, limit_of(expected, options_.limits.snapshot_bytes));
  auto local = stored<Snapshot>("snapshot", std::max(options_.limits.snapshot_bytes, options_.limits.declared_bytes), root_.body.snapshot);
  if (local && local->metadata.version == expected.version && verify_file("snapshot", local->bytes, expected)) {
    auto fresh = check_expiry("snapshot", local->metadata);
    if (!fresh && !online_) return fresh;
    if (fresh) {
      PICKET_TRY(check_files_did_not_fall(local->metadata.body, nullptr));
      snapshot_ = std::move(local->metadata);
      marks_.saw(snapshot_);
      return {};
    }
  }
  if (!online_) return fail(Code::not_found, cat("snapshot version ", std::to_string(expected.version), " is not stored"));

  PICKET_LET(bytes, fetch("snapshot", root_.body.consistent_snapshot ? std::optional(expected.version) : std::nullopt, limit));
  PICKET_TRY(verify_file("snapshot", bytes, expected));
  PICKET_LET(remote, parse_and_verify<Snapshot>("snapshot", bytes, root_.body.snapshot, root_.body.keys));
  if (remote.version != expected.version)
    return fail(Code::untrusted, cat("snapshot has version ", std::to_string(remote.version), ", timestamp says ", std::to_string(expected.version)));
  PICKET_TRY(check_files_did_not_fall(remote.body, local ? &local->metadata.body : nullptr));
  PICKET_TRY(check_expiry("snapshot", remote));
  PICKET_TRY(store_.keep("snapshot", std::move(bytes)));
  snapshot_ = std::move(remote);
  marks_.saw(snapshot_);
  return {};
}

// 5.5.5, for every file that was ever listed, delegated roles and roles that nobody delegates to included.
Result<> ClientImpl::check_files_did_not_fall(const Snapshot& next, const Snapshot* trusted) const {
  const auto check = [&](const std::string& name, std::int64_t version) -> Result<> {
    const auto file = next.meta.find(name);
    if (file == next.meta.end()) return fail(Code::untrusted, cat(name, " vanished from snapshot"));
    if (file->second.version < version) return fell(cat(name, " (in snapshot)"), version, file->second.version);
    return {};
  };
  for (const auto& [name, version] : marks_.files()) PICKET_TRY(check(name, version));
  if (trusted != nullptr)
    for (const auto& [name, file] : trusted->meta) PICKET_TRY(check(name, file.version));
  return {};
}

}  // namespace picket::trust
