#include "package/agent_release.hpp"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <sys/stat.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "package/manifest.hpp"
#include "package/writer.hpp"
#include "trust/dsse.hpp"
#include "trust/json.hpp"

namespace picket::package {
namespace {

namespace bjson = boost::json;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxProgram = 256u << 20;
constexpr std::size_t kMaxPrograms = 32;

bool is_program_path(std::string_view path) {
  constexpr std::string_view folder = "bin/";
  if (!path.starts_with(folder) || path.size() == folder.size() || path.size() > 100) return false;
  const auto name = path.substr(folder.size());
  return name.front() != '.' && std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'; });
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

tl::unexpected<Error> wrong(std::string_view member, std::string_view why) { return fail(Code::invalid, cat(kReleaseFile, ": ", member, ": ", why)); }

const std::string* text_in(const bjson::object& object, std::string_view name, std::string& into) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return nullptr;
  into = value->get_string();
  return &into;
}

}  // namespace

Result<AgentRelease> AgentRelease::parse(std::string_view text) {
  if (text.size() > kMaxReleaseBytes) return fail(Code::too_large, cat(kReleaseFile, ": more than ", std::to_string(kMaxReleaseBytes), " bytes"));
  auto value = trust::parse_strict(text);
  if (!value) return fail(std::move(value).error(), kReleaseFile);
  if (!value->is_object()) return wrong("the whole", "not an object");
  const auto& object = value->get_object();
  AgentRelease out;
  const auto* format = object.if_contains("release");
  if (format == nullptr || !format->is_int64() || format->get_int64() != 1) return wrong("release", "not 1");
  if (text_in(object, "version", out.version) == nullptr || !is_version(out.version)) return wrong("version", "not a version");
  const auto* files = object.if_contains("files");
  if (files == nullptr || !files->is_array()) return wrong("files", "not a list");
  if (object.size() != 3) return wrong("the whole", "has members that are not known");
  if (files->get_array().size() > kMaxPrograms) return wrong("files", cat("more than ", std::to_string(kMaxPrograms)));
  for (const auto& item : files->get_array()) {
    File file;
    if (!item.is_object() || item.get_object().size() != 3) return wrong("files", "each has path, sha256 and size");
    const auto& from = item.get_object();
    if (text_in(from, "path", file.path) == nullptr || !is_program_path(file.path)) return wrong("files", cat("'", file.path, "' is not bin/NAME"));
    if (text_in(from, "sha256", file.sha256) == nullptr || !is_digest(file.sha256)) return wrong(file.path, "sha256 is not a digest");
    const auto* size = from.if_contains("size");
    if (size == nullptr || !size->is_int64() || size->get_int64() <= 0 || static_cast<std::uint64_t>(size->get_int64()) > kMaxProgram) return wrong(file.path, "size is not one");
    file.size = static_cast<std::uint64_t>(size->get_int64());
    if (!out.files.empty() && out.files.back().path >= file.path) return wrong(file.path, "not in order, or twice");
    out.files.push_back(std::move(file));
  }
  for (const std::string_view needed : {"bin/picketd", "bin/picket-plugin-host"})
    if (std::ranges::none_of(out.files, [&](const File& file) { return file.path == needed; })) return wrong("files", cat(needed, " is not among them"));
  return out;
}

Result<AgentRelease> read_release(const fs::path& folder, std::span<const trust::PublicKey> keys) {
  PICKET_LET(text, read_file(folder / kReleaseFile, kMaxReleaseBytes));
  PICKET_LET(signature, read_file(folder / kReleaseSignatureFile, 2 * kMaxReleaseBytes));
  auto envelope = trust::DsseEnvelope::parse(signature, 2 * kMaxReleaseBytes);
  if (!envelope) return fail(std::move(envelope).error(), kReleaseSignatureFile);
  if (auto signers = envelope->verify(kReleasePayloadType, keys); !signers) return fail(std::move(signers).error(), kReleaseSignatureFile);
  if (envelope->payload != text) return fail(Code::untrusted, cat(kReleaseFile, " is not the text that was signed"));
  return AgentRelease::parse(text);
}

Result<AgentRelease> write_release(const fs::path& folder, const std::string& version, const trust::PrivateKey& key) {
  if (!is_version(version)) return fail(Code::invalid, cat("'", version, "' is not a version"));
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder / "bin", error), end; !error && at != end; at.increment(error)) names.push_back(at->path().filename().native());
  if (error) return fail(Code::io, cat("read folder ", (folder / "bin").native(), ": ", error.message()));
  std::ranges::sort(names);
  bjson::array files;
  for (const auto& name : names) {
    PICKET_LET(bytes, read_file(folder / "bin" / name, kMaxProgram));
    files.push_back(bjson::object{{"path", cat("bin/", name)}, {"sha256", sha256_hex(bytes)}, {"size", static_cast<std::int64_t>(bytes.size())}});
  }
  const auto text = pretty(bjson::object{{"release", 1}, {"version", version}, {"files", std::move(files)}});
  PICKET_LET(release, AgentRelease::parse(text));
  for (const auto& file : release.files)
    if (::chmod((folder / file.path).c_str(), 0755) != 0) return fail_errno(cat("set mode of ", file.path));
  trust::DsseEnvelope envelope;
  envelope.payload_type = kReleasePayloadType;
  envelope.payload = text;
  PICKET_TRY(envelope.sign(key));
  PICKET_TRY(write_file_atomic(folder / kReleaseFile, text, 0644));
  PICKET_TRY(write_file_atomic(folder / kReleaseSignatureFile, envelope.to_json(), 0644));
  return std::move(release);
}

}  // namespace picket::package
