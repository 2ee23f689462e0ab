#include "content/tar.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/files.hpp"

namespace picket::content {

namespace {

namespace fs = std::filesystem;

constexpr unsigned max_depth = 64;
constexpr std::size_t max_entries = 1'000'000;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Result<> check_name(std::string_view name, const std::string& shown) {
  if (!is_valid_utf8(name)) return fail(Code::invalid, cat(shown, ": its name is not UTF-8"));
  for (const char c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return fail(Code::invalid, cat(shown, ": its name holds a control character or a backslash"));
  return {};
}

Result<> walk(int parent, const char* name, const fs::path& shown, const std::string& prefix, unsigned depth, Listing& out) {
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

// What libarchive writes to; the first error of ours is kept, because libarchive has only texts.
struct Output {
  const Sink& sink;
  std::optional<Error> error;
};

la_ssize_t write_to_sink(archive*, void* data, const void* bytes, std::size_t size) {
  auto& output = *static_cast<Output*>(data);
  if (auto put = output.sink({static_cast<const char*>(bytes), size}); !put) {
    output.error = std::move(put).error();
    return -1;
  }
  return static_cast<la_ssize_t>(size);
}

struct FreeArchive {
  void operator()(archive* tar) const { archive_write_free(tar); }
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

Error tar_error(archive* tar, Output& output, std::string_view what) {
  if (output.error) return std::move(*output.error);
  return Error{Code::io, cat(what, ": ", archive_error_string(tar) ? archive_error_string(tar) : "cannot be written")};
}

Result<> add_entry(archive* tar, Output& output, int root, const fs::path& folder, const Entry& entry, char* buffer, std::size_t size) {
  const auto shown = (folder / entry.name).native();
  const std::unique_ptr<archive_entry, FreeArchive> header(archive_entry_new());
  archive_entry_set_pathname(header.get(), entry.name.c_str());
  archive_entry_set_filetype(header.get(), entry.is_folder ? AE_IFDIR : AE_IFREG);
  archive_entry_set_perm(header.get(), entry.executable ? 0755 : 0644);
  archive_entry_set_size(header.get(), static_cast<la_int64_t>(entry.size));
  archive_entry_set_mtime(header.get(), 0, 0);
  archive_entry_set_uid(header.get(), 0);
  archive_entry_set_gid(header.get(), 0);
  if (archive_write_header(tar, header.get()) < ARCHIVE_OK) return fail(tar_error(tar, output, shown));
  if (entry.is_folder) return {};
  const UniqueFd fd(::openat(root, entry.name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return fail_errno(cat("open ", shown));
  std::uint64_t done = 0;
  for (;;) {
    const auto got = ::read(fd.get(), buffer, size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(cat("read ", shown));
    if (got == 0) break;
    done += static_cast<std::uint64_t>(got);
    if (done > entry.size) break;
    if (archive_write_data(tar, buffer, static_cast<std::size_t>(got)) < 0) return fail(tar_error(tar, output, shown));
  }
  if (done != entry.size) return fail(Code::conflict, cat(shown, ": changed while it was read"));
  return {};
}

}  // namespace

Result<Listing> list(const fs::path& folder) {
  Listing out;
  PICKET_TRY(walk(AT_FDCWD, folder.c_str(), folder, "", 0, out));
  std::sort(out.entries.begin(), out.entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

Result<> write_tar(const fs::path& folder, const Listing& listing, const Sink& sink) {
  const UniqueFd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno(cat("open folder ", folder.native()));
  Output output{sink, std::nullopt};
  const std::unique_ptr<archive, FreeArchive> tar(archive_write_new());
  if (!tar) return fail(Code::internal, "no memory for libarchive");
  archive_write_set_format_gnutar(tar.get());  // carries names as bytes, whatever the locale
  archive_write_add_filter_none(tar.get());
  archive_write_set_bytes_per_block(tar.get(), 1 << 16);
  archive_write_set_bytes_in_last_block(tar.get(), 512);
  if (archive_write_open2(tar.get(), &output, nullptr, write_to_sink, nullptr, nullptr) != ARCHIVE_OK) return fail(tar_error(tar.get(), output, "tar"));
  constexpr std::size_t buffer_size = 1 << 16;
  const auto buffer = std::make_unique<char[]>(buffer_size);
  for (const auto& entry : listing.entries) PICKET_TRY(add_entry(tar.get(), output, root.get(), folder, entry, buffer.get(), buffer_size));
  if (archive_write_close(tar.get()) != ARCHIVE_OK) return fail(tar_error(tar.get(), output, "tar"));
  return {};
}

}  // namespace picket::content
