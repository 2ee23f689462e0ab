// picket-plugin-pack: a plugin's manifest and shared object become a signed package.
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/output.hpp"
#include "package/agent_release.hpp"
#include "package/writer.hpp"

using namespace picket;

namespace {

constexpr const char* usage =
    "usage: picket-plugin-pack --manifest plugin.json --library x.so (--key KEY.pem | --development-key FOLDER) --output DIR\n"
    "       picket-plugin-pack --release FOLDER --version V (--key KEY.pem | --development-key FOLDER)\n"
    "       picket-plugin-pack --development-key FOLDER\n"
    "\n"
    "Writes DIR/<id>/<version>/{plugin.json, plugin.json.dsse, x.so} and prints that folder.\n"
    "  --manifest FILE           the manifest; its sha256 is filled in\n"
    "  --library FILE            the shared object\n"
    "  --key FILE                private key (PEM), as from picket-repo key gen\n"
    "  --passphrase-file FILE    passphrase of the key: the file's first line\n"
    "  --development-key FOLDER  FOLDER/plugin.key.pem, made with plugin.pub.json when missing; not for release\n"
    "  --output DIR              where packages go\n"
    "  --release FOLDER          the agent's own programs, FOLDER/bin/: lists and signs them, for a component that updates picketd itself\n"
    "  --version V               their version, as picketd --version says it\n";

struct Arguments {
  std::string manifest, library, key, passphrase_file, development_key, output, release, version;
};

int complain(std::string_view text) {
  std::fprintf(stderr, "picket-plugin-pack: %.*s\n", static_cast<int>(text.size()), text.data());
  return 1;
}

Result<Arguments> parse(int argc, char** argv) {
  Arguments out;
  const std::pair<const char*, std::string*> known[] = {{"--manifest", &out.manifest}, {"--library", &out.library},
      {"--key", &out.key}, {"--passphrase-file", &out.passphrase_file}, {"--development-key", &out.development_key}, {"--output", &out.output},
      {"--release", &out.release}, {"--version", &out.version}};
  for (int i = 1; i < argc; i += 2) {
    std::string* into = nullptr;
    for (const auto& [name, value] : known)
      if (std::strcmp(argv[i], name) == 0) into = value;
    if (into == nullptr) return fail(Code::invalid, cat("unknown option ", argv[i], " (--help lists them)"));
    if (i + 1 == argc || *argv[i + 1] == '\0') return fail(Code::invalid, cat(argv[i], " needs a value"));
    *into = argv[i + 1];
  }
  if (out.key.empty() == out.development_key.empty()) return fail(Code::invalid, "give either --key or --development-key");
  if (out.release.empty() != out.version.empty()) return fail(Code::invalid, "--release and --version go together");
  if (!out.release.empty()) {
    if (!out.manifest.empty() || !out.library.empty() || !out.output.empty()) return fail(Code::invalid, "--release makes no plugin's package");
    return out;
  }
  const bool only_key = out.manifest.empty() && out.library.empty() && out.output.empty() && !out.development_key.empty();
  if (!only_key && (out.manifest.empty() || out.library.empty() || out.output.empty()))
    return fail(Code::invalid, "--manifest, --library and --output are needed");
  return out;
}

Result<trust::PrivateKey> load_key(const Arguments& arguments) {
  if (!arguments.development_key.empty()) return package::development_key(arguments.development_key);
  std::string passphrase;
  if (!arguments.passphrase_file.empty()) {
    PICKET_LET(text, read_file(arguments.passphrase_file, 4096));
    passphrase = text.substr(0, text.find('\n'));
  }
  PICKET_LET(pem, read_file(arguments.key, 16384));
  auto key = trust::PrivateKey::from_pem(pem, passphrase);
  if (!key) return fail(std::move(key).error(), arguments.key);
  return key;
}

Result<> pack(const Arguments& arguments) {
  PICKET_LET(key, load_key(arguments));
  if (!arguments.release.empty()) {
    PICKET_LET(release, package::write_release(arguments.release, arguments.version, key));
    std::printf("%s of %s: %zu programs\n", release.version.c_str(), arguments.release.c_str(), release.files.size());
    return {};
  }
  if (arguments.manifest.empty()) return {};
  PICKET_LET(folder, package::write_package(arguments.manifest, arguments.library, key, arguments.output));
  std::printf("%s\n", folder.c_str());
  return {};
}

int run(int argc, char** argv) {
  if (argc >= 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(usage, stdout);
    return 0;
  }
  // With more words it is the version of a release.
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::puts("picket-plugin-pack " PICKET_VERSION);
    return 0;
  }
  const auto arguments = parse(argc, argv);
  if (!arguments) {
    complain(arguments.error().message);
    return 2;
  }
  if (auto done = pack(*arguments); !done) return complain(done.error().message);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return status_of_output("picket-plugin-pack", run(argc, argv));
}
