// What is about to be published, and its examination by the agent's own TUF client.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "repo/workspace.hpp"
#include "trust/client.hpp"

namespace picket::repo {

// File name -> bytes, of the metadata that is new.
using NewMetadata = std::map<std::string, std::string, std::less<>>;

// Printable ASCII: what names and versions are made of, so that they look the same everywhere.
[[nodiscard]] bool is_ascii(std::string_view text);

// Reads metadata from a folder, and before that from what is not written yet.
class FolderFetcher final : public trust::Fetcher {
 public:
  explicit FolderFetcher(std::filesystem::path folder, const NewMetadata* overlay = nullptr) : folder_(std::move(folder)), overlay_(overlay) {}
  [[nodiscard]] Result<std::string> fetch_metadata(std::string_view path, std::uint64_t max_bytes) override;

 private:
  std::filesystem::path folder_;
  const NewMetadata* overlay_;
};

// A folder that is gone with the object.
class TemporaryFolder {
 public:
  [[nodiscard]] static Result<TemporaryFolder> make(const std::filesystem::path& parent, std::string_view prefix);
  [[nodiscard]] static Result<TemporaryFolder> make(std::string_view prefix);  // below TMPDIR, else /tmp
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// Refreshes and reads every delegated role; each target must be a release. Returns their paths.
[[nodiscard]] Result<std::set<std::string>> read_as_client(const std::filesystem::path& state_folder, trust::Fetcher& fetcher, std::string_view root_bytes, UnixTime now);

struct Examined {
  std::set<std::string> paths;  // of the releases that clients will find
  std::string warning;
};
// Two clients must take it: one that has followed what is published now (so rollbacks show), one that begins with the first root.
[[nodiscard]] Result<Examined> examine(const Workspace& workspace, const NewMetadata& candidate);

// Names and patterns that some client would read differently.
[[nodiscard]] Result<> check_names(const Document& document);

}  // namespace picket::repo
