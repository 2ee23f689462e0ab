// The plugin that is checked: its file, and its manifest when there is one. Nothing of it has run.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "package/elf.hpp"
#include "package/manifest.hpp"

namespace picket::check {

struct Subject {
  std::filesystem::path library;  // absolute
  std::string digest;             // of the library
  Result<package::ElfFacts> facts = fail(Code::not_found, "not read");
  bool is_package = false;
  Result<package::Manifest> manifest = fail(Code::not_found, "no manifest");
  std::string id;                             // empty: unknown
  Result<std::string> settings = std::string("{}");  // defaults of the schema, valid; or the reason why there are none
  std::uint64_t seed = 1;
  std::chrono::seconds case_limit{20};  // after it a case is cut off

  // Named by the manifest, or false when there is none.
  [[nodiscard]] bool in_process() const { return manifest && manifest->preferred == package::Isolation::in_process; }
  // What one call into it may take.
  [[nodiscard]] std::chrono::milliseconds call_budget() const { return std::chrono::milliseconds(manifest ? manifest->limits.callback_ms : 1000); }
};

struct SubjectOptions {
  std::filesystem::path path;      // a package folder or a shared object
  std::filesystem::path manifest;  // empty: the package's, or the plugin.json beside the shared object
  std::filesystem::path settings;  // a file; empty: the schema's defaults
  std::string id;
  std::uint64_t seed = 1;
  std::chrono::seconds case_limit{20};
};

// An error only when there is nothing to check at all.
[[nodiscard]] Result<Subject> open_subject(const SubjectOptions& options);

// What the host makes of an empty configuration. Code::invalid when the schema is broken or its own defaults break it.
[[nodiscard]] Result<std::string> default_settings(const std::string& schema_json);
[[nodiscard]] Result<> check_settings(const std::string& schema_json, const std::string& settings_json);

// Settings at every boundary of the schema and beside it, each different from the given ones in one place. Those that the schema refuses are only
// counted: the host would keep them from the plugin.
struct Edges {
  std::vector<std::string> accepted;
  std::size_t refused = 0;
};
[[nodiscard]] Result<Edges> settings_at_edges(const std::string& schema_json, const std::string& settings_json);

}  // namespace picket::check
