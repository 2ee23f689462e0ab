#include "repo/archive.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"

namespace picket::repo {

namespace {

namespace fs = std::filesystem;

constexpr unsigned max_depth = 64;
constexpr std::size_t max_entries = 1'000'000;
constexpr int min_window_log = 17, max_window_log = 23;  // what a reader must hold in memory while unpacking: at most 8 MB

struct Entry {
  std::string name;  // relative, "/" between parts
  bool is_folder = false, executable = false;
  std::uint64_t size = 0;
};

struct Walk {
  std::vector<Entry> entries;
  std::uint64_t bytes = 0, files = 0;
};

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Result<> check_name(std::string_view name, const std::string& shown) {
  if (!is_valid_utf8(name)) return fail(Code::invalid, cat(shown, ": its name is not UTF-8"));
  for (const char c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return fail(Code::invalid, cat(shown, ": its name holds a control character or a backslash"));
  return {};
}

Result<> walk(int parent, const char* name, const fs::path& shown, const std::string& prefix, unsigned depth, Walk& out) {
  if (depth > max_depth) return fail(Code::too_large, cat(shown.native(), ": nested deeper than 64 folders"));
  // The folder that the publisher named may be a link; below it none is followed.
  UniqueFd fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth > 0 ? O_NOFOLLOW : 0)));
  if (!fd) return fail_errno(cat("open folder ", shown.native()));
  const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(::dup(fd.get())));
  if (!folder) return fail_errno(cat("read folder ", shown.native()));
  for (;;) {
    errno = 0;
    const auto* found = ::readdir(folder.get());
    if (!found && errno != 0) return fail_errno(cat("read folder ", shown.native()));
    if (!found) return {};
    const std::string_view child = found->d_name;
    if (child == "." || child == "..") continue;
    const auto child_shown = shown / child;
    PICKET_TRY(check_name(child, child_shown.native()));
    struct stat info {};
    if (::fstatat(fd.get(), found->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno(cat("stat ", child_shown.native()));
    const auto full = prefix + std::string(child);
    if (out.entries.size() >= max_entries) return fail(Code::too_large, cat(child_shown.native(), ": more than 1000000 entries"));
    if (S_ISDIR(info.st_mode)) {
      out.entries.push_back({full + "/", true, true, 0});
      PICKET_TRY(walk(fd.get(), found->d_name, child_shown, full + "/", depth + 1, out));
    } else if (S_ISREG(info.st_mode)) {
      const auto size = static_cast<std::uint64_t>(info.st_size);
      out.entries.push_back({full, false, (info.st_mode & S_IXUSR) != 0, size});
      out.bytes += size;
      ++out.files;
    } else {
      const std::string_view what = S_ISLNK(info.st_mode) ? "a symbolic link" : S_ISFIFO(info.st_mode) ? "a pipe" : S_ISSOCK(info.st_mode) ? "a socket" : "a device";
      return fail(Code::invalid, cat(child_shown.native(), ": is ", what, "; only files and folders can be published"));
    }
  }
}

// Receives the tar, hashes it, compresses it, hashes and writes what comes out.
class Sink {
 public:
  Sink(int fd, int level, std::uint64_t size_bound) : fd_(fd), stream_(ZSTD_createCCtx()), buffer_(ZSTD_CStreamOutSize(), '\0') {
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
      PICKET_TRY(write_all(fd_, made));
      if (end ? left == 0 : in.pos == in.size) return {};
    }
  }

  [[nodiscard]] Packed finish() {
    packed_.sha256 = target_.finish_hex();
    packed_.content_sha256 = content_.finish_hex();
    return packed_;
  }

  std::string why;  // what put() said to libarchive's callback

 private:
  struct Free {
    void operator()(ZSTD_CCtx* stream) const { ZSTD_freeCCtx(stream); }
  };
  int fd_;
  std::unique_ptr<ZSTD_CCtx, Free> stream_;
  std::string buffer_;
  Digest content_, target_;
  Packed packed_;
};

la_ssize_t write_to_sink(archive*, void* data, const void* bytes, std::size_t size) {
  auto& sink = *static_cast<Sink*>(data);
  if (auto put = sink.put({static_cast<const char*>(bytes), size}, false); !put) {
    sink.why = put.error().message;
    return -1;
  }
  return static_cast<la_ssize_t>(size);
}

struct FreeArchive {
  void operator()(archive* tar) const { archive_write_free(tar); }
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

Error tar_error(archive* tar, const Sink& sink, std::string_view what) {
  return Error{Code::io, cat(what, ": ", sink.why.empty() ? archive_error_string(tar) ? archive_error_string(tar) : "cannot be written" : sink.why)};
}

Result<> add_entry(archive* tar, Sink& sink, int root, const fs::path& folder, const Entry& entry, Progress& progress) {
  const auto shown = (folder / entry.name).native();
  const std::unique_ptr<archive_entry, FreeArchive> header(archive_entry_new());
  archive_entry_set_pathname(header.get(), entry.name.c_str());
  archive_entry_set_filetype(header.get(), entry.is_folder ? AE_IFDIR : AE_IFREG);
  archive_entry_set_perm(header.get(), entry.executable ? 0755 : 0644);
  archive_entry_set_size(header.get(), static_cast<la_int64_t>(entry.size));
  archive_entry_set_mtime(header.get(), 0, 0);
  archive_entry_set_uid(header.get(), 0);
  archive_entry_set_gid(header.get(), 0);
  if (archive_write_header(tar, header.get()) < ARCHIVE_OK) return fail(tar_error(tar, sink, shown));
  if (entry.is_folder) return {};
  const UniqueFd fd(::openat(root, entry.name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return fail_errno(cat("open ", shown));
  char buffer[1 << 16];
  std::uint64_t done = 0;
  for (;;) {
    const auto got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(cat("read ", shown));
    if (got == 0) break;
    done += static_cast<std::uint64_t>(got);
    if (done > entry.size) break;
    if (archive_write_data(tar, buffer, static_cast<std::size_t>(got)) < 0) return fail(tar_error(tar, sink, shown));
    progress.add(static_cast<std::uint64_t>(got));
  }
  if (done != entry.size) return fail(Code::conflict, cat(shown, ": changed while it was read"));
  return {};
}

// Runs `fill` on a new file beside `out` and gives it its name only when everything went well.
Result<Packed> create(const fs::path& out, const std::function<Result<Packed>(int)>& fill) {
  PICKET_TRY(make_folders(out.parent_path()));
  const auto temporary = out.parent_path() / cat(".", out.filename().native(), ".", to_hex(random_bytes(6)), ".tmp");
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail_errno(cat("create ", temporary.native()));
  if (::fchmod(fd.get(), 0644) != 0) return fail_errno(cat("set mode of ", temporary.native()));  // a web server reads it, whatever our umask
  auto packed = fill(fd.get());
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
  Walk found;
  PICKET_TRY(walk(AT_FDCWD, folder.c_str(), folder, "", 0, found));
  if (found.files == 0) return fail(Code::invalid, cat(folder.native(), ": holds no file"));
  std::sort(found.entries.begin(), found.entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  progress.set_total(found.bytes);
  const UniqueFd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno(cat("open folder ", folder.native()));
  return create(out, [&](int fd) -> Result<Packed> {
    Sink sink(fd, level, found.bytes + 2048 * found.entries.size());
    const std::unique_ptr<archive, FreeArchive> tar(archive_write_new());
    archive_write_set_format_gnutar(tar.get());  // carries names as bytes, whatever the locale
    archive_write_add_filter_none(tar.get());
    archive_write_set_bytes_per_block(tar.get(), 1 << 16);
    archive_write_set_bytes_in_last_block(tar.get(), 512);
    if (archive_write_open2(tar.get(), &sink, nullptr, write_to_sink, nullptr, nullptr) != ARCHIVE_OK) return fail(tar_error(tar.get(), sink, "tar"));
    for (const auto& entry : found.entries) PICKET_TRY(add_entry(tar.get(), sink, root.get(), folder, entry, progress));
    if (archive_write_close(tar.get()) != ARCHIVE_OK) return fail(tar_error(tar.get(), sink, "tar"));
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
  return create(out, [&](int fd) -> Result<Packed> {
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
      PICKET_TRY(write_all(fd, bytes));
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
