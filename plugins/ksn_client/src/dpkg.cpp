#include "dpkg.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/files.hpp"
#include "file_time.hpp"

namespace ksn_client {
namespace {

namespace fs = std::filesystem;
using picket::cat;

constexpr std::uint64_t kMostStatus = 256u << 20, kMostList = 64u << 20;
constexpr std::size_t kMostPackages = 200'000, kMostPaths = 20'000'000;

std::uint64_t hash_of_path(std::string_view path) {
  std::uint64_t sum = 0xcbf29ce484222325u;
  for (const char c : path) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return sum ^ sum >> 31;
}

// /bin and /usr/bin are one folder today; the database may know a file by either name.
std::vector<std::string> spellings(std::string_view path) {
  std::vector<std::string> out{std::string(path)};
  for (const std::string_view folder : {"/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/"}) {
    if (path.starts_with(folder)) out.push_back(cat("/usr", path));
    if (path.starts_with("/usr") && path.substr(4).starts_with(folder)) out.emplace_back(path.substr(4));
  }
  return out;
}

template <class Each>
void each_line(std::string_view text, Each&& each) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    each(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

std::string_view field(std::string_view line, std::string_view name) {
  if (!line.starts_with(name) || line.size() < name.size() + 2 || line[name.size()] != ':') return {};
  line.remove_prefix(name.size() + 1);
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  return line;
}

}  // namespace

std::int64_t DpkgDatabase::stamp() const {
  struct stat info {};
  return ::stat((folder_ + "/status").c_str(), &info) == 0 ? in_ns(info.st_mtim) : 0;
}

picket::Result<> DpkgDatabase::refresh() {
  const auto changed = stamp();
  if (changed == read_at_) return {};
  packages_.clear();
  paths_.clear();
  std::error_code error;
  for (fs::directory_iterator entry(folder_ + "/info", error), end; !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().native();
    if (!name.ends_with(".list") || packages_.size() >= kMostPackages) continue;
    const auto list = picket::read_file(entry->path(), kMostList);
    if (!list) continue;
    const auto number = static_cast<std::uint32_t>(packages_.size());
    packages_.push_back(name.substr(0, name.size() - 5));
    each_line(*list, [&](std::string_view path) {
      if (path.size() > 1 && paths_.size() < kMostPaths) paths_.emplace_back(hash_of_path(path), number);
    });
  }
  if (error) return picket::fail(picket::Code::io, cat("read ", folder_, "/info: ", error.message()));
  std::sort(paths_.begin(), paths_.end());
  paths_.shrink_to_fit();
  read_at_ = changed;
  return {};
}

picket::Result<std::optional<Owner>> DpkgDatabase::owner_of(const std::string& path) {
  PICKET_TRY(refresh());
  for (const auto& spelling : spellings(path)) {
    const auto hash = hash_of_path(spelling);
    for (auto found = std::lower_bound(paths_.begin(), paths_.end(), std::pair{hash, std::uint32_t{0}}); found != paths_.end() && found->first == hash; ++found) {
      // The hash was only a hint: the list itself decides.
      const auto& package = packages_[found->second];
      const auto list = picket::read_file(cat(folder_, "/info/", package, ".list"), kMostList);
      bool listed = false;
      if (list) each_line(*list, [&](std::string_view line) { listed = listed || line == spelling; });
      if (!listed) continue;
      PICKET_LET(owner, read_owner(package, spelling));
      return std::optional<Owner>(std::move(owner));
    }
  }
  return std::optional<Owner>();
}

picket::Result<Owner> DpkgDatabase::read_owner(const std::string& package, std::string_view path) const {
  const auto colon = package.find(':');
  const std::string name = package.substr(0, colon), architecture = colon == std::string::npos ? "" : package.substr(colon + 1);
  Owner owner;
  owner.package = package;
  owner.product = name;
  if (const auto sums = picket::read_file(cat(folder_, "/info/", package, ".md5sums"), kMostList)) {
    owner.algorithm = "md5";
    each_line(*sums, [&](std::string_view line) {
      if (line.size() > 34 && line.substr(34) == path.substr(1)) owner.digest = line.substr(0, 32);
    });
  }
  PICKET_LET(status, picket::read_file(folder_ + "/status", kMostStatus));
  struct {
    bool named = false, other_architecture = false;
    std::string source, version, maintainer;
  } entry;
  const auto take = [&] {
    if (entry.named && !entry.other_architecture) {
      if (!entry.source.empty()) owner.product = entry.source;
      owner.version = entry.version;
      owner.publisher = entry.maintainer;
    }
    entry = {};
  };
  each_line(status, [&](std::string_view line) {
    if (line.empty()) take();
    else if (const auto said = field(line, "Package"); !said.empty()) entry.named = said == name;
    else if (!entry.named) return;
    else if (const auto kind = field(line, "Architecture"); !kind.empty()) entry.other_architecture = !architecture.empty() && kind != architecture;
    else if (const auto version = field(line, "Version"); !version.empty()) entry.version = version;
    else if (const auto source = field(line, "Source"); !source.empty()) entry.source = source.substr(0, source.find(' '));
    else if (const auto maintainer = field(line, "Maintainer"); !maintainer.empty()) entry.maintainer = maintainer.substr(0, maintainer.find(" <"));
  });
  take();
  return owner;
}

}  // namespace ksn_client
