// Whole picket-tuf-client process, cold: an empty metadata folder with a root, then refresh and download of 1 MiB from nginx on loopback.
// Beside it, as the floor that nobody can go below: one curl process that fetches the same files, and sha256sum of the artifact.
// Prints one JSON line for each repository size.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "support/nginx.hpp"
#include "support/tuf_repo_builder.hpp"

namespace fs = std::filesystem;
using namespace picket;
using support::TufRepo;

namespace {

constexpr int rounds = 15;

// Wall-clock milliseconds of a process from start to end; ends the benchmark when it fails.
double run(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  const auto start = std::chrono::steady_clock::now();
  pid_t child = 0;
  if (::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), ::environ) != 0) std::abort();
  int status = 0;
  ::waitpid(child, &status, 0);
  const auto end = std::chrono::steady_clock::now();
  posix_spawn_file_actions_destroy(&actions);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::fprintf(stderr, "tuf_bench: %s failed\n", words[0].c_str());
    std::exit(1);
  }
  return std::chrono::duration<double, std::milli>(end - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

void measure(int targets, double goal_ms, const fs::path& folder) {
  TufRepo repo;
  for (const char* role : {"root", "timestamp", "snapshot", "targets"}) repo.document(role)["expires"] = "2099-01-01T00:00:00Z";
  std::string artifact(1 << 20, '\0');
  for (std::size_t i = 0; i < artifact.size(); ++i) artifact[i] = static_cast<char>(i * 2654435761U >> 13);
  repo.add_target("targets", "component/artifact", artifact);
  auto& listed = repo.document("targets")["targets"].as_object();
  for (int i = 1; i < targets; ++i)
    listed[cat("component/release-", std::to_string(i), "/payload.bin")] =
        boost::json::object{{"length", i}, {"hashes", boost::json::object{{"sha256", sha256_hex(std::to_string(i))}}}};
  repo.meta_hashes = true;
  repo.publish({"root", "targets", "snapshot", "timestamp"});
  fs::remove_all(folder);
  repo.write_to(folder / "www");
  std::ofstream(folder / "root.json") << repo.files.at("2.root.json");
  support::NginxOptions options;
  options.root = folder / "www";
  auto server = support::Nginx::start(options);
  if (!server) {
    std::fprintf(stderr, "tuf_bench: %s\n", server.error().message.c_str());
    std::exit(1);
  }
  const auto url = (*server)->url();
  const auto metadata = (folder / "metadata").native(), artifacts = (folder / "artifacts").native(), fetched = (folder / "fetched").native();

  std::vector<double> ours, peer;
  for (int i = 0; i < rounds + 1; ++i) {  // alternating, so that load from elsewhere meets both; the first one warms up
    fs::remove_all(metadata);
    fs::remove_all(artifacts);
    run({PICKET_TUF_CLIENT, "--metadata-dir", metadata, "init", (folder / "root.json").native()});
    const auto one = run({PICKET_TUF_CLIENT, "--metadata-url", url + "metadata", "--metadata-dir", metadata, "--target-name", "component/artifact", "--target-dir", artifacts,
                          "--target-base-url", url + "targets", "download"});
    if (read_file(fs::path(artifacts) / "component%2Fartifact", 1 << 21).value_or("") != artifact) std::abort();
    fs::remove_all(fetched);
    fs::create_directories(fetched);
    std::vector<std::string> curl = {"curl", "-s", "--noproxy", "*"};
    for (const auto& [path, name] : {std::pair<std::string, const char*>{"metadata/3.root.json", "root"}, {"metadata/timestamp.json", "timestamp"}, {"metadata/2.snapshot.json", "snapshot"},
                                     {"metadata/2.targets.json", "targets"}, {cat("targets/component/", sha256_hex(artifact), ".artifact"), "artifact"}})
      curl.insert(curl.end(), {"-o", fetched + "/" + name, url + path});
    const auto two = run(curl) + run({"sha256sum", fetched + "/artifact"});
    if (i == 0) continue;
    ours.push_back(one);
    peer.push_back(two);
  }
  std::printf("{\"name\":\"tuf: cold refresh and 1 MiB, %d target%s listed\",\"ours\":%.4f,\"peer\":%.4f,\"peer_name\":\"curl of the same 5 files + sha256sum\",\"unit\":\"ms\","
              "\"better\":\"lower\",\"goal\":\"under %.0f ms\",\"goal_ratio\":null,\"goal_value\":%.0f}\n",
              targets, targets == 1 ? "" : "s", median(ours), median(peer), goal_ms, goal_ms);
  std::fflush(stdout);
}

}  // namespace

int main() {
  std::string name = (fs::temp_directory_path() / "picket-tuf-bench-XXXXXX").native();
  if (::mkdtemp(name.data()) == nullptr) return 1;
  measure(1, 20, fs::path(name) / "repo");
  measure(1000, 40, fs::path(name) / "repo");
  measure(10'000, 60, fs::path(name) / "repo");
  fs::remove_all(name);
  return 0;
}
