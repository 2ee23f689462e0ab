// The KSN proxy over TLS, as devices see it, in a process of its own: cached answers beside redis-benchmark GET with as many connections and as
// large batches; how late answers come at half that load; how seldom it asks the KSN when a thousand devices ask for a Zipf-distributed real list.
// PICKET_SERIES: the folder with maltrail-hashset-daily.tar.zst; else digests are made up. PICKET_BENCH_SECONDS: of each measurement (5).
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>
#include <unordered_set>

#include "base/files.hpp"
#include "bench/ksn_load.hpp"
#include "bench/report.hpp"
#include "service.hpp"
#include "support/server_process.hpp"
#include "tls_server/own_certificate.hpp"
#include "unit/plugins/ksn_proxy/fake_ksn.hpp"

namespace {

using namespace picket;
using bench::Load;
using bench::LoadOptions;
using bench::LoadResult;
using ksn_proxy_tests::FakeKsn;
namespace v1 = picket::ksn::v1;
namespace fs = std::filesystem;

constexpr std::size_t kConnections = 50, kBatch = 100, kHot = 100'000;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "ksn_proxy_bench: %s\n", why.c_str());
  std::exit(1);
}
double seconds_wanted() {
  const char* text = std::getenv("PICKET_BENCH_SECONDS");
  return text != nullptr ? std::max(1, std::atoi(text)) : 5;
}

// A real list: the SHA-256 of each entry of a day's maltrail list.
std::vector<std::string> digests() {
  std::vector<std::string> out;
  const char* named = std::getenv("PICKET_SERIES");
  const char* source = std::getenv("PICKET_SOURCE");
  const fs::path archive = fs::path(named != nullptr ? named : source != nullptr ? fs::path(source) / ".." / "shared" / "data" : fs::path("shared/data")) / "maltrail-hashset-daily.tar.zst";
  if (fs::exists(archive)) {
    const auto command = cat("zstd -dcq '", archive.native(), "' | tar xOf - ./v12/set.bin");
    if (auto* pipe = ::popen(command.c_str(), "r"); pipe != nullptr) {
      std::string digest(32, '\0');
      while (::fread(digest.data(), 1, 32, pipe) == 32) out.push_back(digest);
      ::pclose(pipe);
    }
  }
  if (out.size() < kHot) {
    std::fprintf(stderr, "ksn_proxy_bench: no real list at %s: 400,000 digests are made up\n", archive.c_str());
    out.clear();
    for (std::uint64_t i = 0; i < 400'000; ++i) out.push_back(ksn_proxy_tests::digest_of(i));
  } else {
    std::fprintf(stderr, "ksn_proxy_bench: %zu digests of %s\n", out.size(), archive.c_str());
  }
  // As they come they are sorted; popularity is not.
  std::shuffle(out.begin(), out.end(), std::mt19937_64(1));
  return out;
}

// What the child tells of itself.
struct Told {
  std::uint64_t digests = 0, from_cache = 0, upstream_questions = 0, upstream_requests = 0, entries = 0, bytes = 0;
  double cpu_seconds = 0;
};

// The proxy in a process of its own, with a KSN in it that signs (Ed25519) and answers after `delay`.
class Proxy {
 public:
  Proxy(const fs::path& folder, std::size_t cache_bytes, std::chrono::milliseconds delay) {
    auto files = tls_server::own_certificate(folder / "tls", {"localhost", "127.0.0.1"});
    if (!files) die(files.error().message);
    certificate_ = files->certificate;
    if (::pipe(to_) != 0 || ::pipe(from_) != 0) die("no pipe");
    child_ = ::fork();
    if (child_ == 0) serve(folder, *files, cache_bytes, delay);
    // So that the end of the child is the end of what it tells.
    ::close(to_[0]);
    ::close(from_[1]);
    if (::read(from_[0], &port_, sizeof port_) != sizeof port_) die("the proxy did not start");
  }
  ~Proxy() {
    ::close(to_[1]);
    ::close(from_[0]);
    int status = 0;
    ::waitpid(child_, &status, 0);
  }
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  [[nodiscard]] LoadOptions options() const {
    LoadOptions out;
    out.port = port_;
    out.certificate = certificate_;
    return out;
  }
  [[nodiscard]] Told told() {
    Told out;
    if (::write(to_[1], "s", 1) != 1 || ::read(from_[0], &out, sizeof out) != sizeof out) die("the proxy is gone");
    return out;
  }

 private:
  [[noreturn]] void serve(const fs::path& folder, const tls_server::CertificateFiles& files, std::size_t cache_bytes, std::chrono::milliseconds delay) {
    ::close(to_[1]);
    FakeKsn ksn;
    ksn.keeps_bodies = false;
    ksn.now = static_cast<std::int64_t>(std::time(nullptr));
    ksn.holds = delay.count() > 0;
    std::atomic<bool> over{false};
    std::thread late([&] {
      while (!over && delay.count() > 0) {
        std::this_thread::sleep_for(delay);
        ksn.let_go();
        ksn.holds = true;
      }
    });
    const auto now = [] { return static_cast<std::int64_t>(std::time(nullptr)); };
    const auto warn = [](std::string_view text) { std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data()); };
    ksn_proxy::BrokerSettings settings;
    settings.cache_bytes = cache_bytes;
    ksn_proxy::Broker broker(settings, {ksn, ksn.verifier(), std::string(16, 'p'), "bench", now, warn});
    auto forwarder = ksn_proxy::Forwarder::start({.folder = folder / "outbox"}, {ksn, now, warn});
    if (!forwarder) die(forwarder.error().message);
    ksn_proxy::Service service(broker, **forwarder, {"test", true, "bench"}, now);
    ksn_server::Settings front;
    front.certificate_file = files.certificate;
    front.key_file = files.key;
    front.most_per_peer = 5000;
    auto server = ksn_server::Server::start(front, [&](const ksn_server::Request& request, ksn_server::Reply reply) { service.handle(request, std::move(reply)); });
    if (!server) die(server.error().message);
    const auto port = (*server)->port();
    if (::write(from_[1], &port, sizeof port) != sizeof port) std::_Exit(1);
    for (char command = 0; ::read(to_[0], &command, 1) == 1;) {
      rusage used{};
      ::getrusage(RUSAGE_SELF, &used);
      const auto of = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
      const auto counters = broker.counters();
      const Told told{counters.digests, counters.from_cache, counters.upstream_questions, counters.upstream_requests, counters.cache.entries, counters.cache.bytes,
                      of(used.ru_utime) + of(used.ru_stime)};
      if (::write(from_[1], &told, sizeof told) != sizeof told) break;
    }
    (*server)->stop();
    over = true;
    late.join();
    ksn.let_go();
    std::_Exit(0);
  }

  std::string certificate_;
  int to_[2], from_[2];
  pid_t child_ = -1;
  std::uint16_t port_ = 0;
};

std::vector<std::string> random_batches(const std::vector<std::string>& list, std::size_t count, std::size_t most, std::size_t batch) {
  std::mt19937_64 random(3);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::string> some;
    for (std::size_t n = 0; n < batch; ++n) some.push_back(list[random() % most]);
    out.push_back(ksn_proxy_tests::ask_of(some));
  }
  return out;
}

// Requests a second of redis-benchmark GET: -c and -P as ours; `keys` 0: one key, as it does by default.
double redis_rate(const fs::path& folder, std::size_t keys) {
  const auto port = support::free_port();
  if (!port) die(port.error().message);
  support::ServerProcess redis;
  if (auto started = redis.start({"/usr/bin/redis-server", "--port", std::to_string(*port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder.native()},
                                 folder / "redis.log", [&] { return support::accepts(*port); });
      !started)
    die(cat("redis-server: ", started.error().message));
  const auto base = cat("redis-benchmark -q --csv -h 127.0.0.1 -p ", std::to_string(*port), " -c ", std::to_string(kConnections), " -P ", std::to_string(kBatch),
                        keys > 0 ? cat(" -r ", std::to_string(keys)) : std::string());
  if (std::system(cat(base, " -t set -n 400000 > /dev/null 2>&1").c_str()) != 0) die("redis-benchmark failed");
  const auto count = static_cast<std::uint64_t>(seconds_wanted() * 800'000);
  auto* pipe = ::popen(cat(base, " -t get -n ", std::to_string(count), " 2> /dev/null").c_str(), "r");
  if (pipe == nullptr) die("redis-benchmark cannot be started");
  char line[512];
  double rate = 0;
  while (::fgets(line, sizeof line, pipe) != nullptr)
    if (std::strncmp(line, "\"GET\",\"", 7) == 0) rate = std::atof(line + 7);
  ::pclose(pipe);
  if (rate <= 0) die("redis-benchmark said nothing of GET");
  return rate;
}

double percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) die("nothing was answered");
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(static_cast<double>(sorted.size()) * share))];
}

// p99 in milliseconds at so many requests a second: the median of five spans of a second. What else runs on a machine of two processors takes one of them for more
// than one in a hundred of a few seconds: a kernel's memory daemon was seen to take 40 ms every 5 s.
double half_load(Load& load, double rate) {
  std::vector<double> late;
  for (int span = 0; span < 5; ++span) {
    const auto paced = load.run_at(rate, seconds_wanted() / 5);
    if (paced.bad > 0) die("answers were bad at half the load");
    late.push_back(percentile(paced.milliseconds, 0.99));
    std::fprintf(stderr, "  at half that load (%.0f requests/s came to %.0f): p50 %.2f ms, p99 %.2f ms; the load was late itself: p99 %.2f ms\n", rate,
                 static_cast<double>(paced.requests) / paced.seconds, percentile(paced.milliseconds, 0.5), late.back(), percentile(paced.sent_late, 0.99));
  }
  std::sort(late.begin(), late.end());
  return late[late.size() / 2];
}

void cached_answers(const fs::path& folder, const std::vector<std::string>& list) {
  Proxy proxy(folder, 512u << 20, std::chrono::milliseconds(0));
  {
    auto options = proxy.options();
    options.connections = 4;
    for (std::size_t at = 0; at < kHot; at += kBatch) options.bodies.push_back(ksn_proxy_tests::ask_of({list.begin() + static_cast<std::ptrdiff_t>(at), list.begin() + static_cast<std::ptrdiff_t>(at + kBatch)}));
    for (std::size_t first = 0; first < 1; ++first) {
      auto warm = Load::connect(options);
      if (!warm) die(warm.error().message);
      for (int round = 0; round < 8 && proxy.told().entries < kHot; ++round) (void)(*warm)->run(options.bodies.size(), 30);
    }
    if (proxy.told().entries < kHot) std::fprintf(stderr, "ksn_proxy_bench: only %llu of %zu digests are cached\n", static_cast<unsigned long long>(proxy.told().entries), kHot);
  }
  double redis = 0;
  for (const std::size_t keys : {std::size_t{0}, kHot}) {
    const auto rate = redis_rate(folder, keys);
    std::fprintf(stderr, "redis-benchmark GET, %zu connections, -P %zu, %s: %.0f /s\n", kConnections, kBatch, keys == 0 ? "one key" : "100,000 keys", rate);
    redis = std::max(redis, rate);
  }
  double best = 0;
  for (const bool http2 : {false, true}) {
    auto options = proxy.options();
    options.http2 = http2;
    options.connections = kConnections;
    options.bodies = random_batches(list, 2000, kHot, kBatch);
    auto load = Load::connect(options);
    if (!load) die(load.error().message);
    (void)(*load)->run(0, 0.5);
    const auto before = proxy.told();
    const auto result = (*load)->run(0, seconds_wanted());
    const auto after = proxy.told();
    if (result.bad > 0) die(cat(std::to_string(result.bad), " answers were bad"));
    v1::AskReply reply;
    if (!reply.ParseFromString((*load)->last()) || reply.answers_size() != static_cast<int>(kBatch)) die("an answer does not hold its batch");
    const double rate = static_cast<double>(result.requests * kBatch) / result.seconds;
    std::fprintf(stderr, "%s: %.0f digests/s, %.0f bytes each; CPU: server %.2f s, load %.2f s of %.2f s; from the cache %.4f\n", http2 ? "HTTP/2" : "HTTP/1.1", rate,
                 static_cast<double>(result.bytes) / static_cast<double>(result.requests * kBatch), after.cpu_seconds - before.cpu_seconds, result.cpu_seconds, result.seconds,
                 static_cast<double>(after.from_cache - before.from_cache) / static_cast<double>(after.digests - before.digests));
    best = std::max(best, rate);
    const double late = half_load(**load, rate / kBatch / 2);
    bench::report({http2 ? "KSN proxy, cached answers, HTTP/2 and TLS" : "KSN proxy, cached answers, HTTP/1.1 and TLS", rate / 1e6, redis / 1e6, "redis-benchmark GET", "M digests/s", "higher",
                   "at least redis", 1.0});
    bench::report({http2 ? "the same at half the load, p99 (median of five), HTTP/2" : "the same at half the load, p99 (median of five), HTTP/1.1", late, 5, "the goal", "ms", "lower", "under 5 ms", 1.0});
  }
}

void thousand_devices(const fs::path& folder, const std::vector<std::string>& list) {
  Proxy proxy(folder, 512u << 20, std::chrono::milliseconds(20));
  // Zipf 1.0 over the list; each device asks 60 times for 20.
  std::vector<double> sums(list.size());
  double sum = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = sum += 1 / static_cast<double>(i + 1);
  std::mt19937_64 random(5);
  auto options = proxy.options();
  options.connections = 1000;
  std::unordered_set<std::size_t> distinct;
  constexpr std::size_t requests = 60'000, batch = 20;
  for (std::size_t i = 0; i < requests; ++i) {
    std::vector<std::string> some;
    for (std::size_t n = 0; n < batch; ++n) {
      const double at = std::uniform_real_distribution<>(0, sum)(random);
      const auto number = static_cast<std::size_t>(std::lower_bound(sums.begin(), sums.end(), at) - sums.begin());
      distinct.insert(number);
      some.push_back(list[number]);
    }
    options.bodies.push_back(ksn_proxy_tests::ask_of(some));
  }
  auto load = Load::connect(options);
  if (!load) die(load.error().message);
  // Each device begins at a place of its own, so that some bodies are asked twice and some never: what was asked is counted by the proxy.
  const auto result = (*load)->run(requests, 300);
  const auto told = proxy.told();
  if (result.bad > 0) die(cat(std::to_string(result.bad), " answers were bad"));
  const double cached = 1 - static_cast<double>(told.upstream_questions) / static_cast<double>(told.digests);
  std::fprintf(stderr, "1,000 devices: %llu questions for at most %zu digests in %.1f s; %llu went upstream in %llu requests; %llu answers are cached in %.1f MB\n",
               static_cast<unsigned long long>(told.digests), distinct.size(), result.seconds, static_cast<unsigned long long>(told.upstream_questions),
               static_cast<unsigned long long>(told.upstream_requests), static_cast<unsigned long long>(told.entries), static_cast<double>(told.bytes) / 1e6);
  bench::report({"KSN proxy, 1,000 devices: answered without the upstream", cached * 100, 50, "half of them", "%", "higher", "said", 1.0});
  // What is cached at the end was asked at least once, each digest once: the cache is large enough to keep all of them.
  bench::report({"KSN proxy: upstream questions per distinct digest", static_cast<double>(told.upstream_questions) / static_cast<double>(told.entries), 1.01, "the goal", "", "lower",
                 "at most 1.01", 1.0});
}

}  // namespace

int main() {
  const auto list = digests();
  const support::ServerFolder folder;
  cached_answers(folder.path(), list);
  thousand_devices(folder.path(), list);
  return 0;
}
