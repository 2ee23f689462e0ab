#include "check/fuzz.hpp"

#include <algorithm>
#include <new>

#include <sys/mman.h>

#include "check/fuzz_life.hpp"

namespace picket::check {

namespace {

using std::chrono::steady_clock;

constexpr std::uint64_t iterations_of_a_life = 1000;

// Shared with the children, and kept until this process ends.
Result<Progress*> share_progress() {
  void* page = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return fail_errno("cannot share memory with a child");
  return new (page) Progress;
}

Verdict located(Verdict verdict, std::uint64_t seed, const Progress& at) {
  const auto seed_text = std::to_string(seed), iteration = std::to_string(std::max<std::uint64_t>(at.iteration, 1));
  verdict.text = cat("seed ", seed_text, ", iteration ", iteration, ", ", at.what, ": ", verdict.text, "; again with --seed ", seed_text, " --iterations ", iteration);
  return verdict;
}

}  // namespace

Verdict fuzz(const Subject& subject, const FuzzOptions& options) {
  constexpr std::chrono::seconds to_end(10);
  if (subject.id.empty()) return skipped("its id is not known: give --id or a manifest");
  if (!subject.settings) return failed(subject.settings.error().message);
  Result<Edges> edges = Edges{};
  if (subject.manifest) edges = settings_at_edges(subject.manifest->settings_schema, *subject.settings);
  if (!edges) return failed(edges.error().message);
  const auto progress = share_progress();
  if (!progress) return failed(progress.error().message);
  Progress& at = **progress;

  const bool one_life = options.in_process || options.iterations > 0;
  const auto end = one_life ? steady_clock::time_point::max() : steady_clock::now() + options.time;
  std::uint64_t seed = subject.seed, iterations = 0;
  do {
    at = {};
    const auto live = [&] {
      FuzzLife life(subject, edges->accepted, seed, at, options.in_process ? std::chrono::seconds(0) : options.call_limit);
      return life.live(options.iterations > 0 ? options.iterations : iterations_of_a_life, end);
    };
    // Each call has its own alarm; this one is for who blocks it.
    const auto limit = one_life ? options.time * 100 : std::chrono::ceil<std::chrono::seconds>(end - steady_clock::now());
    Verdict verdict = options.in_process ? live() : run_in_child(live, limit + options.call_limit + to_end);
    if (verdict.outcome != Outcome::pass) return located(std::move(verdict), seed, at);
    iterations += at.iteration;
    ++seed;
  } while (!one_life && steady_clock::now() < end);
  return pass(cat(std::to_string(iterations), " iterations, seeds ", std::to_string(subject.seed), " to ", std::to_string(seed - 1), "; ",
                  std::to_string(edges->accepted.size()), " settings at the schema's edges, ", std::to_string(edges->refused), " kept from it by its schema"));
}

}  // namespace picket::check
