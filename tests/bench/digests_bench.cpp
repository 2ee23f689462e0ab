// Digest databases with 10 million digests: bytes, and nanoseconds of a lookup; with real lists (PICKET_SERIES names their folder), what full
// and light take on disk and in memory.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "bench/report.hpp"
#include "digests/lists.hpp"
#include "digests/make/collection.hpp"

namespace fs = std::filesystem;
using namespace picket;
using namespace picket::digests;

namespace {

constexpr std::uint64_t kDigests = 10'000'000, kLookups = 4'000'000;

Sha256 numbered(std::uint64_t number) {
  Sha256 out{};
  for (std::size_t word = 0; word < 4; ++word) {
    std::uint64_t z = number + (word + 1) * 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    std::memcpy(out.data() + word * 8, &z, 8);
  }
  return out;
}

template <class T>
T need(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "digests_bench: %s\n", result.error().message.c_str());
  std::exit(1);
}

// Keeps the median of a benchmark's repetitions; says nothing itself.
class MedianReporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const auto& run : runs)
      if (run.run_type == Run::RT_Aggregate && run.aggregate_name == "median") nanoseconds = run.GetAdjustedRealTime();
  }
  double nanoseconds = 0;
};

// Of digests made before the clock runs, in an order that no cache foresees: the median of short parts, so that whoever else runs on this
// machine takes away few of them. Google Benchmark runs each part as one repetition. All of it must be found at least so often.
template <class Lookup>
double nanoseconds(const std::vector<Sha256>& wanted, std::uint64_t least_hits, Lookup&& lookup) {
  constexpr std::size_t kPart = 50'000;
  std::size_t at = 0;
  std::uint64_t hits = 0;
  benchmark::RegisterBenchmark("lookup", [&](benchmark::State& state) {
    for (auto _ : state) hits += lookup(wanted[at++]);
    benchmark::DoNotOptimize(hits);
  })->Iterations(kPart)->Repetitions(static_cast<int>(wanted.size() / kPart))->UseRealTime();
  MedianReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::ClearRegisteredBenchmarks();
  if (at != wanted.size() / kPart * kPart || hits < least_hits || !(reporter.nanoseconds > 0)) std::abort();
  return reporter.nanoseconds;
}

std::vector<Sha256> some(bool present) {
  std::vector<Sha256> out;
  out.reserve(kLookups);
  for (std::uint64_t i = 0; i < kLookups; ++i) out.push_back(numbered(present ? i * 2'654'435'761 % kDigests : kDigests + i));
  return out;
}

// Bytes of a file's pages in the memory of this process.
double resident_of(const fs::path& file) {
  std::ifstream maps("/proc/self/smaps");
  double sum = 0;
  bool ours = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(file.native()) != line.npos) ours = true;
    if (ours && line.starts_with("Rss:")) {
      sum += std::strtod(line.c_str() + 4, nullptr) * 1024;
      ours = false;
    }
  }
  return sum;
}

void ten_million(const fs::path& folder) {
  Collection collection;
  for (std::uint64_t i = 0; i < kDigests; ++i)
    if (!collection.add(numbered(i), Verdict::untrusted, "malware", i % 4096 == 0 ? std::to_string(i) : std::string())) std::exit(1);
  const auto begin = std::chrono::steady_clock::now();
  const auto light_written = need(collection.write_light(folder / "10m.light"));
  const auto built = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const auto full_written = need(collection.write_full(folder / "10m.full"));
  collection = {};
  const auto light = need(Database::open(folder / "10m.light"));
  const auto full = need(Database::open(folder / "10m.full"));
  const auto there = some(true), absent = some(false);
  bench::report({"light digests, 10 million: size", static_cast<double>(light_written.bytes) / 1e6, 12, "the goal", "MB", "lower", "under 12 MB", 1});
  bench::report({"light digests: bits each", static_cast<double>(light_written.bytes) * 8 / kDigests, 10, "the goal", "bits", "lower", "9 to 10", 1});
  bench::report({"light digests: a lookup that hits", nanoseconds(there, kLookups, [&](const auto& d) { return light->find(d).maybe; }), 100, "the goal", "ns", "lower", "under 100 ns", 1});
  std::uint64_t hits = 0;
  const auto missing = nanoseconds(absent, 1, [&](const auto& d) {
    const bool hit = light->find(d).maybe;
    hits += hit;
    return hit;
  });
  bench::report({"light digests: a lookup that misses", missing, 100, "the goal", "ns", "lower", "under 100 ns", 1});
  bench::report({"light digests: share of strange files asked", 100.0 * static_cast<double>(hits) / kLookups, 0.42, "1 in 240", "%", "lower", "at most", 1});
  // Beside it: a binary search over the same digests in memory.
  std::vector<Sha256> sorted;
  sorted.reserve(kDigests);
  for (std::uint64_t i = 0; i < kDigests; ++i) sorted.push_back(numbered(i));
  std::sort(sorted.begin(), sorted.end());
  const auto search = nanoseconds(there, kLookups, [&](const auto& d) { return std::binary_search(sorted.begin(), sorted.end(), d); });
  bench::report({"full digests: a lookup that hits", nanoseconds(there, kLookups, [&](const auto& d) { return full->find(d).verdict == Verdict::untrusted; }), search, "std::binary_search", "ns", "lower",
                 "less than the search", 1});
  bench::report({"full digests, 10 million: size", static_cast<double>(full_written.bytes) / 1e6, 320, "32 bytes each", "MB", "lower", "at most 1.1", 1.1});
  std::fprintf(stderr, "light form of %llu digests sorted and built in %.1f s\n", static_cast<unsigned long long>(kDigests), built);
}

// Lists of signature-base and maltrail, unpacked by tar: 400,000 digests.
void real_lists(const fs::path& folder) {
  const char* const named = std::getenv("PICKET_SERIES");
  const fs::path series = named != nullptr ? fs::path(named) : fs::path(std::getenv("PICKET_SOURCE") != nullptr ? std::getenv("PICKET_SOURCE") : ".") / ".." / "shared" / "data";
  Collection collection;
  for (const auto& [archive, member] : {std::pair<std::string, std::string>{"sigbase-weekly", "./v12/iocs/hash-iocs.txt"}, {"maltrail-hashset-daily", "./v12/set.bin"}}) {
    const auto packed = series / (archive + ".tar.zst");
    if (!fs::exists(packed)) {
      std::fprintf(stderr, "digests_bench: %s is not there (PICKET_SERIES names the folder): no real lists\n", packed.c_str());
      return;
    }
    if (std::system(("zstd -dc --long=27 '" + packed.native() + "' | tar -x -C '" + folder.native() + "' '" + member + "'").c_str()) != 0) std::exit(1);
    std::fprintf(stderr, "%s\n", to_text(member, need(read_list(folder / member, Verdict::untrusted, collection))).c_str());
  }
  const auto full_written = need(collection.write_full(folder / "real.full"));
  const auto light_written = need(collection.write_light(folder / "real.light"));
  const auto full = need(Database::open(folder / "real.full"));
  const auto light = need(Database::open(folder / "real.light"));
  std::uint64_t asked = 0;
  constexpr std::uint64_t strangers = 1'000'000;  // as many files as a large computer has
  for (std::uint64_t i = 0; i < strangers; ++i) {
    if (full->find(numbered(i)).verdict != Verdict::unknown) std::exit(1);
    asked += light->find(numbered(i)).maybe;
  }
  bench::report({"real lists: light on disk", static_cast<double>(light_written.bytes) / 1e6, static_cast<double>(full_written.bytes) / 1e6, "full", "MB", "lower", "a tenth", 0.1});
  bench::report({"real lists: light in memory after a scan of a million files", resident_of(folder / "real.light") / 1e6, resident_of(folder / "real.full") / 1e6, "full", "MB", "lower", "a tenth", 0.1});
  bench::report({"real lists: share of a million harmless files asked", 100.0 * static_cast<double>(asked) / strangers, 0.42, "1 in 240", "%", "lower", "at most", 1});
}

}  // namespace

int main() {
  std::string name = (fs::temp_directory_path() / "picket-digests-bench-XXXXXX").native();
  if (::mkdtemp(name.data()) == nullptr) return 1;
  ten_million(name);
  real_lists(name);
  fs::remove_all(name);
  return 0;
}
