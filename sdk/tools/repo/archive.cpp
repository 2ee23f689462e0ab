#include "repo/archive.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <functional>
#include <memory>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "content/tar.hpp"

namespace picket::repo {

namespace {

namespace fs = std::filesystem;

constexpr int min_window_log = 17, max_window_log = 23;  // what a reader must hold in memory while unpacking: at most 8 MB

using Write = std::function<Result<>(std::string_view)>;

// Receives the tar, hashes it, compresses it, hashes and writes what comes out.
class Sink {
 public:
  Sink(const Write& write, int level, std::uint64_t size_bound) : write_(write), stream_(ZSTD_createCCtx()), buffer_(ZSTD_CStreamOutSize(), '\0') {
    ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_windowLog, std::clamp(static_cast<int>(std::bit_width(size_bound)), min_window_log, max_window_log));
  }

  [[nodiscard]] Result<> put(std::string_view bytes, bool end) {
    content_.update(bytes);
    packed_.content_length += bytes.size();
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const auto left = ZSTD_compressStream2(stream_.get(), &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(left)) return fail(Code::internal, cat("compress: ", ZSTD_getErrorName(left)));
      const std::string_view made(buffer_.data(), out.pos);
      target_.update(made);
      packed_.length += made.size();
      PICKET_TRY(write_(made));
      if (end ? left == 0 : in.pos == in.size) return {};
    }
  }

  [[nodiscard]] Packed finish() {
    packed_.sha256 = target_.finish_hex();
    packed_.content_sha256 = content_.finish_hex();
    return packed_;
  }

 private:
  struct Free {
    void operator()(ZSTD_CCtx* stream) const { ZSTD_freeCCtx(stream); }
  };
  const Write& write_;
  std::unique_ptr<ZSTD_CCtx, Free> stream_;
  std::string buffer_;
  Digest content_, target_;
  Packed packed_;
};

// Runs `fill` on a new file beside `out` and gives it its name only when everything went well.
Result<Packed> create(const fs::path& out, const std::function<Result<Packed>(const Write&)>& fill) {
  PICKET_TRY(make_folders(out.parent_path()));
  remove_leftovers(out.parent_path());  // of one that was killed: they may be large
  const auto temporary = temporary_beside(out);
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail_errno(cat("create ", temporary.native()));
  if (::fchmod(fd.get(), 0644) != 0) return fail_errno(cat("set mode of ", temporary.native()));  // a web server reads it, whatever our umask
  auto packed = fill([&](std::string_view bytes) -> Result<> {
    if (auto put = write_all(fd.get(), bytes); !put) return fail(std::move(put).error(), out.native());
    return {};
  });
  if (packed && ::fsync(fd.get()) != 0) packed = fail_errno(cat("fsync ", temporary.native()));
  if (packed && ::rename(temporary.c_str(), out.c_str()) != 0) packed = fail_errno(cat("rename to ", out.native()));
  if (!packed) {
    ::unlink(temporary.c_str());
    return packed;
  }
  PICKET_TRY(sync_folder(out.parent_path()));
  return packed;
}

}  // namespace

Result<Packed> pack_folder(const fs::path& folder, const fs::path& out, int level, Progress& progress) {
  PICKET_LET(found, content::list(folder));
  if (found.files == 0) return fail(Code::invalid, cat(folder.native(), ": holds no file"));
  progress.set_total(found.bytes);
  return create(out, [&](const Write& write) -> Result<Packed> {
    Sink sink(write, level, found.bytes + 2048 * found.entries.size());
    PICKET_TRY(content::write_tar(folder, found, [&](std::string_view bytes) {
      progress.add(bytes.size());
      return sink.put(bytes, false);
    }));
    PICKET_TRY(sink.put({}, true));
    auto packed = sink.finish();
    packed.files = found.files;
    packed.unpacked = found.bytes;
    progress.finish();
    return packed;
  });
}

Result<Packed> pack_file(const fs::path& file, const fs::path& out, Progress& progress) {
  const UniqueFd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!in) return fail_errno(cat("open ", file.native()));
  struct stat info {};
  if (::fstat(in.get(), &info) != 0) return fail_errno(cat("stat ", file.native()));
  if (!S_ISREG(info.st_mode)) return fail(Code::invalid, cat(file.native(), ": is neither a folder nor a regular file"));
  progress.set_total(static_cast<std::uint64_t>(info.st_size));
  return create(out, [&](const Write& write) -> Result<Packed> {
    Packed packed;
    Digest digest;
    std::string buffer(1 << 18, '\0');
    for (;;) {
      const auto got = ::read(in.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(cat("read ", file.native()));
      if (got == 0) break;
      const auto bytes = std::string_view(buffer).substr(0, static_cast<std::size_t>(got));
      digest.update(bytes);
      packed.length += bytes.size();
      PICKET_TRY(write(bytes));
      progress.update(packed.length);
    }
    if (packed.length == 0) return fail(Code::invalid, cat(file.native(), ": is empty"));
    packed.sha256 = packed.content_sha256 = digest.finish_hex();
    packed.content_length = packed.unpacked = packed.length;
    packed.files = 1;
    progress.finish();
    return packed;
  });
}

Result<std::string> read_content(const fs::path& target, bool compressed, std::uint64_t length) {
  struct stat info {};
  if (::stat(target.c_str(), &info) != 0) return fail_errno(target.native());
  PICKET_LET(bytes, read_file(target, static_cast<std::uint64_t>(info.st_size)));
  if (compressed) {
    std::string content(length, '\0');
    const auto size = ZSTD_decompress(content.data(), content.size(), bytes.data(), bytes.size());
    if (ZSTD_isError(size)) return fail(Code::untrusted, cat(target.native(), ": is not good zstd: ", ZSTD_getErrorName(size)));
    content.resize(size);
    bytes = std::move(content);
  }
  if (bytes.size() != length) return fail(Code::untrusted, cat(target.native(), ": does not hold the ", std::to_string(length), " bytes that were signed"));
  return std::move(bytes);
}

Result<Packed> measure(const fs::path& target, bool compressed, std::uint64_t max_content, Progress& progress) {
  const UniqueFd in(::open(target.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!in) return fail_errno(cat("open ", target.native()));
  struct Free {
    void operator()(ZSTD_DCtx* stream) const { ZSTD_freeDCtx(stream); }
  };
  const std::unique_ptr<ZSTD_DCtx, Free> stream(ZSTD_createDCtx());
  ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, 27);
  std::string buffer(1 << 17, '\0'), unpacked(ZSTD_DStreamOutSize(), '\0');
  Digest digest, content;
  Packed out;
  std::size_t state = compressed ? 1 : 0;  // 0: at the end of a zstd frame
  for (;;) {
    const auto got = ::read(in.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(cat("read ", target.native()));
    if (got == 0) break;
    const auto bytes = std::string_view(buffer).substr(0, static_cast<std::size_t>(got));
    digest.update(bytes);
    out.length += bytes.size();
    progress.add(bytes.size());
    ZSTD_inBuffer from{bytes.data(), compressed ? bytes.size() : 0, 0};
    bool more = compressed;
    while (more) {
      ZSTD_outBuffer to{unpacked.data(), unpacked.size(), 0};
      state = ZSTD_decompressStream(stream.get(), &to, &from);
      if (ZSTD_isError(state)) return fail(Code::untrusted, cat(target.native(), ": is not good zstd: ", ZSTD_getErrorName(state)));
      out.content_length += to.pos;
      if (out.content_length > max_content) return fail(Code::untrusted, cat(target.native(), ": unpacks to more than its metadata says"));
      content.update(std::string_view(unpacked).substr(0, to.pos));
      more = from.pos < from.size || (to.pos == to.size && state != 0);
    }
  }
  if (state != 0) return fail(Code::untrusted, cat(target.native(), ": its zstd frame does not end"));
  out.sha256 = digest.finish_hex();
  if (!compressed) {
    out.content_length = out.length;
    out.content_sha256 = out.sha256;
  } else {
    out.content_sha256 = content.finish_hex();
  }
  return out;
}

}  // namespace picket::repo
