#include "rpm.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "child.hpp"
#include "file_time.hpp"

namespace ksn_client {
namespace {

namespace fs = std::filesystem;
using picket::cat;
using picket::Code;
using picket::fail;

// Of each package that has the file: six lines, then a line for each of its files: digest, a space, name.
constexpr std::string_view kMark = "picket-package";
constexpr char kFormat[] =
    "picket-package\\n%{NAME}\\n%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n%|FILEDIGESTALGO?{%{FILEDIGESTALGO}}|\\n%|VENDOR?{%{VENDOR}}|\\n%|PACKAGER?{%{PACKAGER}}|\\n[%{FILEDIGESTS} %{FILENAMES}\\n]";

std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  const auto line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return line;
}

std::string_view name_in(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Folders may be links to others: the database knows a file by the name in its package.
bool is_the_same(std::string_view name, const std::string& path) {
  std::error_code error;
  return name == path || (name_in(name) == name_in(path) && fs::equivalent(name, path, error) && !error);
}

// RFC 4880's numbers; packages before 2009 have none, and MD5.
std::string algorithm_of(std::string_view number) { return number == "8" ? "sha256" : number.empty() || number == "1" ? "md5" : ""; }

std::optional<Owner> read_owner(std::string_view said, const std::string& path) {
  std::optional<Owner> out;
  while (!said.empty() && take_line(said) == kMark) {
    Owner owner;
    owner.package = owner.product = take_line(said);
    owner.version = take_line(said);
    owner.algorithm = algorithm_of(take_line(said));
    const auto vendor = take_line(said), packager = take_line(said);
    owner.publisher = vendor.empty() ? packager.substr(0, packager.find(" <")) : vendor;
    while (!said.empty() && !said.starts_with(cat(kMark, "\n"))) {
      const auto line = take_line(said);
      const auto space = line.find(' ');
      if (space == std::string_view::npos || !owner.digest.empty() || !is_the_same(line.substr(space + 1), path)) continue;
      if (!owner.algorithm.empty()) owner.digest = line.substr(0, space);
    }
    if (!out || out->digest.empty()) out = std::move(owner);
  }
  return out;
}

}  // namespace

RpmDatabase::Found RpmDatabase::find() const {
  struct stat info {};
  if (::stat(places_.program.c_str(), &info) != 0) return {};
  for (const auto& folder : places_.folders) {
    std::int64_t stamp = 0;
    // SQLite and its log, SUSE's own format, Berkeley DB.
    for (const char* file : {"/rpmdb.sqlite", "/rpmdb.sqlite-wal", "/Packages.db", "/Packages"})
      if (::stat((folder + file).c_str(), &info) == 0) stamp = std::max(stamp, in_ns(info.st_mtim));
    if (stamp != 0) return {folder, stamp};
  }
  return {};
}

picket::Result<std::optional<Owner>> RpmDatabase::owner_of(const std::string& path) {
  const auto found = find();
  if (found.stamp == 0) return std::optional<Owner>();
  auto said = run_child({places_.program, "--dbpath", found.folder, "-qf", "--queryformat", kFormat, "--", path});
  if (!said) return fail(std::move(said).error(), "the rpm database");
  if (said->status == 0) return read_owner(said->output, path);
  // It says so of a database that it cannot read, too, after its errors.
  const std::string_view error = said->error;
  if (error.find("error:") == error.npos && said->output.find("is not owned by any package") != std::string::npos) return std::optional<Owner>();
  // Its index may not be there, and it makes one even to read: a sandbox of ours, or the system's, may not let it.
  const bool may_write = ::access(found.folder.c_str(), W_OK) == 0;
  return fail(Code::unavailable, cat("the rpm database: rpm ended with ", std::to_string(said->status), ": ", error.substr(0, error.find('\n')),
                                     may_write ? "" : cat("; it may not write in ", found.folder, " here")));
}

}  // namespace ksn_client
