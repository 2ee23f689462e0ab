// key gen, import, list.
#include <cstdio>
#include <cstdlib>

#include <boost/json/array.hpp>
#include <sys/stat.h>

#include "base/files.hpp"
#include "repo/session.hpp"

namespace picket::repo {

namespace {

std::string new_passphrase() {
  const char* given = std::getenv("PICKET_KEY_PASSPHRASE");
  return given ? given : "";
}

Result<std::filesystem::path> folder_for_new(const Options& options) {
  const auto folder = new_keys_folder(options);
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    return fail(Code::not_found, cat("there is no folder ", folder.native(), " for the key: name one with --keys DIR, or a publisher's folder with --repo DIR"));
  return folder;
}

void tell(const std::filesystem::path& folder, const std::string& name, const trust::PublicKey& key, bool with_private) {
  std::printf("%s/%s%s  %s\n", folder.c_str(), name.c_str(), with_private ? ".key.pem, .pub.json" : ".pub.json", key.key_id().c_str());
}

Result<> generate(const Options& options) {
  const auto& name = options.positionals().front();
  PICKET_TRY(check_key_name(name));
  PICKET_LET(folder, folder_for_new(options));
  PICKET_LET(key, trust::PrivateKey::generate(options.get("type", "ed25519")));
  PICKET_TRY(write_key_pair(folder, name, key, new_passphrase()));
  tell(folder, name, key.public_key(), true);
  return {};
}

Result<> import(const Options& options) {
  const auto& file = options.positionals()[0];
  const auto& name = options.positionals()[1];
  PICKET_TRY(check_key_name(name));
  PICKET_LET(folder, folder_for_new(options));
  PICKET_LET(text, read_file(file, 65536));
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first != text.npos && text[first] == '{') {
    PICKET_LET(key, read_public_key(file));
    PICKET_TRY(write_public_key(folder, name, key));
    tell(folder, name, key, false);
    return {};
  }
  PICKET_LET(key, read_private_key(file, name, ask_passphrase));
  PICKET_TRY(write_key_pair(folder, name, key, new_passphrase()));
  tell(folder, name, key.public_key(), true);
  return {};
}

Result<> list(const Options& options) {
  PICKET_LET(keys, open_keys(options));
  if (options.has("json")) {
    json::array out;
    for (const auto& info : keys.keys())
      out.push_back(json::object{{"name", info.name}, {"keyid", info.keyid}, {"scheme", info.key.scheme()}, {"private", info.private_file.has_value()}});
    print_json(json::object{{"schema", "picket.repo.keys/1"}, {"keys", std::move(out)}});
    return {};
  }
  for (const auto& info : keys.keys())
    std::printf("%-20s %-20s %-8s %s\n", info.name.c_str(), info.key.scheme().c_str(), info.private_file ? "private" : "public", info.keyid.c_str());
  if (keys.keys().empty()) std::printf("No keys. Make one with picket-repo key gen NAME.\n");
  return {};
}

int run_generate(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.value("type", "TYPE", "ed25519 (default), ecdsa (P-256) or rsa (3072 bits)").positional("NAME", 1, 1);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, generate(options));
}

int run_import(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.positional("FILE NAME", 2, 2);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, import(options));
}

int run_list(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.flag("json", "as JSON (picket.repo.keys/1)").positional("", 0, 0);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, list(options));
}

}  // namespace

std::vector<Command> key_commands() {
  return {
      {{"key gen", "NAME", "Make a key: NAME.key.pem (private, mode 600) and NAME.pub.json. Encrypted when PICKET_KEY_PASSPHRASE is set.",
        "  picket-repo key gen --repo /srv/picket alice\n  picket-repo key gen --keys /media/stick --type rsa alice"},
       run_generate},
      {{"key import", "FILE NAME", "Take over a private key in PEM, or somebody's public key as a TUF key object in JSON.",
        "  picket-repo key import --repo /srv/picket old.pem bob\n  picket-repo key import --repo /srv/picket /media/stick/carol.pub.json carol"},
       run_import},
      {{"key list", "", "List the keys that are here, and which of them have their private half.",
        "  picket-repo key list --repo /srv/picket --keys /media/stick"},
       run_list},
  };
}

}  // namespace picket::repo
