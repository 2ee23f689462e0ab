// A publisher's folder: what is published, what is staged, and who may sign it.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/result.hpp"
#include "repo/document.hpp"

namespace picket::repo {

// How long new metadata is valid, in hours: "root", "targets", "snapshot", "timestamp", "component", or a component's own name.
struct Settings {
  std::map<std::string, std::int64_t, std::less<>> expiry_hours;
  std::size_t deltas = 4;  // from so many earlier releases to each new one

  [[nodiscard]] std::int64_t hours_of(std::string_view role) const;
  [[nodiscard]] static Settings defaults();
  [[nodiscard]] static Result<Settings> parse(std::string_view text);
  [[nodiscard]] std::string to_json() const;
};

class Workspace {
 public:
  enum class Access { read, write };  // write takes the lock: Code::busy when another process has it
  [[nodiscard]] static Result<Workspace> open(std::filesystem::path folder, UnixTime now, Access access);
  // Makes the folders and the settings. Code::conflict when there is one already.
  [[nodiscard]] static Result<Workspace> create(std::filesystem::path folder, UnixTime now);

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::filesystem::path keys_folder() const { return folder_ / "keys"; }
  [[nodiscard]] std::filesystem::path staged_folder() const { return folder_ / "staged"; }
  [[nodiscard]] std::filesystem::path staged_target(std::string_view path) const { return folder_ / "staged" / "targets" / path; }
  [[nodiscard]] std::filesystem::path metadata_folder() const { return folder_ / "repository" / "metadata"; }
  [[nodiscard]] std::filesystem::path targets_folder() const { return folder_ / "repository" / "targets"; }
  // Where a target of that path and digest lies, staged or published. Code::not_found.
  [[nodiscard]] Result<std::filesystem::path> find_target(std::string_view path, std::string_view sha256) const;
  [[nodiscard]] UnixTime now() const { return now_; }
  [[nodiscard]] UnixTime expiry_of(std::string_view role) const { return now_ + 3600 * settings_.hours_of(role); }
  [[nodiscard]] Settings& settings() { return settings_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Result<> save_settings() const;

  // nullptr: there is none.
  [[nodiscard]] const Document* published(std::string_view role) const { return find(published_, role); }
  [[nodiscard]] const Document* staged(std::string_view role) const { return find(staged_, role); }
  [[nodiscard]] const Document* current(std::string_view role) const;  // staged, else published
  [[nodiscard]] std::vector<const Document*> all_staged() const;
  [[nodiscard]] std::vector<std::string> components() const;  // that the current targets.json delegates to

  // The document to change: the staged one, else the published one with the next version. Signatures gone, expiry anew.
  [[nodiscard]] Result<Document> edit(std::string_view role) const;
  [[nodiscard]] Result<> stage(Document document);       // replaces the signatures with those of `document`
  [[nodiscard]] Result<> unstage(std::string_view role); // forgets the staged change

  // By the current root (the current targets.json for components). Code::not_found: no such role.
  [[nodiscard]] Result<Authority> authority(std::string_view role) const;
  // For root: what the published root asks of the next one. Empty when nothing is published.
  [[nodiscard]] std::optional<Authority> previous_root_authority() const;

 private:
  using Documents = std::map<std::string, Document, std::less<>>;
  static const Document* find(const Documents& documents, std::string_view role);
  [[nodiscard]] Result<> load_published();
  [[nodiscard]] Result<> load_staged(bool tidy);
  [[nodiscard]] Result<> add_published(std::string_view role, std::int64_t version);

  std::filesystem::path folder_;
  UnixTime now_ = 0;
  UniqueFd lock_;
  Settings settings_;
  Documents published_, staged_;
};

}  // namespace picket::repo
