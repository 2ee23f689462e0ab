#include "delta/make/make.hpp"

#include <algorithm>
#include <array>

#include "delta/make/write.hpp"
#include "delta/methods.hpp"

namespace picket::delta {

namespace {

// What an agent will do with it.
Result<> check(std::string_view old, std::string_view fresh, std::string_view delta, const MakeOptions& options) {
  std::uint64_t at = 0;
  PICKET_TRY(apply(old, delta, {fresh.size(), options.memory}, [&](std::string_view bytes) -> Result<> {
    if (fresh.substr(at, bytes.size()) != bytes) return fail(Code::internal, cat("differs near byte ", std::to_string(at)));
    at += bytes.size();
    return {};
  }));
  if (at != fresh.size()) return fail(Code::internal, "is cut short");
  return {};
}

// What applying costs, in nanoseconds on a machine of today; measured, and rough.
std::uint64_t effort(const std::vector<Step>& steps, Coding coding) {
  std::uint64_t literals = 0;
  for (const auto& step : steps)
    if (step.event == Event::insert || step.event == Event::substitute) literals += step.count;
  return literals * (coding == Coding::mixed ? 550 : 60) + steps.size() * (coding == Coding::words ? 200 : 1500);
}

// The smallest of each class of speed: read as fast as a copy with matches, ..., like bsdiff, which sorts out more, slower.
struct Candidates {
  explicit Candidates(std::uint64_t length) : budgets{2'000'000 + length * 13 / 10, 2'000'000 + length * 3, 2'000'000 + length * 18, UINT64_MAX} {}

  [[nodiscard]] std::size_t place_of(std::uint64_t cost) const {
    return static_cast<std::size_t>(std::ranges::find_if(budgets, [&](auto budget) { return cost <= budget; }) - budgets.begin());
  }
  // What is slower than any other tool is not even written, unless there is nothing else.
  [[nodiscard]] bool wants(std::uint64_t cost) const {
    return place_of(cost) + 1 < best.size() || std::ranges::all_of(best, [](const Made& each) { return each.bytes.empty(); });
  }
  void add(Method method, std::uint64_t cost, std::string bytes) {
    const auto place = place_of(cost);
    if (best[place].bytes.empty() || bytes.size() < best[place].bytes.size()) best[place] = {method, std::move(bytes)};
  }
  // Slower only for a third less: a list that changed much (maltrail-daily v03) is read as fast as by other tools, and still smaller than theirs.
  Made& chosen() {
    Made* out = nullptr;
    for (auto& each : best)
      if (!each.bytes.empty() && (out == nullptr || each.bytes.size() < out->bytes.size() / 3 * 2)) out = &each;
    return *out;
  }

  std::array<std::uint64_t, 4> budgets;
  std::array<Made, 4> best;
};

Result<> add_splices(Candidates& out, std::string_view old, std::string_view fresh, const MakeOptions& options) {
  if (splice_memory > options.memory) return fail(Code::too_large, cat("splice would need ", std::to_string(splice_memory), " bytes of memory to apply it"));
  PICKET_LET(index, SuffixIndex::build(old));
  const auto header = write_header({Method::splice, fresh.size(), old.size()});
  // Texts and lists change in runs, programs' tables in places: what suits the one is dear for the other, so each way of seeing it is tried.
  for (const auto& way : {ParseOptions{.words = false, .least_gain = 24, .quote_from = 0}, ParseOptions{.words = false, .least_gain = 24, .quote_from = 16},
                              ParseOptions{.words = true, .least_gain = 8, .quote_from = 0}, ParseOptions{.words = true, .least_gain = 4, .quote_from = 0}}) {
    const auto steps = parse(old, fresh, index, way);
    for (const auto coding : {Coding::words, Coding::raw, Coding::mixed})
      if (const auto cost = effort(steps, coding); out.wants(cost)) out.add(Method::splice, cost, header + write_splice(old, fresh, steps, coding));
  }
  return {};
}

Result<> add_zstd(Candidates& out, std::string_view old, std::string_view fresh, const MakeOptions& options, std::size_t rival) {
  PICKET_LET(body, write_zstd(old, fresh, options, rival));
  out.add(Method::zstd, 0, write_header({Method::zstd, fresh.size(), old.size()}) + body);
  return {};
}

}  // namespace

Result<std::string> make_with(Method method, std::string_view old, std::string_view fresh, const MakeOptions& options) {
  Candidates candidates(fresh.size());
  PICKET_TRY(method == Method::zstd ? add_zstd(candidates, old, fresh, options, SIZE_MAX) : add_splices(candidates, old, fresh, options));
  auto& made = candidates.chosen();
  if (auto good = check(old, fresh, made.bytes, options); !good) return fail(std::move(good).error(), cat("a delta made with ", to_string(method)));
  return std::move(made.bytes);
}

Result<Made> make(std::string_view old, std::string_view fresh, const MakeOptions& options) {
  Candidates candidates(fresh.size());
  const auto splices = add_splices(candidates, old, fresh, options);
  if (!splices && splices.error().code != Code::too_large) return fail(splices.error());
  const auto zstd = add_zstd(candidates, old, fresh, options, splices ? candidates.chosen().bytes.size() : SIZE_MAX);
  if (!zstd && zstd.error().code != Code::too_large) return fail(zstd.error());
  if (!splices && !zstd) return fail(zstd.error());
  auto& made = candidates.chosen();
  if (auto good = check(old, fresh, made.bytes, options); !good) return fail(std::move(good).error(), cat("a delta made with ", to_string(made.method)));
  return std::move(made);
}

}  // namespace picket::delta
