#include "delta/make/make.hpp"

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

void keep_smaller(std::string& best, std::string other) {
  if (best.empty() || other.size() < best.size()) best = std::move(other);
}

std::string make_splice(std::string_view old, std::string_view fresh, const SuffixIndex& index) {
  std::string best;
  // Texts and lists change in runs, programs' tables in places: what suits the one is dear for the other, so each way of seeing it is tried.
  for (const auto& options : {ParseOptions{.words = false, .least_gain = 24, .quote_from = 0}, ParseOptions{.words = false, .least_gain = 24, .quote_from = 16},
                              ParseOptions{.words = true, .least_gain = 8, .quote_from = 0}}) {
    const auto steps = parse(old, fresh, index, options);
    keep_smaller(best, write_splice(old, fresh, steps, 0));
    keep_smaller(best, write_splice(old, fresh, steps, splice_raw_literals));
  }
  return best;
}

}  // namespace

Result<std::string> make_with(Method method, std::string_view old, std::string_view fresh, const MakeOptions& options) {
  auto out = write_header({method, fresh.size(), old.size()});
  if (method == Method::zstd) {
    PICKET_LET(body, write_zstd(old, fresh, options));
    out += body;
  } else {
    PICKET_LET(index, SuffixIndex::build(old));
    out += make_splice(old, fresh, index);
  }
  if (auto good = check(old, fresh, out, options); !good) return fail(std::move(good).error(), cat("a delta made with ", to_string(method)));
  return out;
}

Result<Made> make(std::string_view old, std::string_view fresh, const MakeOptions& options) {
  Made best;
  Error why;
  for (const auto method : {Method::splice, Method::zstd}) {
    auto made = make_with(method, old, fresh, options);
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
