// Makes a package: what an author hands out, and what the build does with every plugin in the tree.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "trust/keys.hpp"

namespace picket::package {

// Writes OUTPUT/<id>/<version>/{plugin.json, plugin.json.dsse, <file>}, the manifest with the digest filled in; returns that folder.
// The shared object is held against the contract first (as for an isolated home, or in process when the manifest prefers it).
// A running agent never sees half of it: the shared object is written first, the signature last.
[[nodiscard]] Result<std::filesystem::path> write_package(const std::filesystem::path& manifest, const std::filesystem::path& library,
                                                          const trust::PrivateKey& key, const std::filesystem::path& output);

// Same members in the same order, two blanks a level: for people.
[[nodiscard]] std::string pretty(const boost::json::value& value);

// FOLDER/plugin.key.pem (mode 0600) and FOLDER/plugin.pub.json: made when missing, kept when there. Safe when several do it at once.
[[nodiscard]] Result<trust::PrivateKey> development_key(const std::filesystem::path& folder);

}  // namespace picket::package
