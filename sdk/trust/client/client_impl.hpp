// The update workflow's state, and where each of its steps is written:
// root_update.cpp (5.3), top_level.cpp (5.4, 5.5), delegations.cpp (5.6); handing_on.cpp gives to others what was verified. Straight-line code, no threads.
#pragma once

#include <set>

#include "trust/client.hpp"
#include "trust/client/high_water.hpp"
#include "trust/client/store.hpp"

namespace picket::trust {

class ClientImpl final : public Client {
 public:
  ClientImpl(ClientOptions options, Fetcher& fetcher, Disk& disk, Store store);

  [[nodiscard]] Result<> init(std::string_view root_bytes) override;
  [[nodiscard]] Result<> refresh() override;
  [[nodiscard]] Result<> load_local() override;
  [[nodiscard]] Result<std::optional<Target>> find_target(std::string_view path) override;
  [[nodiscard]] Result<std::vector<Target>> targets_of(std::string_view role) override;
  [[nodiscard]] Result<std::vector<std::string>> delegated_roles() const override;
  [[nodiscard]] Result<std::vector<MetadataFile>> metadata_files(const std::vector<std::string>& roles) override;
  [[nodiscard]] Versions versions() const override;

 private:
  struct Role {
    Metadata<Targets> metadata;
    std::set<std::string, std::less<>> delegators;  // whose keys its signatures were checked with: keys are scoped to the delegator
  };
  template <class Body>
  struct Local {
    std::string bytes;
    Metadata<Body> metadata;
  };

  [[nodiscard]] Result<> run(bool online);
  [[nodiscard]] Result<> below_root();
  // Root
  [[nodiscard]] Result<> load_root();
  [[nodiscard]] Result<> load_pinned_root();
  [[nodiscard]] Result<> update_root();
  [[nodiscard]] Result<> drop_online_roles_if_rotated(const Root& next);
  void tell_odd_key_ids(std::string_view where, const KeyMap& keys);
  // Timestamp and snapshot
  [[nodiscard]] Result<> update_timestamp();
  [[nodiscard]] Result<> accept_timestamp(std::optional<Local<Timestamp>>& local);
  [[nodiscard]] Result<> update_snapshot();
  [[nodiscard]] Result<> check_files_did_not_fall(const Snapshot& next, const Snapshot* trusted) const;
  template <class Body>
  [[nodiscard]] std::optional<Local<Body>> stored(std::string_view role, std::uint64_t max_bytes, const RoleKeys& keys);
  // Targets and what it delegates to
  [[nodiscard]] Result<const Metadata<Targets>*> targets_role(std::string_view name, std::string_view delegator, const RoleKeys& role_keys, const KeyMap& keys);
  [[nodiscard]] Result<Metadata<Targets>> check_targets(std::string_view name, std::string_view bytes, const MetaFile& expected, const RoleKeys& role_keys,
                                                        const KeyMap& keys);
  [[nodiscard]] Result<Metadata<Targets>> get_targets(std::string_view name, const RoleKeys& role_keys, const KeyMap& keys);
  [[nodiscard]] Result<std::optional<Target>> search(std::string_view path);
  [[nodiscard]] Result<> check_ready() const;
  // All
  template <class Body>
  [[nodiscard]] Result<Metadata<Body>> parse_and_verify(std::string_view role, std::string_view bytes, const RoleKeys& role_keys, const KeyMap& keys);
  [[nodiscard]] Result<> keep();
  template <class Body>
  [[nodiscard]] Result<> check_expiry(std::string_view role, const Metadata<Body>& metadata) const;
  [[nodiscard]] Result<std::string> fetch(std::string_view role, std::optional<std::int64_t> version, std::uint64_t max_bytes);
  [[nodiscard]] Result<std::uint64_t> limit_of(const MetaFile& file, std::uint64_t otherwise) const;
  void event(std::string_view text) const { options_.event(text); }

  ClientOptions options_;
  Fetcher& fetcher_;
  Store store_;
  HighWater marks_;
  UnixTime now_ = 0;
  bool online_ = false;  // of the last run: may find_target fetch?
  bool ready_ = false;
  bool unsigned_ = false;  // what was fetched last is not signed by enough of its keys
  Metadata<Root> root_;
  Metadata<Timestamp> timestamp_;
  Metadata<Snapshot> snapshot_;
  std::map<std::string, Role, std::less<>> roles_;  // "targets" and those met so far in this run
};

template <class Body>
Result<> ClientImpl::check_expiry(std::string_view role, const Metadata<Body>& metadata) const {
  if (now_ < metadata.expires) return {};
  return fail(Code::expired, cat(role, " version ", std::to_string(metadata.version), " expired at ", format_time(metadata.expires), ", it is ", format_time(now_)));
}

// Parsed, then signed by enough of its keys: the two steps that never go alone.
template <class Body>
Result<Metadata<Body>> ClientImpl::parse_and_verify(std::string_view role, std::string_view bytes, const RoleKeys& role_keys, const KeyMap& keys) {
  auto metadata = Metadata<Body>::parse(bytes);
  if (!metadata) return fail(std::move(metadata).error(), role);
  auto verified = verify_threshold(role, role_keys, keys, metadata->signed_bytes, metadata->signatures);
  unsigned_ = !verified;
  PICKET_TRY(std::move(verified));
  return metadata;
}

}  // namespace picket::trust
