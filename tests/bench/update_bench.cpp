// A cold update of one large component over loopback HTTP, through the real source plugin in process, against `curl` and `sha256sum` of the
// same bytes; and the most memory that it takes, which must not depend on the size. Prints JSON lines.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <picket/update/v1/update.pb.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.hpp"
#include "bench/report.hpp"
#include "conformance/host/host_fixture.hpp"
#include "support/nginx.hpp"
#include "support/update_world.hpp"

using namespace picket;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

namespace {

constexpr int rounds = 5;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "update_bench: %s\n", why.c_str());
  std::exit(1);
}

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Agent : public test::HostFixture {
 public:
  Agent() {
    grant_in_process("org.picket.source-http");
    install({.library = PICKET_SOURCE_HTTP, .id = "org.picket.source-http", .callback_ms = 10'000, .memory_mb = 256,
             .topics = R"({"publishes":[],"subscribes":[],"answers":["picket.source.fetch","picket.source.probe"],"asks":[]})"});
    set_settings("org.picket.source-http", R"({"allow_http":true,"proxy":"none","parallel_fetches":4})");
    start();
    if (const auto now = status("org.picket.source-http"); now.state != plugin_host::State::running) give_up(now.text);
  }
  void TestBody() override {}

  // Seconds from the request to the result.
  double update(const fs::path& folder, const std::string& url) {
    const support::HandClock clock;
    update::Options update_options;
    update_options.data_dir = folder / "data";
    update_options.root_file = folder / "root.json";
    update_options.agent_version = "1.0.0";
    auto engine = update::Engine::open(update_options, {*router, clock, [] { return std::vector<update::Demand>{{"rules", "databases", "nobody", false}}; }});
    if (!engine) give_up(engine.error().message);
    const auto taken = (*engine)->apply_settings(R"({"interval_minutes":0,"sources":[{"name":"web","plugin":"org.picket.source-http","location":")" + url + R"("}]})");
    if (!taken) give_up(taken.error().message);
    const auto begin = Clock::now();
    const auto answer = ask("picket.update.run", update::v1::RunRequest().SerializeAsString(), std::chrono::minutes(5));
    const auto took = seconds_since(begin);
    update::v1::RunResult result;
    if (!answer) give_up(answer.error().message);
    if (!result.ParseFromString(*answer) || result.result() != "ok") give_up(result.text());
    return took;
  }
};

// A process of its own, for its memory to be its own.
int be_agent(const char* folder, const char* url) {
  Agent agent;
  const auto took = agent.update(folder, url);
  // Not getrusage: its maximum outlives exec, and would be that of the process that began this one.
  long peak_kb = 0;
  if (auto status = read_file("/proc/self/status", 1u << 16)) {
    if (const auto at = status->find("VmHWM:"); at != status->npos) peak_kb = std::atol(status->c_str() + at + 6);
  }
  if (peak_kb == 0) give_up("/proc/self/status has no VmHWM");
  std::printf("%.6f %ld\n", took, peak_kb);
  return 0;
}

struct Measured {
  double seconds = 0;
  double peak_mb = 0;
};

Measured cold(const fs::path& self, const fs::path& root, const std::string& url) {
  const auto folder = root / "agent";
  [[maybe_unused]] const int is_removed = std::system(("chmod -R u+w '" + folder.native() + "' 2>/dev/null; rm -rf '" + folder.native() + "'").c_str());
  fs::create_directories(folder);
  fs::copy_file(root / "root.json", folder / "root.json");
  FILE* pipe = ::popen(("exec '" + self.native() + "' --agent '" + folder.native() + "' '" + url + "'").c_str(), "r");
  Measured out;
  long peak_kb = 0;
  if (pipe == nullptr || std::fscanf(pipe, "%lf %ld", &out.seconds, &peak_kb) != 2) give_up("the agent's process failed");
  ::pclose(pipe);
  out.peak_mb = static_cast<double>(peak_kb) / 1024;
  return out;
}

double curl_and_sha256sum(const fs::path& root, const std::string& url) {
  const auto to = root / "curl.out";
  fs::remove(to);
  const auto begin = Clock::now();
  if (std::system(("curl -s -f -o '" + to.native() + "' '" + url + "' && sha256sum '" + to.native() + "' > /dev/null").c_str()) != 0) give_up("curl failed");
  return seconds_since(begin);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Site {
  Site(const fs::path& root_, std::size_t bytes) : root(root_) {
    support::UpdateRepository repository;
    support::Offer offer;
    offer.single.resize(bytes);
    std::uint64_t state = 1;
    for (auto& c : offer.single) state = state * 6364136223846793005u + 1442695040888963407u, c = static_cast<char>(state >> 56);
    path = "targets/" + repository.offer(offer);
    repository.publish();
    repository.tuf.write_to(root / "www");
    if (!write_file_atomic(root / "root.json", repository.tuf.first_root())) give_up("write root.json");
    auto started = support::Nginx::start({.root = root / "www"});
    if (!started) give_up(started.error().message);
    nginx = std::move(*started);
  }
  fs::path root;
  std::string path;
  std::unique_ptr<support::Nginx> nginx;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--agent") return be_agent(argv[2], argv[3]);
  const auto self = fs::canonical("/proc/self/exe");
  std::string pattern = (fs::temp_directory_path() / "picket-update-bench-XXXXXX").native();
  if (::mkdtemp(pattern.data()) == nullptr) give_up("no temporary folder");
  const fs::path root = pattern;
  fs::permissions(root, fs::perms(0755));  // nginx may serve as another user

  double small_peak = 0;
  for (const std::size_t megabytes : {std::size_t{10}, std::size_t{100}, std::size_t{200}}) {
    const auto folder = root / std::to_string(megabytes);
    fs::create_directories(folder);
    const Site site(folder, megabytes * 1'000'000);
    std::vector<double> ours, peer, peaks;
    for (int round = 0; round < (megabytes == 100 ? rounds : 1); ++round) {
      if (megabytes == 100) peer.push_back(curl_and_sha256sum(folder, site.nginx->url() + site.path));
      const auto measured = cold(self, folder, site.nginx->url());
      ours.push_back(measured.seconds);
      peaks.push_back(measured.peak_mb);
    }
    if (megabytes == 10) small_peak = peaks.front();
    if (megabytes == 100)
      bench::report({"cold update of 100 MB over HTTP", median(ours), median(peer), "curl + sha256sum", "s", "lower", "at most 1.3 times", 1.3});
    if (megabytes == 200)
      bench::report({"peak memory of an update of 200 MB", peaks.front(), small_peak, "the same of 10 MB", "MB", "lower", "independent of the size", 1.1});
  }
  [[maybe_unused]] const int is_removed = std::system(("chmod -R u+w '" + root.native() + "'; rm -rf '" + root.native() + "'").c_str());
  return 0;
}
