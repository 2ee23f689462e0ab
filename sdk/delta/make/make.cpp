#include "delta/make/make.hpp"

#include <algorithm>
#include <array>

#include "delta/make/write.hpp"

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

// The smallest that is read as fast as other tools would read theirs: like a copy with matches, else like bsdiff, which sorts out more.
std::string make_splice(std::string_view old, std::string_view fresh, const SuffixIndex& index) {
  const std::array<std::uint64_t, 4> budgets{2'000'000 + fresh.size() * 13 / 10, 2'000'000 + fresh.size() * 3, 2'000'000 + fresh.size() * 18, UINT64_MAX};
  std::array<std::string, budgets.size()> best;
  // Texts and lists change in runs, programs' tables in places: what suits the one is dear for the other, so each way of seeing it is tried.
  for (const auto& options : {ParseOptions{.words = false, .least_gain = 24, .quote_from = 0}, ParseOptions{.words = false, .least_gain = 24, .quote_from = 16},
                              ParseOptions{.words = true, .least_gain = 8, .quote_from = 0}, ParseOptions{.words = true, .least_gain = 4, .quote_from = 0}}) {
    const auto steps = parse(old, fresh, index, options);
    for (const auto coding : {Coding::mixed, Coding::raw, Coding::words}) {
      const auto cost = effort(steps, coding);
      const auto place = static_cast<std::size_t>(std::ranges::find_if(budgets, [&](auto budget) { return cost <= budget; }) - budgets.begin());
      auto made = write_splice(old, fresh, steps, coding);
      if (best[place].empty() || made.size() < best[place].size()) best[place] = std::move(made);
    }
  }
  // Slower only for much less.
  std::string* chosen = nullptr;
  for (auto& each : best)
    if (!each.empty() && (chosen == nullptr || each.size() < chosen->size() / 5 * 4)) chosen = &each;
  return std::move(*chosen);
}

Result<std::string> make_against(std::size_t rival, Method method, std::string_view old, std::string_view fresh, const MakeOptions& options) {
  auto out = write_header({method, fresh.size(), old.size()});
  if (method == Method::zstd) {
    PICKET_LET(body, write_zstd(old, fresh, options, rival));
    out += body;
  } else {
    PICKET_LET(index, SuffixIndex::build(old));
    out += make_splice(old, fresh, index);
  }
  if (auto good = check(old, fresh, out, options); !good) return fail(std::move(good).error(), cat("a delta made with ", to_string(method)));
  return out;
}

}  // namespace

Result<std::string> make_with(Method method, std::string_view old, std::string_view fresh, const MakeOptions& options) {
  return make_against(SIZE_MAX, method, old, fresh, options);
}

Result<Made> make(std::string_view old, std::string_view fresh, const MakeOptions& options) {
  Made best;
  Error why;
  for (const auto method : {Method::splice, Method::zstd}) {
    auto made = make_against(best.bytes.empty() ? SIZE_MAX : best.bytes.size(), method, old, fresh, options);
    if (!made) {
      if (made.error().code != Code::too_large) return fail(std::move(made).error());
      why = std::move(made).error();
    } else if (best.bytes.empty() || made->size() < best.bytes.size()) {
      best = {method, std::move(*made)};
    }
  }
  if (best.bytes.empty()) return fail(std::move(why));
  return best;
}

}  // namespace picket::delta
