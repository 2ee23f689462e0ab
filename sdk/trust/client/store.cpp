#include "trust/client/store.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trust/metadata.hpp"

namespace picket::trust {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_name = 255 - sizeof("..0123456789ab.tmp");  // what the temporary name of an atomic write adds

Result<std::string> file_of(std::string_view role) {
  auto name = cat(encode_role(role), ".json");
  if (name.size() > longest_name) return fail(Code::too_large, cat("role name of ", std::to_string(role.size()), " bytes: too long for a file name"));
  return name;
}

}  // namespace

Result<std::string> RealDisk::read(const fs::path& file, std::uint64_t max_bytes) { return read_file(file, max_bytes); }
Result<> RealDisk::write(std::span<const NewFile> files) { return write_files_atomic(files, 0600); }
Result<> RealDisk::remove(const fs::path& file) { return remove_file(file); }

Result<Store> Store::open(fs::path folder, Disk& disk) {
  if (folder.empty()) return fail(Code::invalid, "no metadata folder was named");
  PICKET_TRY(make_folders(folder, 0700));
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return fail_errno(cat("stat ", folder.native()));
  // Whoever can write here can take trusted files away; whoever owns it may have made it wider by hand.
  if ((info.st_mode & 0777) != 0700 && ::chmod(folder.c_str(), 0700) != 0 && (info.st_mode & 0022) != 0)
    return fail_errno(cat("make ", folder.native(), " private"));
  const auto lock_file = folder / "lock";
  UniqueFd lock(::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return fail_errno(cat("open ", lock_file.native()));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(Code::busy, cat(folder.native(), ": another process is using this metadata"));
    return fail_errno(cat("lock ", lock_file.native()));
  }
  for (const auto& each : {folder, folder / "roots"}) remove_leftovers(each);
  return Store(std::move(folder), disk, std::move(lock));
}

Result<> Store::check_name(std::string_view role) {
  return file_of(role).map([](const std::string&) {});
}

Result<std::optional<std::string>> Store::read_path(const fs::path& path, std::uint64_t max_bytes) {
  auto bytes = disk_->read(path, max_bytes);
  if (bytes) return std::optional(std::move(*bytes));
  if (bytes.error().code == Code::not_found) return std::optional<std::string>();
  return fail(std::move(bytes).error());
}

Result<std::optional<std::string>> Store::read(std::string_view role, std::uint64_t max_bytes) {
  PICKET_LET(name, file_of(role));
  for (const auto& file : kept_)
    if (file.path == folder_ / name) return std::optional(file.bytes);
  return read_path(folder_ / name, max_bytes);
}

Result<> Store::write(std::string_view role, std::string bytes) {
  PICKET_TRY(keep(role, std::move(bytes)));
  return flush({});
}

Result<> Store::keep(std::string_view role, std::string bytes) {
  PICKET_LET(name, file_of(role));
  kept_.push_back({folder_ / name, std::move(bytes)});
  return {};
}

Result<> Store::flush(std::optional<NewFile> last) {
  if (last) kept_.push_back(std::move(*last));
  if (kept_.empty()) return {};
  return disk_->write(std::exchange(kept_, {}));
}

Result<> Store::remove(std::string_view role) {
  PICKET_LET(name, file_of(role));
  std::erase_if(kept_, [&](const NewFile& file) { return file.path == folder_ / name; });
  return disk_->remove(folder_ / name);
}

Result<std::optional<std::string>> Store::read_root(std::int64_t version, std::uint64_t max_bytes) {
  return read_path(folder_ / "roots" / std::to_string(version), max_bytes);
}

Result<> Store::write_root(std::int64_t version, std::string_view bytes) {
  PICKET_TRY(make_folders(folder_ / "roots", 0700));
  const NewFile file{folder_ / "roots" / std::to_string(version), std::string(bytes)};
  return disk_->write({&file, 1});
}

}  // namespace picket::trust
