#include <algorithm>
#include <bit>
#include <memory>

#include <zstd.h>

#include "delta/make/write.hpp"

namespace picket::delta {

namespace {

struct Parameters {
  int level, least_match;  // 0: the level's own
};

Result<std::string> write(std::string_view old, std::string_view fresh, int window, const Parameters& parameters) {
  struct Free {
    void operator()(ZSTD_CCtx* stream) const { ZSTD_freeCCtx(stream); }
  };
  const std::unique_ptr<ZSTD_CCtx, Free> stream(ZSTD_createCCtx());
  const auto set = [&](ZSTD_cParameter what, int value) { return !ZSTD_isError(ZSTD_CCtx_setParameter(stream.get(), what, value)); };
  if (!stream || !set(ZSTD_c_compressionLevel, parameters.level) || !set(ZSTD_c_minMatch, parameters.least_match) || !set(ZSTD_c_windowLog, window) ||
      !set(ZSTD_c_enableLongDistanceMatching, 1) || !set(ZSTD_c_contentSizeFlag, 0) || !set(ZSTD_c_checksumFlag, 0) ||
      !set(ZSTD_c_experimentalParam2, 1))  // ZSTD_f_zstd1_magicless
    return fail(Code::internal, "zstd refuses its parameters");
  ZSTD_CCtx_setPledgedSrcSize(stream.get(), fresh.size());
  ZSTD_CCtx_refPrefix(stream.get(), old.data(), old.size());
  std::string out(ZSTD_compressBound(fresh.size()) + 1, '\0');
  out[0] = static_cast<char>(window);
  const auto size = ZSTD_compress2(stream.get(), out.data() + 1, out.size() - 1, fresh.data(), fresh.size());
  if (ZSTD_isError(size)) return fail(Code::internal, cat("zstd: ", ZSTD_getErrorName(size)));
  out.resize(size + 1);
  return out;
}

}  // namespace

Result<std::string> write_zstd(std::string_view old, std::string_view fresh, const MakeOptions& options, std::size_t rival) {
  // The window covers old and new, or the delta silently grows.
  const auto window = std::max(17, static_cast<int>(std::bit_width(old.size() + fresh.size())));
  if (window > 30 || (std::uint64_t{1} << window) > options.memory)
    return fail(Code::too_large, cat("zstd would need a window of 2^", std::to_string(window), " bytes to apply it"));
  // Much that is new wants longer matches than the level takes, little the most patient level: no one set of parameters is always smaller.
  PICKET_LET(out, write(old, fresh, window, {19, 6}));
  if (out.size() / 5 * 4 > rival) return out;  // it will not be chosen
  PICKET_LET(patient, write(old, fresh, window, {ZSTD_maxCLevel(), 0}));
  return patient.size() < out.size() ? std::move(patient) : std::move(out);
}

}  // namespace picket::delta
