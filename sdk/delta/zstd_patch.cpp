#include <zstd.h>

#include "delta/methods.hpp"

namespace picket::delta {

namespace {

class ZstdPatch final : public Patch {
 public:
  ZstdPatch(const Header& header, std::string_view body) : header_(header), in_{body.data(), body.size(), 0}, buffer_(ZSTD_DStreamOutSize(), '\0') {}

  Result<> begin(std::string_view old, unsigned window) {
    if (!stream_) return fail(Code::internal, "no memory for zstd");
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_experimentalParam1, 1);  // ZSTD_f_zstd1_magicless
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, static_cast<int>(window));
    const auto done = ZSTD_DCtx_refPrefix(stream_.get(), old.data(), old.size());
    if (ZSTD_isError(done)) return fail(Code::internal, cat("zstd: ", ZSTD_getErrorName(done)));
    return {};
  }

  Result<std::string_view> next() override {
    ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
    while (!ended_ && out.pos == 0) {
      const auto before = in_.pos;
      const auto left = ZSTD_decompressStream(stream_.get(), &out, &in_);
      if (ZSTD_isError(left)) return fail(Code::untrusted, cat("damaged delta: ", ZSTD_getErrorName(left)));
      ended_ = left == 0;
      if (!ended_ && out.pos == 0 && in_.pos == before) return fail(Code::untrusted, "damaged delta: it ends too early");
    }
    if (out.pos > header_.new_length - made_) return fail(Code::untrusted, "damaged delta: more bytes than it said");
    made_ += out.pos;
    if (out.pos == 0 && made_ != header_.new_length) return fail(Code::untrusted, "damaged delta: fewer bytes than it said");
    return std::string_view(buffer_.data(), out.pos);
  }

  const Header& header() const override { return header_; }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* stream) const { ZSTD_freeDCtx(stream); }
  };
  const Header header_;
  const std::unique_ptr<ZSTD_DCtx, Free> stream_{ZSTD_createDCtx()};
  ZSTD_inBuffer in_;
  std::string buffer_;
  std::uint64_t made_ = 0;
  bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<Patch>> open_zstd(const Header& header, std::string_view old, std::string_view body, std::uint64_t memory) {
  if (body.empty()) return fail(Code::untrusted, "damaged delta: it ends too early");
  const unsigned window = static_cast<std::uint8_t>(body[0]);
  if (window < 10 || window > 31) return fail(Code::untrusted, "damaged delta: a window that zstd does not know");
  if ((std::uint64_t{1} << window) > memory)
    return fail(Code::too_large, cat("the delta needs a window of ", std::to_string(std::uint64_t{1} << window), " bytes, ", std::to_string(memory), " are allowed"));
  auto patch = std::make_unique<ZstdPatch>(header, body.substr(1));
  PICKET_TRY(patch->begin(old, window));
  return patch;
}

}  // namespace picket::delta
