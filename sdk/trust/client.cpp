#include "trust/client.hpp"

#include <ctime>

#include "trust/client/client_impl.hpp"

namespace picket::trust {

Result<std::unique_ptr<Client>> Client::open(ClientOptions options, Fetcher& fetcher) {
  static RealDisk real_disk;  // has no state
  if (!options.event) options.event = [](std::string_view) {};
  if (!options.now) options.now = [] { return static_cast<UnixTime>(std::time(nullptr)); };
  Disk& disk = options.disk != nullptr ? *options.disk : real_disk;
  PICKET_LET(store, Store::open(options.metadata_dir, disk));
  return std::make_unique<ClientImpl>(std::move(options), fetcher, disk, std::move(store));
}

ClientImpl::ClientImpl(ClientOptions options, Fetcher& fetcher, Disk& disk, Store store)
    : options_(std::move(options)), fetcher_(fetcher), store_(std::move(store)), marks_(options_.high_water_file, disk, options_.event) {}

Result<> ClientImpl::refresh() { return run(true); }
Result<> ClientImpl::load_local() { return run(false); }

Result<> ClientImpl::run(bool online) {
  online_ = online;
  ready_ = unsigned_ = false;
  roles_.clear();
  now_ = options_.now();  // 5.1: one time for the whole update
  if (now_ < options_.earliest_time) return fail(Code::conflict, cat("the clock is wrong: it says ", format_time(now_)));
  const auto workflow = [&]() -> Result<> {
    PICKET_TRY(load_root());
    if (online_) PICKET_TRY(update_root());
    auto done = below_root();
    // A publisher begins with the root: what a new key signed may have come out just after this client was told that it had the newest root. It asks
    // once more; who serves what nobody signed gets no more than this one request out of it.
    const auto known = root_.version;
    if (!done && unsigned_ && online_ && update_root() && root_.version > known) done = below_root();
    return done;
  };
  auto done = workflow();
  auto kept = keep();  // what was verified before a failure counts too
  PICKET_TRY(std::move(done));
  PICKET_TRY(std::move(kept));
  ready_ = true;
  return {};
}

// 5.3.10 to 5.6, under the root that there is now.
Result<> ClientImpl::below_root() {
  if (root_.version < marks_.root())
    return fail(Code::untrusted, cat("root version fell from ", std::to_string(marks_.root()), " to ", std::to_string(root_.version)));
  marks_.saw_root(root_.version);
  marks_.use_keys_of(root_.body);
  PICKET_TRY(check_expiry("root", root_));
  PICKET_TRY(update_timestamp());
  PICKET_TRY(update_snapshot());
  return targets_role("targets", "root", root_.body.targets, root_.body.keys).map([](auto) {});
}

Result<> ClientImpl::keep() {
  auto written = store_.flush(marks_.unsaved());
  if (!written) return fail(std::move(written).error(), "keep what was verified");
  marks_.saved();
  return {};
}

Result<std::string> ClientImpl::fetch(std::string_view role, std::optional<std::int64_t> version, std::uint64_t max_bytes) {
  unsigned_ = false;
  const auto path = version ? cat(std::to_string(*version), ".", encode_role(role), ".json") : cat(encode_role(role), ".json");
  auto bytes = fetcher_.fetch_metadata(path, max_bytes);
  if (!bytes) return fail(std::move(bytes).error(), cat("get ", path));
  if (bytes->size() > max_bytes) return fail(Code::too_large, cat("get ", path, ": longer than the limit of ", std::to_string(max_bytes), " bytes"));
  return bytes;
}

Result<std::uint64_t> ClientImpl::limit_of(const MetaFile& file, std::uint64_t otherwise) const {
  if (!file.length) return otherwise;
  if (*file.length > options_.limits.declared_bytes)
    return fail(Code::too_large, cat("a length of ", std::to_string(*file.length), " bytes is over the limit of ", std::to_string(options_.limits.declared_bytes)));
  return *file.length;
}

Result<> ClientImpl::check_ready() const {
  if (ready_) return {};
  return fail(Code::conflict, "there is no verified metadata: refresh first");
}

Client::Versions ClientImpl::versions() const {
  if (!ready_) return {};
  return {root_.version, timestamp_.version, snapshot_.version, roles_.find("targets")->second.metadata.version, timestamp_.expires, root_.body.consistent_snapshot};
}

}  // namespace picket::trust
