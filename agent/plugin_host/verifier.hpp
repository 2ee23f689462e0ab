// From a folder that anybody may have written to a package that may be loaded, or the reason why not.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/result.hpp"
#include "package/manifest.hpp"
#include "trust/keys.hpp"

namespace picket::plugin_host {

struct VerifiedPackage {
  package::Manifest manifest;
  std::string manifest_json, signed_by;
  std::filesystem::path folder;
  UniqueFd library;  // sealed copy in memory: the bytes whose digest the manifest names
};

struct VerifyRules {
  std::span<const trust::PublicKey> keys;
  bool check_owner = true;  // root or we own the files and folders
};

// folder is ROOT/<id>/<version>. Everything is opened once, without following links, checked on the descriptor, and used through it:
// owner and mode of the three folders and three files, the DSSE signature over exactly plugin.json's bytes, the
// manifest, that id and version are the folders' names, and the digest of the sealed copy. Code::untrusted, denied, invalid, not_found.
[[nodiscard]] Result<VerifiedPackage> verify(const std::filesystem::path& root, const std::string& id, const std::string& version, const VerifyRules& rules);

// What could be packages, by name only: folders in ROOT, whether or not their names are ids, and versions in one of them, newest first.
// Other versions' names, and plain files, are left out.
[[nodiscard]] Result<std::vector<std::string>> find_folders(const std::filesystem::path& root);
[[nodiscard]] Result<std::vector<std::string>> find_versions(const std::filesystem::path& root, const std::string& id);

}  // namespace picket::plugin_host
