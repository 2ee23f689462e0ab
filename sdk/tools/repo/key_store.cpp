#include "repo/key_store.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "trust/json.hpp"

namespace picket::repo {

namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t max_key_file = 65536;
constexpr std::string_view private_end = ".key.pem", public_end = ".pub.json";

// Never over an existing file: a lost private key cannot be had again.
Result<> create_file(const fs::path& path, std::string_view bytes, unsigned mode) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd && errno == EEXIST) return fail(Code::conflict, cat(path.native(), " exists already"));
  if (!fd) return fail_errno(cat("create ", path.native()));
  auto written = write_all(fd.get(), bytes);
  if (written && ::fsync(fd.get()) != 0) written = fail_errno("fsync");
  if (!written) {
    ::unlink(path.c_str());
    return fail(std::move(written).error(), path.native());
  }
  return sync_folder(path.parent_path().empty() ? fs::path(".") : path.parent_path());
}

}  // namespace

Result<> check_key_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= 64 && name.front() != '.' && name.front() != '-' &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                    });
  if (!good) return fail(Code::invalid, cat("key name \"", name, "\": use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter, a digit or _"));
  return {};
}

Result<trust::PublicKey> read_public_key(const fs::path& file) {
  PICKET_LET(text, read_file(file, max_key_file));
  auto value = trust::parse_strict(text);
  if (!value) return fail(std::move(value).error(), file.native());
  if (!value->is_object()) return fail(Code::invalid, cat(file.native(), ": must be a JSON object (a TUF key)"));
  auto key = trust::PublicKey::parse(value->get_object());
  if (!key) return fail(std::move(key).error(), file.native());
  if (!key->can_verify()) return fail(Code::unsupported, cat(file.native(), ": cannot be used: ", key->why_not()));
  return key;
}

Result<trust::PrivateKey> read_private_key(const fs::path& file, std::string_view name, const AskPassphrase& ask) {
  PICKET_LET(pem, read_file(file, max_key_file));
  auto key = trust::PrivateKey::from_pem(pem);
  if (!key && key.error().code == Code::denied && ask) {
    auto passphrase = ask(name);
    if (!passphrase) return fail(std::move(passphrase).error(), file.native());
    key = trust::PrivateKey::from_pem(pem, *passphrase);
  }
  if (!key) return fail(std::move(key).error(), file.native());
  return key;
}

Result<KeyStore> KeyStore::open(std::vector<fs::path> folders, AskPassphrase ask) {
  KeyStore out;
  out.ask_ = std::move(ask);
  std::map<std::string, KeyInfo> found;  // by name, the first folder that has it wins
  for (std::size_t i = 0; i < folders.size(); ++i) {
    std::error_code why;
    std::vector<fs::path> files;
    for (fs::directory_iterator entry(folders[i], why), end; !why && entry != end; entry.increment(why)) files.push_back(entry->path());
    if (why && i == 0 && why == std::errc::no_such_file_or_directory) continue;
    if (why) return fail_errno(cat("folder of keys ", folders[i].native()), why.value());
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      const std::string file_name = file.filename().native();
      if (!std::string_view(file_name).ends_with(public_end)) continue;
      const auto name = file_name.substr(0, file_name.size() - public_end.size());
      PICKET_LET(key, read_public_key(file));
      KeyInfo info{name, key.key_id(), std::move(key), {}};
      const auto known = found.find(name);
      if (known == found.end()) found.emplace(name, std::move(info));
      else if (known->second.keyid != info.keyid)
        return fail(Code::conflict, cat("two different keys are called ", name, ", one of them in ", folders[i].native()));
    }
  }
  for (auto& [name, info] : found) {
    // A private half that is kept elsewhere is often carried alone.
    for (const auto& folder : folders) {
      auto file = folder / cat(name, private_end);
      if (!info.private_file && ::access(file.c_str(), F_OK) == 0) info.private_file = std::move(file);
    }
    out.keys_.push_back(std::move(info));
  }
  return out;
}

Result<KeyInfo> KeyStore::find(std::string_view name_or_id) const {
  for (const auto& info : keys_)
    if (info.name == name_or_id) return info;
  const KeyInfo* match = nullptr;
  for (const auto& info : keys_) {
    if (name_or_id.size() < 8 || !std::string_view(info.keyid).starts_with(name_or_id)) continue;
    if (match && match->keyid != info.keyid) return fail(Code::invalid, cat("more than one key begins with ", name_or_id));
    match = &info;
  }
  if (!match) return fail(Code::not_found, cat("no key \"", name_or_id, "\" (see picket-repo key list; --keys DIR looks elsewhere too)"));
  return *match;
}

const KeyInfo* KeyStore::by_id(std::string_view keyid) const {
  const KeyInfo* found = nullptr;
  for (const auto& info : keys_)
    if (info.keyid == keyid && (found == nullptr || (info.private_file && !found->private_file))) found = &info;
  return found;
}

std::string KeyStore::name_of(std::string_view keyid) const {
  const auto* info = by_id(keyid);
  return info ? info->name : std::string(keyid.substr(0, 12));
}

Result<trust::PrivateKey> KeyStore::load_private(const KeyInfo& info) const {
  if (!info.private_file) return fail(Code::not_found, cat("the private half of key ", info.name, " is not here"));
  PICKET_LET(key, read_private_key(*info.private_file, info.name, ask_));
  if (key.public_key().identity() != info.key.identity())
    return fail(Code::conflict, cat(info.private_file->native(), " is not the private half of the key ", info.name, " that is known here"));
  return std::move(key);
}

Result<> write_public_key(const fs::path& folder, std::string_view name, const trust::PublicKey& key) {
  return create_file(folder / cat(name, public_end), boost::json::serialize(key.to_json()) + "\n", 0644);
}

Result<> write_key_pair(const fs::path& folder, std::string_view name, const trust::PrivateKey& key, std::string_view passphrase) {
  const auto public_file = folder / cat(name, public_end);
  if (::access(public_file.c_str(), F_OK) == 0) return fail(Code::conflict, cat(public_file.native(), " exists already"));
  PICKET_LET(pem, key.to_pem(passphrase));
  PICKET_TRY(create_file(folder / cat(name, private_end), pem, 0600));
  return write_public_key(folder, name, key.public_key());
}

}  // namespace picket::repo
