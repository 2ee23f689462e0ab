#include "repo/session.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/files.hpp"

namespace picket::repo {

void add_common(Options& options) {
  options.value("repo", "DIR", "the publisher's folder (default: PICKET_REPO, else the current folder)");
  options.value("now", "TIME", "this time instead of the clock, like 2026-05-31T12:00:00Z, for results that can be reproduced");
}

void add_keys(Options& options) { options.list("keys", "DIR", "a further folder of keys, such as a USB stick; may be given again"); }

std::filesystem::path repo_folder(const Options& options) {
  if (options.has("repo")) return options.get("repo");
  const char* from_environment = std::getenv("PICKET_REPO");
  return from_environment && *from_environment ? from_environment : ".";
}

Result<UnixTime> time_of(const Options& options) {
  if (!options.has("now")) return static_cast<UnixTime>(std::time(nullptr));
  auto time = trust::parse_time(options.get("now"));
  if (!time) return options.wrong_usage(cat("--now: ", time.error().message));
  return time;
}

Result<Workspace> open_workspace(const Options& options, Workspace::Access access) {
  PICKET_LET(now, time_of(options));
  return Workspace::open(repo_folder(options), now, access);
}

Result<KeyStore> open_keys(const Options& options) {
  std::vector<std::filesystem::path> folders{repo_folder(options) / "keys"};
  for (auto& each : options.all("keys")) folders.emplace_back(std::move(each));
  PICKET_LET(keys, KeyStore::open(std::move(folders), ask_passphrase));
  for (const auto& info : keys.keys()) {
    struct stat file {};
    if (info.private_file && ::stat(info.private_file->c_str(), &file) == 0 && (file.st_mode & 077) != 0)
      std::fprintf(stderr, "picket-repo: warning: %s can be read by others (chmod 600)\n", info.private_file->c_str());
  }
  return std::move(keys);
}

std::filesystem::path new_keys_folder(const Options& options) {
  const auto named = options.all("keys");
  return named.empty() ? repo_folder(options) / "keys" : std::filesystem::path(named.front());
}

Result<std::string> ask_passphrase(std::string_view key_name) {
  if (const char* given = std::getenv("PICKET_KEY_PASSPHRASE"); given && *given) return std::string(given);
  const UniqueFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!terminal || ::isatty(terminal.get()) != 1)
    return fail(Code::denied, cat("key ", key_name, " is encrypted: set PICKET_KEY_PASSPHRASE, or run this on a terminal"));
  PICKET_TRY(write_all(terminal.get(), cat("Passphrase of key ", key_name, ": ")));
  termios before{};
  if (::tcgetattr(terminal.get(), &before) != 0) return fail_errno("terminal");
  auto silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(terminal.get(), TCSAFLUSH, &silent);
  std::string out;
  char one = 0;
  while (out.size() < 1024 && ::read(terminal.get(), &one, 1) == 1 && one != '\n') out += one;
  ::tcsetattr(terminal.get(), TCSAFLUSH, &before);
  PICKET_TRY(write_all(terminal.get(), "\n"));
  return out;
}

int finish(const Options& options, const Result<>& result) {
  if (result) return Exit::ok;
  std::fflush(stdout);  // what it did comes before what went wrong, where both go to one file
  return options.tell(result.error());
}

void print_json(const boost::json::value& value) { std::printf("%s\n", boost::json::serialize(value).c_str()); }

}  // namespace picket::repo
