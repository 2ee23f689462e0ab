#include "plugin_host/verifier.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin_host/sealed_file.hpp"
#include "trust/dsse.hpp"

namespace picket::plugin_host {

namespace {

constexpr std::uint64_t max_library_bytes = 256u << 20;
constexpr std::size_t max_envelope_bytes = 512u << 10, max_candidates = 1024;

Result<> check_fd(int fd, const std::string& name, bool folder, bool check_owner) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return fail_errno(cat("stat ", name));
  if (folder ? !S_ISDIR(info.st_mode) : !S_ISREG(info.st_mode)) return fail(Code::denied, cat(name, ": not a ", folder ? "folder" : "regular file"));
  if (check_owner && info.st_uid != 0 && info.st_uid != ::geteuid())
    return fail(Code::denied, cat(name, ": belongs to user ", std::to_string(info.st_uid), ", not to root or to the agent"));
  if ((info.st_mode & 022) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(info.st_mode & 07777));
    return fail(Code::denied, cat(name, ": others may write to it (mode ", mode, ")"));
  }
  return {};
}

// A symbolic link in place of the thing itself is refused.
Result<UniqueFd> open_checked(int parent, const std::string& name, const std::string& shown, bool folder, bool check_owner) {
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (folder ? O_DIRECTORY : 0)));
  if (!fd) {
    if (errno == ELOOP || (folder && errno == ENOTDIR)) return fail(Code::denied, cat(shown, folder ? ": not a folder, or a symbolic link" : ": is a symbolic link"));
    return fail_errno(cat("open ", shown));
  }
  PICKET_TRY(check_fd(fd.get(), shown, folder, check_owner));
  return fd;
}

Result<std::string> read_checked(int parent, std::string_view name, std::uint64_t most, bool check_owner) {
  const std::string file(name);
  PICKET_LET(fd, open_checked(parent, file, file, false, check_owner));
  auto text = read_all(fd.get(), most);
  if (!text) return fail(std::move(text).error(), file);
  return text;
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Result<std::vector<std::string>> names_in(const std::filesystem::path& path) {
  std::unique_ptr<DIR, CloseFolder> folder(::opendir(path.c_str()));
  if (!folder) return fail_errno(cat("open folder ", path.native()));
  std::vector<std::string> out;
  while (const auto* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] == '.' || entry->d_type == DT_REG) continue;  // a file beside the packages, such as a README
    if (out.size() == max_candidates) return fail(Code::too_large, cat(path.native(), ": holds more than ", std::to_string(max_candidates), " entries"));
    out.emplace_back(entry->d_name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Result<VerifiedPackage> verify(const std::filesystem::path& root, const std::string& id, const std::string& version, const VerifyRules& rules) {
  PICKET_LET(root_fd, open_checked(AT_FDCWD, root.native(), root.native(), true, rules.check_owner));
  PICKET_LET(id_fd, open_checked(root_fd.get(), id, id, true, rules.check_owner));
  PICKET_LET(folder, open_checked(id_fd.get(), version, cat(id, "/", version), true, rules.check_owner));

  VerifiedPackage out;
  out.folder = root / id / version;
  PICKET_LET(manifest_json, read_checked(folder.get(), package::kManifestFile, package::kMaxManifestBytes, rules.check_owner));
  PICKET_LET(signature, read_checked(folder.get(), package::kSignatureFile, max_envelope_bytes, rules.check_owner));
  auto envelope = trust::DsseEnvelope::parse(signature, max_envelope_bytes);
  if (!envelope) return fail(std::move(envelope).error(), package::kSignatureFile);
  auto signers = envelope->verify(package::kManifestPayloadType, rules.keys);
  if (!signers) return fail(std::move(signers).error(), package::kSignatureFile);
  if (envelope->payload != manifest_json) return fail(Code::untrusted, "plugin.json is not the text that was signed");
  out.signed_by = signers->front();

  auto manifest = package::Manifest::parse(manifest_json);
  if (!manifest) return fail(std::move(manifest).error(), package::kManifestFile);
  if (manifest->id != id || manifest->version != version)
    return fail(Code::untrusted, cat("plugin.json is of ", manifest->id, " ", manifest->version, ", but lies in ", id, "/", version));

  PICKET_LET(library, open_checked(folder.get(), manifest->file, manifest->file, false, rules.check_owner));
  auto sealed = seal_copy(library.get(), cat(id, "-", version), max_library_bytes);
  if (!sealed) return fail(std::move(sealed).error(), manifest->file);
  if (sealed->sha256 != manifest->sha256)
    return fail(Code::untrusted, cat(manifest->file, ": sha256 is ", sealed->sha256, ", but plugin.json says ", manifest->sha256));
  out.library = std::move(sealed->fd);
  out.manifest_json = std::move(manifest_json);
  out.manifest = std::move(*manifest);
  return out;
}

Result<std::vector<std::string>> find_folders(const std::filesystem::path& root) { return names_in(root); }

Result<std::vector<std::string>> find_versions(const std::filesystem::path& root, const std::string& id) {
  PICKET_LET(names, names_in(root / id));
  std::erase_if(names, [](const std::string& name) { return !package::is_version(name); });
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return package::compare_versions(a, b) > 0; });
  return std::move(names);
}

}  // namespace picket::plugin_host
