#include "update/unpack.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "update/zstd_stream.hpp"

namespace picket::update {
namespace {

constexpr std::size_t kMaxDepth = 16;

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};

// What libarchive reads from; the first error of ours is kept, because libarchive has only texts.
struct Input {
  ContentStream& stream;
  std::optional<Error> error;
};

la_ssize_t read_more(archive* handle, void* data, const void** bytes) {
  auto& input = *static_cast<Input*>(data);
  auto chunk = input.stream.next();
  if (!chunk) {
    archive_set_error(handle, EIO, "%s", chunk.error().message.c_str());
    input.error = std::move(chunk).error();
    return ARCHIVE_FATAL;
  }
  *bytes = chunk->data();
  return static_cast<la_ssize_t>(chunk->size());
}

class Unpacker {
 public:
  Unpacker(int folder, const Expected& expected, const Steps& steps, const core::CancelToken& cancel)
      : folder_(folder), expected_(expected), steps_(steps), cancel_(cancel) {}

  [[nodiscard]] Result<> member(archive* handle, archive_entry* entry) {
    const char* raw = archive_entry_pathname_utf8(entry);  // independent of the locale
    if (raw == nullptr) raw = archive_entry_pathname(entry);
    if (raw == nullptr) return fail(Code::untrusted, "a member without a name");
    std::string path(raw);
    const bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;
    if (is_folder && path.size() > 1 && path.back() == '/') path.pop_back();
    if (is_folder && (path == "." || path.empty())) return {};
    if (auto good = check_member_path(path); !good) return fail(std::move(good).error(), "member");
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr) return fail(Code::untrusted, cat("member ", path, ": is a link"));
    if (is_folder) return make_folder(path);
    if (archive_entry_filetype(entry) != AE_IFREG) return fail(Code::untrusted, cat("member ", path, ": neither a file nor a folder"));
    if (++files_ > expected_.files) return fail(Code::untrusted, cat("holds more than the ", std::to_string(expected_.files), " files that were signed"));
    if (const auto slash = path.rfind('/'); slash != path.npos) PICKET_TRY(make_folder(path.substr(0, slash)));
    return write_file(handle, path, (archive_entry_perm(entry) & 0100) != 0);
  }

  [[nodiscard]] Result<> finish() const {
    if (files_ != expected_.files || bytes_ != expected_.unpacked)
      return fail(Code::untrusted, cat("holds ", std::to_string(files_), " files with ", std::to_string(bytes_), " bytes, signed were ",
                                       std::to_string(expected_.files), " files with ", std::to_string(expected_.unpacked), " bytes"));
    return {};
  }

 private:
  [[nodiscard]] Result<> make_folder(const std::string& path) {
    if (path == last_folder_) return {};
    // Each part by itself: an archive need not list its folders. Nothing below our own staging folder can be a link, since we make none.
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
      const auto part = path.substr(0, end);
      if (::mkdirat(folder_, part.c_str(), 0755) == 0) {
        if (++folders_ > expected_.files * kMaxDepth + kMaxDepth) return fail(Code::untrusted, "holds more folders than its files can need");
      } else if (errno != EEXIST) {
        return fail_errno(cat("create folder ", part));
      }
      if (end == path.npos) break;
    }
    last_folder_ = path;
    return {};
  }

  [[nodiscard]] Result<> write_file(archive* handle, const std::string& path, bool executable) {
    steps_("unpack.file");
    const UniqueFd fd(::openat(folder_, path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444));
    if (!fd) return errno == EEXIST ? Result<>(fail(Code::untrusted, cat("member ", path, ": stands there twice"))) : fail_errno(cat("create ", path));
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0, at = 0;
    for (;;) {
      if (cancel_.is_cancelled()) return fail(Code::cancelled, "cancelled");
      const int status = archive_read_data_block(handle, &data, &size, &offset);
      if (status == ARCHIVE_EOF) break;
      if (status != ARCHIVE_OK) return fail(Code::untrusted, cat("member ", path, ": ", archive_error_string(handle)));
      if (offset != at) return fail(Code::untrusted, cat("member ", path, ": a sparse file"));
      if (size > expected_.unpacked - bytes_) return fail(Code::untrusted, cat("holds more than the ", std::to_string(expected_.unpacked), " bytes that were signed"));
      bytes_ += size;
      at += static_cast<la_int64_t>(size);
      if (auto put = write_all(fd.get(), {static_cast<const char*>(data), size}); !put) return fail(std::move(put).error(), cat("write ", path));
    }
    // Begins to write it back; whoever reads the folder again waits for the end.
    ::sync_file_range(fd.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    if (::fchmod(fd.get(), executable ? 0555 : 0444) != 0) return fail_errno(cat("set mode of ", path));
    return {};
  }

  int folder_;
  const Expected& expected_;
  const Steps& steps_;
  const core::CancelToken& cancel_;
  std::uint64_t files_ = 0, folders_ = 0, bytes_ = 0;
  std::string last_folder_;
};

}  // namespace

Result<> check_member_path(std::string_view path) {
  auto bad = [&](std::string_view why) { return fail(Code::untrusted, cat("name \"", plain_line(path, 200), "\" ", why)); };
  if (path.empty()) return bad("is empty");
  if (path.front() == '/') return bad("is absolute");
  if (path.size() > 1024) return bad("is too long");
  if (!is_valid_utf8(path)) return bad("is not UTF-8");  // it is told in messages and lines that hold nothing else
  std::size_t depth = 0;
  for (std::size_t at = 0; at <= path.size();) {
    const auto end = std::min(path.find('/', at), path.size());
    const auto part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return bad(cat("has the part \"", part, "\""));
    if (part.size() > 255) return bad("has a part that is too long");
    if (++depth > kMaxDepth) return bad("is too deep");
    at = end + 1;
  }
  for (const char c : path)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return bad("holds a character that no name may hold");
  return {};
}

Result<> unpack(const std::filesystem::path& archive_path, const std::filesystem::path& folder, const Expected& expected, const Steps& steps,
                const core::CancelToken& cancel) {
  PICKET_LET(stream, ZstdStream::open(archive_path, expected.content_length));
  return unpack(*stream, folder, expected, steps, cancel);
}

Result<> unpack(ContentStream& stream, const std::filesystem::path& folder, const Expected& expected, const Steps& steps, const core::CancelToken& cancel) {
  const UniqueFd folder_fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder_fd) return fail_errno(cat("open folder ", folder.native()));
  const std::unique_ptr<archive, FreeArchive> handle(archive_read_new());
  if (!handle) return fail(Code::internal, "no memory for libarchive");
  archive_read_support_format_tar(handle.get());
  archive_read_set_option(handle.get(), "tar", "read_concatenated_archives", nullptr);
  Input input{stream, std::nullopt};
  if (archive_read_open(handle.get(), &input, nullptr, read_more, nullptr) != ARCHIVE_OK) {
    if (input.error) return fail(std::move(*input.error));
    return fail(Code::untrusted, cat("no tar archive: ", archive_error_string(handle.get())));
  }
  Unpacker unpacker(folder_fd.get(), expected, steps, cancel);
  for (;;) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(handle.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {  // a warning is about converting a name to the locale
      if (input.error) return fail(std::move(*input.error));
      return fail(Code::untrusted, cat("damaged archive: ", archive_error_string(handle.get())));
    }
    auto done = unpacker.member(handle.get(), entry);
    if (!done) return fail(input.error ? std::move(*input.error) : std::move(done).error());
  }
  PICKET_TRY(unpacker.finish());
  // libarchive stops at the end mark; the digest covers all bytes.
  for (;;) {
    auto rest = stream.next();
    if (!rest) return fail(std::move(rest).error());
    if (rest->empty()) break;
  }
  if (stream.bytes() != expected.content_length)
    return fail(Code::untrusted, cat("holds ", std::to_string(stream.bytes()), " bytes of content, signed were ", std::to_string(expected.content_length)));
  if (stream.finish_hex() != expected.content_sha256) return fail(Code::untrusted, "the content's digest is not the one that was signed");
  return {};
}

}  // namespace picket::update
