// The TUF client workflow (TUF 1.0.34, section 5) over a folder of trusted metadata and a Fetcher.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "trust/metadata.hpp"

namespace picket::trust {

class Disk;  // trust/client/disk.hpp

// Brings metadata, from wherever. Called on the thread that called the client.
class Fetcher {
 public:
  virtual ~Fetcher() = default;
  // The whole file at `path` (already percent-encoded, relative to the metadata base). Code::not_found only when the source says
  // that it is not there; Code::too_large when it is longer than max_bytes: stop reading at max_bytes + 1.
  [[nodiscard]] virtual Result<std::string> fetch_metadata(std::string_view path, std::uint64_t max_bytes) = 0;
};

// Limits as python-tuf and go-tuf have them.
struct Limits {
  unsigned root_rotations = 256;
  unsigned delegated_roles = 32;
  std::uint64_t root_bytes = 512'000, timestamp_bytes = 16'384, snapshot_bytes = 2'000'000, targets_bytes = 5'000'000;
  std::uint64_t declared_bytes = 64u << 20;  // a signed length replaces the limits above, up to this
};

struct Target {
  std::string path;
  std::string role;  // which role signed it
  TargetFile file;
};

// A file of a repository's metadata/: its name there, and its bytes as they were signed.
struct MetadataFile {
  std::string path, bytes;
};

struct ClientOptions {
  std::filesystem::path metadata_dir;
  Limits limits;
  std::function<UnixTime()> now;          // default: time(nullptr); asked once per refresh
  std::optional<std::string> pinned_root; // shipped initial root: the chain is verified again from it when the stored one is damaged
  std::filesystem::path high_water_file;  // optional: versions seen, kept outside metadata_dir, so that damage cannot roll back
  std::function<void(std::string_view)> event;  // a damaged local file, a key id that does not match, ...; default: nothing
  UnixTime earliest_time = 1'735'689'600;  // 2025: a clock before it is wrong (Code::conflict), since Picket is younger; 0: no check
  Disk* disk = nullptr;                    // tests only; default: the real one
};

class Client {
 public:
  // Takes the lock of metadata_dir (Code::busy if another process has it). Does not read or fetch yet.
  [[nodiscard]] static Result<std::unique_ptr<Client>> open(ClientOptions options, Fetcher& fetcher);
  virtual ~Client() = default;

  // Trusts this root from now on: no network. The root must be signed by its own threshold. Its expiry does not matter here.
  [[nodiscard]] virtual Result<> init(std::string_view root_bytes) = 0;
  // root, timestamp, snapshot, targets: 5.3 to 5.6. What was verified is persisted, each role after all its checks. Where what came is not signed by the
  // newest root's keys, a newer root is asked for once more, and counts.
  [[nodiscard]] virtual Result<> refresh() = 0;
  // As refresh, from the stored files only: the time passed counts, no request is made.
  [[nodiscard]] virtual Result<> load_local() = 0;
  // 5.6.7: depth-first through delegations. nullopt: nobody signed such a target. Needs refresh or load_local before.
  [[nodiscard]] virtual Result<std::optional<Target>> find_target(std::string_view path) = 0;
  // All targets of one role that `targets` delegates to directly, that its delegation's paths cover. For catalogues such as
  // "the releases of one component". Code::not_found when targets.json delegates to no such role, which is as signed as all it says;
  // Code::conflict when it does, but this source (after load_local: the folder) has not the role's file: another one may, so ask again through that.
  [[nodiscard]] virtual Result<std::vector<Target>> targets_of(std::string_view role) = 0;
  // Names of the roles that `targets` delegates to.
  [[nodiscard]] virtual Result<std::vector<std::string>> delegated_roles() const = 0;

  // What a repository must hold to lead another client to the same state: the roots from the pinned one on, timestamp, snapshot, targets and
  // these roles, each of which targets_of() has read. Code::not_found names what is not stored. Needs refresh or load_local before.
  [[nodiscard]] virtual Result<std::vector<MetadataFile>> metadata_files(const std::vector<std::string>& roles) = 0;

  struct Versions {
    std::int64_t root = 0, timestamp = 0, snapshot = 0, targets = 0;
    UnixTime timestamp_expires = 0;
    bool consistent_snapshot = false;
  };
  [[nodiscard]] virtual Versions versions() const = 0;
};

}  // namespace picket::trust
