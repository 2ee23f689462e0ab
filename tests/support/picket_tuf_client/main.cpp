// picket-tuf-client: the library's TUF client behind the command line that conformance suites drive. Exit status 0 or 1, nothing else.
#include <cstdio>
#include <exception>
#include <span>

#include "base/files.hpp"
#include "download.hpp"

namespace picket::tuf_client {
namespace {

constexpr const char* usage =
    "usage: picket-tuf-client --metadata-dir D init ROOTFILE | --metadata-url U --metadata-dir D refresh | "
    "--metadata-url U --metadata-dir D (--target-name P)+ --target-dir T --target-base-url B download";

struct Arguments {
  std::string metadata_dir, metadata_url, target_dir, target_base_url, command, root_file;
  std::vector<std::string> target_names;
  bool verbose = false;
};

Result<Arguments> parse(std::span<char*> words) {
  Arguments out;
  const auto bad = [](const auto&... why) { return fail(Code::invalid, cat(why..., "; ", usage)); };
  std::size_t i = 0;
  for (; i < words.size() && std::string_view(words[i]).starts_with("--"); ++i) {
    std::string_view name = words[i];
    if (name == "--help") {
      out.command = "help";
      return out;
    }
    if (name == "--verbose") {
      out.verbose = true;
      continue;
    }
    const auto equals = name.find('=');
    const auto given = equals == name.npos ? std::string_view() : name.substr(equals + 1);
    name = name.substr(0, equals);
    std::string target_name;
    std::string* option = name == "--metadata-dir"      ? &out.metadata_dir
                          : name == "--metadata-url"    ? &out.metadata_url
                          : name == "--target-dir"      ? &out.target_dir
                          : name == "--target-base-url" ? &out.target_base_url
                          : name == "--target-name"     ? &target_name
                                                        : nullptr;
    if (option == nullptr) return bad("unknown option ", name);
    if (equals == name.npos && ++i == words.size()) return bad("option ", name, " needs a value");
    *option = equals == name.npos ? std::string_view(words[i]) : given;
    if (name == "--target-name") out.target_names.push_back(std::move(target_name));
    else if (option->empty()) return bad("option ", name, " is empty");
  }
  if (i == words.size()) return bad("no command");
  out.command = words[i++];
  const bool init = out.command == "init", is_download = out.command == "download";
  if (!init && !is_download && out.command != "refresh") return bad("unknown command ", out.command);
  if (init && i < words.size()) out.root_file = words[i++];
  if (i != words.size()) return bad("unexpected '", std::string_view(words[i]), "' after the command");
  if (out.metadata_dir.empty()) return bad("--metadata-dir is missing");
  if (init && out.root_file.empty()) return bad("init needs a root file");
  if (!init && out.metadata_url.empty()) return bad("--metadata-url is missing");
  if (is_download && (out.target_names.empty() || out.target_dir.empty() || out.target_base_url.empty()))
    return bad("download needs --target-name, --target-dir and --target-base-url");
  return out;
}

trust::ClientOptions options_of(const Arguments& arguments) {
  trust::ClientOptions options;
  options.metadata_dir = arguments.metadata_dir;
  options.high_water_file = options.metadata_dir / "high-water";  // the agent keeps its own outside; here all state lives in D
  options.earliest_time = 0;                                      // suites fake the clock
  if (arguments.verbose) options.event = [](std::string_view text) { std::fprintf(stderr, "note: %.*s\n", static_cast<int>(text.size()), text.data()); };
  return options;
}

Result<> run_download(const Arguments& arguments, Http& http, trust::Client& client) {
  PICKET_TRY(client.refresh());
  PICKET_TRY(make_folders(arguments.target_dir));
  for (const auto& name : arguments.target_names) {
    PICKET_LET(target, client.find_target(name));
    if (!target) return fail(Code::not_found, cat("no role signed a target called ", name));
    PICKET_TRY(download(http, *target, client.versions().consistent_snapshot, arguments.target_base_url, arguments.target_dir, arguments.metadata_dir));
  }
  return {};
}

Result<> run(std::span<char*> words) {
  PICKET_LET(arguments, parse(words));
  if (arguments.command == "help") return (void)std::puts(usage), Result<>();
  if (arguments.command == "init") {
    PICKET_LET(root, read_file(arguments.root_file, trust::Limits{}.root_bytes));
    NoFetcher fetcher;
    PICKET_LET(client, trust::Client::open(options_of(arguments), fetcher));
    return client->init(root);
  }
  Http http;
  HttpFetcher fetcher(http, arguments.metadata_url);
  PICKET_LET(client, trust::Client::open(options_of(arguments), fetcher));
  return arguments.command == "refresh" ? client->refresh() : run_download(arguments, http, *client);
}

}  // namespace
}  // namespace picket::tuf_client

int main(int argc, char** argv) {
  try {
    const auto done = picket::tuf_client::run(std::span(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0));
    if (done) return 0;
    std::fprintf(stderr, "picket-tuf-client: %s\n", done.error().message.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "picket-tuf-client: %s\n", error.what());
  }
  return 1;
}
