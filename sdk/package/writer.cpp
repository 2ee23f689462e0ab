#include "package/writer.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/listed.hpp"
#include "package/elf.hpp"
#include "package/manifest.hpp"
#include "package/settings_schema.hpp"
#include "trust/dsse.hpp"
#include "trust/json.hpp"

namespace picket::package {

namespace {

namespace json = boost::json;
constexpr std::uint64_t max_library_bytes = 256u << 20;

void append_pretty(const json::value& value, std::string& out, std::size_t depth) {
  const std::string indent(2 * (depth + 1), ' ');
  bool first = true;
  if (value.is_object() && !value.get_object().empty()) {
    for (const auto& [name, member] : value.get_object()) {
      out += cat(first ? "{\n" : ",\n", indent, json::serialize(json::value(name)), ": ");
      append_pretty(member, out, depth + 1);
      first = false;
    }
    out += cat("\n", std::string(2 * depth, ' '), "}");
  } else if (value.is_array() && !value.get_array().empty()) {
    for (const auto& element : value.get_array()) {
      out += cat(first ? "[\n" : ",\n", indent);
      append_pretty(element, out, depth + 1);
      first = false;
    }
    out += cat("\n", std::string(2 * depth, ' '), "]");
  } else {
    out += json::serialize(value);
  }
}

// Modes must not hang on the caller's umask: the host refuses what others may write.
Result<> make_open_folder(const std::filesystem::path& folder) {
  PICKET_TRY(make_folders(folder, 0755));
  if (::chmod(folder.c_str(), 0755) != 0) return fail_errno(cat("set mode of ", folder.native()));
  return {};
}

}  // namespace

std::string pretty(const json::value& value) {
  std::string out;
  append_pretty(value, out, 0);
  return out + "\n";
}

Result<std::filesystem::path> write_package(const std::filesystem::path& manifest_path, const std::filesystem::path& library_path,
                                            const trust::PrivateKey& key, const std::filesystem::path& output) {
  PICKET_LET(source, read_file(manifest_path, kMaxManifestBytes));
  auto checked = Manifest::parse(source, false);
  if (!checked) return fail(std::move(checked).error(), manifest_path.native());
  if (auto usable = SettingsSchema::compile(checked->settings_schema); !usable) return fail(std::move(usable).error(), manifest_path.native());
  PICKET_LET(library, read_file(library_path, max_library_bytes));
  auto facts = read_elf(library);
  if (!facts) return fail(std::move(facts).error(), library_path.native());
  if (const auto rules = broken_rules(*facts, checked->preferred == Isolation::in_process); !rules.empty())
    return fail(Code::invalid, cat(library_path.native(), ": ", listed(rules, "; ")));

  PICKET_LET(value, trust::parse_strict(source, {}, trust::Numbers::any));
  value.get_object()["sha256"] = sha256_hex(library);
  const auto text = pretty(value);
  PICKET_LET(manifest, Manifest::parse(text));
  trust::DsseEnvelope envelope;
  envelope.payload_type = kManifestPayloadType;
  envelope.payload = text;
  PICKET_TRY(envelope.sign(key));

  PICKET_TRY(make_folders(output, 0755));
  PICKET_TRY(make_open_folder(output / manifest.id));
  const auto folder = output / manifest.id / manifest.version;
  PICKET_TRY(make_open_folder(folder));
  PICKET_TRY(write_file_atomic(folder / manifest.file, library, 0644));
  PICKET_TRY(write_file_atomic(folder / kManifestFile, text, 0644));
  PICKET_TRY(write_file_atomic(folder / kSignatureFile, envelope.to_json(), 0644));
  return folder;
}

Result<trust::PrivateKey> development_key(const std::filesystem::path& folder) {
  PICKET_TRY(make_folders(folder, 0755));
  const auto path = folder / "plugin.key.pem";
  auto pem = read_file(path, 16384);
  if (!pem && pem.error().code != Code::not_found) return fail(std::move(pem).error());
  if (!pem) {
    PICKET_LET(fresh, trust::PrivateKey::generate("ed25519"));
    PICKET_LET(text, fresh.to_pem());
    // Whoever links the name first wins; all others take that key.
    const auto mine = folder / cat(".", to_hex(random_bytes(6)), ".pem");
    PICKET_TRY(write_file_atomic(mine, text, 0600));
    const int linked = ::link(mine.c_str(), path.c_str());
    const int why = errno;
    PICKET_TRY(remove_file(mine));
    if (linked != 0 && why != EEXIST) return fail_errno(cat("create ", path.native()), why);
    pem = read_file(path, 16384);
    if (!pem) return fail(std::move(pem).error());
  }
  auto key = trust::PrivateKey::from_pem(*pem);
  if (!key) return fail(std::move(key).error(), path.native());
  PICKET_TRY(write_file_atomic(folder / "plugin.pub.json", json::serialize(key->public_key().to_json()) + "\n", 0644));
  return key;
}

}  // namespace picket::package
