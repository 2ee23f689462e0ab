// init, run, provider, key.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include <unistd.h>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "ksn/arguments.hpp"
#include "ksn/provider.hpp"
#include "ksn/rotation.hpp"
#include "ksn/setup.hpp"
#include "trust/metadata.hpp"

namespace picket::ksn_tool {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostFileBytes = 256u << 10;

// As a shell takes it: what is printed is there to be copied.
std::string shell_word(const std::string& text) {
  if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-") == text.npos) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

Result<Folder> folder_at(const std::string& path) {
  if (path.empty()) return fail(Code::invalid, "an empty name is no FOLDER");
  Folder out{fs::absolute(path).lexically_normal().native()};
  if (!is_valid_utf8(out.path)) return fail(Code::invalid, "FOLDER: its name is not UTF-8, and could not stand in the settings");
  return out;
}

Result<Folder> folder_of(const Arguments& arguments) {
  if (arguments.words.size() != 1) return fail(Code::invalid, "one FOLDER is needed");
  return folder_at(arguments.words[0]);
}

Result<> init(const Folder& folder, const Arguments& arguments) {
  Setup setup;
  setup.name = arguments.get("name", setup.name);
  setup.contact = arguments.get("contact");
  setup.servers = arguments.all("server");
  setup.listen = arguments.get("listen", setup.listen);
  setup.store = arguments.get("store");
  // picketd reads them, from wherever it is started.
  const auto absolute = [&](std::string_view name) {
    const auto path = arguments.get(name);
    return path.empty() ? path : fs::absolute(path).lexically_normal().native();
  };
  setup.certificate = absolute("certificate");
  setup.key = absolute("key");
  setup.authority = arguments.get("authority");
  const auto licences = arguments.get("licences", "yes");
  if (licences != "yes" && licences != "no") return fail(Code::invalid, "--licences is yes or no");
  setup.licences_required = licences == "yes";
  if (const auto port = arguments.get("port"); !port.empty()) {
    if (port.size() > 5 || port.find_first_not_of("0123456789") != port.npos || std::stoul(port) == 0 || std::stoul(port) > 65535) return fail(Code::invalid, cat("--port: '", port, "' is no port"));
    setup.port = static_cast<std::uint16_t>(std::stoul(port));
  }
  PICKET_TRY(set_up(folder, setup, std::time(nullptr)));
  std::printf("Made a private KSN in %s\n", folder.path.c_str());
  std::printf("  for clients   %s (its key, to be trusted: %s)\n", folder.file("provider.json").c_str(), folder.file("provider.pub.json").c_str());
  std::printf("  secret        answers.key.pem signs answers; provider.key.pem signs the provider file: keep that one off line\n");
  std::printf("  serve it      picket-ksn run %s\n", shell_word(folder.path).c_str());
  if (setup.licences_required) std::printf("  first licence picket-ksn licence add ID --ksn %s\n", shell_word(folder.path).c_str());
  return {};
}

// picketd.conf says by absolute paths where everything is: of a folder that was moved, or restored elsewhere, picketd would serve what is left at
// the old place, which may be nothing. A picketd.conf that names no settings-dir was written by somebody else.
Result<> stands_where_it_was_made(const Folder& folder) {
  PICKET_LET(text, read_file(folder.configuration(), kMostFileBytes));
  constexpr std::string_view kName = "\nsettings-dir = ";
  const auto at = text.find(kName);
  if (at == text.npos) return {};
  const auto from = at + kName.size();
  auto named = text.substr(from, text.find_first_of("\n#", from) - from);
  named.erase(named.find_last_not_of(" \t\r") + 1);
  std::error_code error;  // a link to it is the same place
  if (fs::equivalent(named, folder.file("settings"), error)) return {};
  return fail(Code::conflict, cat(folder.configuration(), " is of a KSN in ", fs::path(named).parent_path().native(), ": put it back there, or write its new place into this file and ", folder.settings()));
}

Result<trust::PublicKey> public_key(const std::string& file) {
  PICKET_LET(key, read_public(file));
  if (!key.can_verify()) return fail(Code::unsupported, cat(file, ": cannot be used: ", key.why_not()));
  return std::move(key);
}

}  // namespace

Result<> run_init(const std::vector<std::string>& text) {
  PICKET_LET(arguments, Arguments::parse(text, {"name", "contact", "server", "listen", "port", "store", "certificate", "key", "authority", "licences"}));
  PICKET_LET(folder, folder_of(arguments));
  return init(folder, arguments);
}

Result<> run_run(const std::vector<std::string>& text) {
  const auto border = std::find(text.begin(), text.end(), "--");  // what is behind it is picketd's
  PICKET_LET(arguments, Arguments::parse({text.begin(), border}, {"name", "contact", "server", "listen", "port", "store", "certificate", "key", "authority", "licences", "picketd"}));
  PICKET_LET(folder, folder_of(arguments));
  std::error_code error;
  if (!fs::exists(folder.settings(), error)) {
    PICKET_TRY(init(folder, arguments));
  } else if (arguments.options.size() > (arguments.has("picketd") ? 1U : 0U)) {
    std::fprintf(stderr, "picket-ksn: %s holds a KSN already: the options of init change nothing, its settings are in %s\n", folder.path.c_str(), folder.settings().c_str());
  }
  PICKET_TRY(stands_where_it_was_made(folder));
  // Beside this program when it stands there (a build, an unpacked archive), else as the path says.
  auto program = arguments.get("picketd");
  if (program.empty()) {
    const auto beside = fs::read_symlink("/proc/self/exe", error).parent_path() / "picketd";
    program = fs::exists(beside, error) ? beside.native() : "picketd";
  }
  std::fflush(nullptr);
  std::vector<std::string> words{program, "--config", folder.configuration()};
  if (border != text.end()) words.insert(words.end(), border + 1, text.end());
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execvp(program.c_str(), pointers.data());
  return fail_errno(cat("start ", program));
}

Result<> run_provider(const std::vector<std::string>& text) {
  PICKET_LET(arguments, Arguments::parse(text, {"trust"}));
  if (arguments.words.size() != 2 || arguments.words[0] != "show" || !arguments.has("trust")) return fail(Code::invalid, "usage: picket-ksn provider show FILE --trust KEY.pub.json");
  std::vector<trust::PublicKey> keys;
  for (const auto& file : arguments.all("trust")) {
    PICKET_LET(key, public_key(file));
    keys.push_back(std::move(key));
  }
  PICKET_LET(bytes, read_file(arguments.words[1], kMostFileBytes));
  auto provider = ksn::Provider::parse(bytes, keys);
  if (!provider) return fail(std::move(provider).error(), arguments.words[1]);
  std::printf("Provider     %s\nContact      %s\nCreated      %s\nKind         %s\n", provider->name.c_str(), provider->contact.c_str(), trust::format_time(provider->created).c_str(), provider->private_ksn ? "Private" : "Global");
  for (const auto& server : provider->servers) std::printf("Server       %s\n", server.c_str());
  for (const auto& key : provider->answer_keys) std::printf("Answer key   %s%s\n", key.key_id().c_str(), key.can_verify() ? "" : " (cannot be used here)");
  std::printf("Certificate  %s\n", provider->certificate.empty() ? "the system's authorities" : "its own authority");
  return {};
}

Result<> run_key(const std::vector<std::string>& text) {
  PICKET_LET(arguments, Arguments::parse(text, {"ksn", "provider-key", "at-once"}));
  const auto action = arguments.words.empty() ? std::string() : arguments.words[0];
  if (action == "show" && arguments.words.size() == 2) {
    PICKET_LET(key, public_key(arguments.words[1]));
    std::printf("%s  %s\n", key.key_id().c_str(), key.scheme().c_str());
    return {};
  }
  if ((action != "rotate" && action != "change" && action != "retire") || arguments.words.size() != 1 || !arguments.has("ksn"))
    return fail(Code::invalid, "usage: picket-ksn key show FILE.pub.json | key rotate|change|retire --ksn FOLDER [--provider-key FILE] [--at-once yes]");
  const auto at_once = arguments.get("at-once", "no");
  if (at_once != "yes" && at_once != "no") return fail(Code::invalid, "--at-once is yes or no");
  if (arguments.has("at-once") && action != "retire") return fail(Code::invalid, cat("--at-once is for key retire, not for key ", action));
  PICKET_LET(folder, folder_at(arguments.get("ksn")));
  const Rotation rotation{arguments.get("provider-key"), at_once == "yes"};
  const auto now = std::time(nullptr);
  if (action == "rotate") {
    PICKET_LET(key, begin_rotation(folder, rotation, now));
    std::printf("New answer key %s\n  now           give clients and proxies %s, which names both keys; the old one still signs\n                at its place they find it by themselves, within minutes\n  then          picket-ksn key change --ksn %s\n", key.c_str(), folder.file("provider.json").c_str(),
                shell_word(folder.path).c_str());
  } else if (action == "change") {
    PICKET_LET(key, change_key(folder));
    std::printf("Answers are signed by %s from now on; who has not got the new provider file refuses them\n  when answers of the old key have run out: picket-ksn key retire --ksn %s\n", key.c_str(), shell_word(folder.path).c_str());
  } else {
    PICKET_LET(key, retire_key(folder, rotation, now));
    std::printf("Retired %s: give clients and proxies %s, which does not name it any more\n", key.c_str(), folder.file("provider.json").c_str());
  }
  return {};
}

}  // namespace picket::ksn_tool
