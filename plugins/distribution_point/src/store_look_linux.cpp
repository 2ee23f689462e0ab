// Reading what is stored again.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "base/digest.hpp"
#include "store.hpp"

namespace distribution_point {
namespace {

namespace fs = std::filesystem;
using picket::Digest;
using picket::cat;

constexpr std::uint64_t kMostDigests = 64u << 20, kMostCursor = 8192;

struct Inode {
  dev_t device = 0;
  ino_t number = 0;
  auto operator<=>(const Inode&) const = default;
};

bool look_at(const fs::path& path, struct stat& info) { return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode); }

// Of a name that begins with it, as consistent snapshots have it. Empty: it begins with none.
std::string digest_of_name(std::string_view name) {
  const auto prefix = name.substr(0, name.find('.'));
  const bool good = (prefix.size() == 64 || prefix.size() == 128) && std::ranges::all_of(prefix, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return good ? std::string(prefix) : std::string();
}

// "metadata/7.snapshot.json" -> digest
std::map<std::string, std::string> digests_of(const fs::path& set) {
  std::map<std::string, std::string> out;
  const auto text = picket::read_file(set / "digests", kMostDigests);
  if (!text) return out;
  for (std::string_view rest = *text; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.size() > 66 && line.substr(64, 2) == "  ") out.emplace(line.substr(66), line.substr(0, 64));
  }
  return out;
}

template <class Act>
void each_file(const fs::path& folder, const Act& act) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    struct stat info{};
    if (look_at(it->path(), info)) act(it->path(), info);
  }
}

}  // namespace

std::vector<Store::Stored> Store::stored() const {
  std::vector<Stored> out;
  std::set<std::pair<Inode, std::string>> seen;  // a list that says another digest of the same file is looked at by itself
  const auto add = [&](const fs::path& path, const struct stat& info, std::string_view digest, std::string name) {
    if (digest.empty() || !seen.insert({{info.st_dev, info.st_ino}, std::string(digest)}).second) return;
    out.push_back({path.lexically_relative(folder_).native(), std::move(name), std::string(digest), static_cast<std::uint64_t>(info.st_size)});
  };
  auto sets = earlier();
  if (const auto current = published(); current != 0) sets.push_back(current);
  // By the names that people know, where a set has it.
  for (const auto set : sets) {
    const auto folder = set_folder(set);
    each_file(folder / "targets", [&](const fs::path& path, const struct stat& info) {
      auto digest = digest_of_name(path.filename().native());
      struct stat other{};
      const auto shared = look_at(file(digest), other) && other.st_ino == info.st_ino;
      add(shared ? file(digest) : path, info, digest, path.lexically_relative(folder / "targets").native());
    });
    const auto digests = digests_of(folder);
    each_file(folder / "metadata", [&](const fs::path& path, const struct stat& info) {
      const auto listed = digests.find(path.lexically_relative(folder).native());
      // Without a line the list is damaged: it counts as the file, and both are made anew.
      add(path, info, listed != digests.end() ? listed->second : "none", path.lexically_relative(folder_).native());
    });
  }
  each_file(folder_ / "files", [&](const fs::path& path, const struct stat& info) { add(path, info, digest_of_name(path.filename().native()), path.filename().native()); });
  std::ranges::sort(out, {}, &Stored::path);
  return out;
}

Store::Look Store::look(const Stored& stored, const std::function<bool()>& stop) const {
  const picket::UniqueFd fd(::open((folder_ / stored.path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return Look::good;  // gone, or this process has too many files open: nothing that can be said of its bytes
  (void)::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  Digest digest(stored.digest.size() == 64 ? "sha256" : "sha512");
  std::string buffer(1u << 18, '\0');
  while (true) {
    if (stop && stop()) return Look::stopped;
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Look::damaged;  // the disk cannot read it, and neither could who serves it
    if (got == 0) break;
    digest.update({buffer.data(), static_cast<std::size_t>(got)});
  }
  return digest.finish_hex() == stored.digest ? Look::good : Look::damaged;
}

void Store::take_out(const Stored& stored) {
  step("scrub.take_out");
  const auto path = folder_ / stored.path;
  struct stat info{};
  if (!look_at(path, info)) return;
  // First the name by which a run finds it: killed after that, the run fetches it anew and sees that the sets hold another one (is_linked).
  ::unlink(path.c_str());
  if (info.st_nlink == 1) return;
  std::vector<fs::path> others;
  each_file(folder_ / "sets", [&](const fs::path& other, const struct stat& found) {
    if (found.st_ino == info.st_ino && found.st_dev == info.st_dev) others.push_back(other);
  });
  for (const auto& other : others) {
    step("scrub.take_out");
    ::unlink(other.c_str());
  }
}

bool Store::is_linked(std::uint64_t set, const Target& target) const {
  struct stat mine{}, shared{};
  return look_at(set_folder(set) / "targets" / target.path, mine) && look_at(file(target.sha256), shared) && mine.st_ino == shared.st_ino && mine.st_dev == shared.st_dev;
}

std::string Store::cursor() const { return picket::read_file(folder_ / "checked", kMostCursor).value_or(std::string()); }

void Store::set_cursor(std::string_view path) {
  if (path.empty()) return (void)::unlink((folder_ / "checked").c_str());
  (void)picket::write_file_atomic(folder_ / "checked", path, 0600);  // lost, a round begins anew
}

}  // namespace distribution_point
