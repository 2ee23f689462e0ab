#include "check/subject.hpp"

#include "base/digest.hpp"
#include "base/files.hpp"

namespace picket::check {

namespace {

constexpr std::uint64_t max_library_bytes = 256u << 20;
constexpr std::uint64_t max_settings_bytes = 1u << 20;

Result<package::Manifest> read_manifest(const std::filesystem::path& path, bool packed) {
  PICKET_LET(text, read_file(path, package::kMaxManifestBytes));
  auto manifest = package::Manifest::parse(text, packed);
  if (!manifest) return fail(std::move(manifest).error(), path.native());
  return manifest;
}

Result<std::string> find_settings(const Subject& subject, const SubjectOptions& options) {
  if (!options.settings.empty()) {
    PICKET_LET(text, read_file(options.settings, max_settings_bytes));
    if (subject.manifest) {
      if (auto fits = check_settings(subject.manifest->settings_schema, text); !fits) return fail(std::move(fits).error(), options.settings.native());
    }
    return text;
  }
  if (!subject.manifest) {
    if (subject.manifest.error().code == Code::not_found) return std::string("{}");
    return fail(Code::invalid, "the manifest is not valid");
  }
  return default_settings(subject.manifest->settings_schema);
}

}  // namespace

Result<Subject> open_subject(const SubjectOptions& options) {
  Subject out;
  out.seed = options.seed;
  out.case_limit = options.case_limit;
  std::error_code error;
  const auto path = std::filesystem::absolute(options.path, error);
  out.is_package = std::filesystem::is_directory(path, error);
  auto manifest_path = options.manifest;
  if (manifest_path.empty()) {
    const auto beside = (out.is_package ? path : path.parent_path()) / package::kManifestFile;
    if (out.is_package || std::filesystem::exists(beside, error)) manifest_path = beside;
  }
  if (!manifest_path.empty()) {
    out.manifest = read_manifest(manifest_path, out.is_package);
    // A manifest that was named or must be there is not "no manifest".
    if (!out.manifest && out.manifest.error().code == Code::not_found) return fail(std::move(out.manifest).error());
  }
  if (out.is_package && !out.manifest) return fail(std::move(out.manifest).error());

  out.library = out.is_package ? path / out.manifest->file : path;
  // The file beside a manifest may be another plugin's, when nobody named the manifest.
  if (!out.is_package && options.manifest.empty() && out.manifest && out.manifest->file != path.filename().native())
    out.manifest = fail(Code::not_found, "no manifest");
  PICKET_LET(bytes, read_file(out.library, max_library_bytes));
  out.digest = sha256_hex(bytes);
  out.facts = package::read_elf(bytes);
  out.id = !options.id.empty() ? options.id : out.manifest ? out.manifest->id : std::string();
  out.settings = find_settings(out, options);
  return out;
}

}  // namespace picket::check
