#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>

#include "base/digest.hpp"
#include "store.hpp"

namespace distribution_point {
namespace {

namespace fs = std::filesystem;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
using picket::fail_errno;

// Digits only; 0: no number of a set.
std::uint64_t set_number(std::string_view name) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() && (name.empty() || name.front() != '0') ? number : 0;
}

Result<> can_link(const fs::path& folder) {
  const auto file = folder / ".probe", hard = folder / ".probe.hard", soft = folder / ".probe.soft";
  for (const auto* path : {&file, &hard, &soft}) ::unlink(path->c_str());
  PICKET_TRY(picket::write_file_atomic(file, "x"));
  const bool good = ::link(file.c_str(), hard.c_str()) == 0 && ::symlink("probe", soft.c_str()) == 0;
  const int why = errno;
  for (const auto* path : {&file, &hard, &soft}) ::unlink(path->c_str());
  if (good) return {};
  return fail(Code::unsupported, cat(folder.native(), ": its file system has no hard or symbolic links, which publishing in one step needs: ", std::strerror(why)));
}

Result<> write_plain(const fs::path& path, std::string_view bytes) {
  picket::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return fail_errno(cat("create ", path.native()));
  if (auto written = picket::write_all(fd.get(), bytes); !written) return fail(std::move(written).error(), path.native());
  if (::fsync(fd.get()) != 0) return fail_errno(cat("write ", path.native()));
  return {};
}

}  // namespace

Result<Store> Store::open(fs::path folder, Steps steps) {
  for (const char* part : {"", "sets", "files", "incoming", "trusted"}) PICKET_TRY(picket::make_folders(folder / part, part == std::string_view("trusted") ? 0700 : 0755));
  picket::UniqueFd lock(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail_errno(cat("open ", (folder / "lock").native()));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return fail(Code::busy, cat(folder.native(), " is in use by another process"));
  picket::remove_leftovers(folder);
  PICKET_TRY(can_link(folder));
  std::error_code ignored;
  fs::remove(folder / "public.new", ignored);
  for (fs::directory_iterator it(folder / "sets", ignored), end; !ignored && it != end; it.increment(ignored))
    if (set_number(it->path().filename().native()) == 0) fs::remove_all(it->path(), ignored);
  return Store(std::move(folder), std::move(lock), std::move(steps));
}

std::uint64_t Store::published() const {
  std::error_code error;
  const auto target = fs::read_symlink(folder_ / "public", error);
  if (error) return 0;
  const auto number = set_number(target.filename().native());
  return number != 0 && fs::is_directory(set_folder(number), error) ? number : 0;
}

std::int64_t Store::published_at() const {
  struct stat info{};
  return ::lstat((folder_ / "public").c_str(), &info) == 0 ? static_cast<std::int64_t>(info.st_mtim.tv_sec) : 0;
}

std::vector<std::uint64_t> Store::earlier() const {
  std::vector<std::uint64_t> out;
  const auto current = published();
  std::error_code error;
  for (fs::directory_iterator it(folder_ / "sets", error), end; !error && it != end; it.increment(error))
    if (const auto number = set_number(it->path().filename().native()); number != 0 && number != current) out.push_back(number);
  std::ranges::sort(out);
  return out;
}

bool Store::has(std::string_view sha256, std::uint64_t length) const {
  struct stat info{};
  return ::lstat(file(sha256).c_str(), &info) == 0 && S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) == length;
}

Result<> Store::keep(std::string_view sha256) {
  step("file.keep");
  const auto from = part(sha256), to = file(sha256);
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(cat("rename ", from.native()));
  return picket::sync_folder(to.parent_path());
}

Result<std::uint64_t> Store::build(const std::vector<Metadata>& metadata, const std::vector<Target>& targets) {
  std::uint64_t number = published();
  for (const auto other : earlier()) number = std::max(number, other);
  ++number;
  const fs::path fresh = folder_ / "sets" / cat(std::to_string(number), ".new");
  std::error_code ignored;
  fs::remove_all(fresh, ignored);
  step("set.make");
  PICKET_TRY(picket::make_folders(fresh / "metadata"));
  PICKET_TRY(picket::make_folders(fresh / "targets"));
  for (const auto& one : metadata) {
    step("set.metadata");
    PICKET_TRY(write_plain(fresh / "metadata" / one.name, one.bytes));
  }
  std::string digests;
  for (const auto& one : metadata) digests += cat(picket::sha256_hex(one.bytes), "  metadata/", one.name, "\n");
  step("set.digests");
  PICKET_TRY(write_plain(fresh / "digests", digests));
  std::set<fs::path> folders = {fresh / "metadata", fresh / "targets"};
  for (const auto& one : targets) {
    step("set.target");
    const auto path = fresh / "targets" / one.path;
    PICKET_TRY(picket::make_folders(path.parent_path()));
    folders.insert(path.parent_path());
    if (::link(file(one.sha256).c_str(), path.c_str()) != 0) return fail_errno(cat("link ", path.native()));
  }
  for (const auto& made : folders) PICKET_TRY(picket::sync_folder(made));
  PICKET_TRY(picket::sync_folder(fresh));
  step("set.name");
  if (::rename(fresh.c_str(), set_folder(number).c_str()) != 0) return fail_errno(cat("rename ", fresh.native()));
  PICKET_TRY(picket::sync_folder(folder_ / "sets"));
  return number;
}

Result<> Store::publish(std::uint64_t set) {
  const auto fresh = folder_ / "public.new";
  ::unlink(fresh.c_str());
  step("publish.link");
  if (::symlink(cat("sets/", std::to_string(set)).c_str(), fresh.c_str()) != 0) return fail_errno(cat("make ", fresh.native()));
  step("publish.rename");
  if (::rename(fresh.c_str(), (folder_ / "public").c_str()) != 0) return fail_errno(cat("rename ", fresh.native()));
  PICKET_TRY(picket::sync_folder(folder_));
  step("publish.done");
  return {};
}

Result<> Store::remove_set(std::uint64_t set) {
  if (set == published()) return fail(Code::conflict, "the set in force is not removed");
  step("clean.set");
  // Under a name that the next start removes, so that a killed removal leaves no half of a set with a number.
  const auto doomed = folder_ / "sets" / cat(std::to_string(set), ".old");
  if (::rename(set_folder(set).c_str(), doomed.c_str()) != 0) return fail_errno(cat("rename ", set_folder(set).native()));
  std::error_code error;
  fs::remove_all(doomed, error);
  if (error) return fail(Code::io, cat("remove ", doomed.native(), ": ", error.message()));
  return {};
}

std::uint64_t Store::remove_unused(const std::function<bool(std::string_view)>& is_wanted) {
  std::uint64_t freed = 0;
  const auto look = [&](const fs::path& folder, const auto& is_used) {
    std::error_code error;
    std::vector<fs::path> unused;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      struct stat info{};
      if (::lstat(it->path().c_str(), &info) != 0 || is_used(it->path(), info)) continue;
      freed += static_cast<std::uint64_t>(info.st_size);
      unused.push_back(it->path());
    }
    for (const auto& path : unused) {
      step("clean.file");
      ::unlink(path.c_str());
    }
  };
  look(folder_ / "files", [&](const fs::path& path, const struct stat& info) { return info.st_nlink > 1 || is_wanted(path.filename().native()); });
  look(folder_ / "incoming", [&](const fs::path& path, const struct stat&) { return is_wanted(path.stem().native()); });
  return freed;
}

std::uint64_t Store::stored_bytes() const {
  std::uint64_t sum = 0;
  std::error_code error;
  for (const char* part : {"files", "incoming"})
    for (fs::directory_iterator it(folder_ / part, error), end; !error && it != end; it.increment(error)) {
      struct stat info{};
      if (::lstat(it->path().c_str(), &info) == 0) sum += static_cast<std::uint64_t>(info.st_size);
    }
  return sum;
}

Result<std::uint64_t> Store::free_bytes() const {
  struct statvfs info{};
  if (::statvfs(folder_.c_str(), &info) != 0) return fail_errno(cat("look at the free space of ", folder_.native()));
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace distribution_point
