#include "update/zstd_stream.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

namespace picket::update {
namespace {

constexpr int kMaxWindowLog = 24;  // 16 MB: what level 19 uses twice over. More is memory that a publisher may not demand of us

}  // namespace

Result<std::unique_ptr<ZstdStream>> ZstdStream::open(const std::filesystem::path& file, std::uint64_t max_bytes) {
  auto stream = std::unique_ptr<ZstdStream>(new ZstdStream(max_bytes));
  stream->fd_ = UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!stream->fd_) return fail_errno(cat("open ", file.native()));
  ::posix_fadvise(stream->fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  stream->context_ = ZSTD_createDCtx();
  if (stream->context_ == nullptr) return fail(Code::internal, "no memory for zstd");
  ZSTD_DCtx_setParameter(stream->context_, ZSTD_d_windowLogMax, kMaxWindowLog);
  stream->in_.resize(ZSTD_DStreamInSize());
  stream->out_.resize(ZSTD_DStreamOutSize());
  return stream;
}

ZstdStream::~ZstdStream() { ZSTD_freeDCtx(context_); }

Result<std::string_view> ZstdStream::produce() {
  while (!at_end_) {
    if (in_at_ == in_end_) {
      const auto got = ::read(fd_.get(), in_.data(), in_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno("read");
      in_at_ = 0;
      in_end_ = static_cast<std::size_t>(got);
      if (got == 0) {
        if (frame_open_) return fail(Code::untrusted, "the compressed data end too early");
        at_end_ = true;
        break;
      }
    }
    ZSTD_inBuffer in{in_.data(), in_end_, in_at_};
    ZSTD_outBuffer out{out_.data(), out_.size(), 0};
    const auto left = ZSTD_decompressStream(context_, &out, &in);
    if (ZSTD_isError(left)) return fail(Code::untrusted, cat("damaged compressed data: ", ZSTD_getErrorName(left)));
    in_at_ = in.pos;
    frame_open_ = left != 0;
    if (out.pos == 0) continue;
    return std::string_view(out_.data(), out.pos);
  }
  return std::string_view();
}

}  // namespace picket::update
