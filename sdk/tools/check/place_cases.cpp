// Where a plugin leaves something, and where it runs.
#include <algorithm>

#include "check/case.hpp"
#include "check/session.hpp"
#include "check/write_watch.hpp"

namespace picket::check {

namespace {

using std::filesystem::path;

// Without links, as far as it is there.
path resolved(const path& given) {
  std::error_code error;
  auto out = std::filesystem::weakly_canonical(given, error);
  return error ? given : out;
}

// The last name of what is written may be a link that is itself removed or renamed: it stays.
bool is_within(const path& written, const path& capability) {
  const auto folder = resolved(capability.has_filename() ? capability : capability.parent_path());  // "/srv/" is "/srv"
  const auto file = resolved(written.parent_path()) / written.filename();
  return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
}

// Its storage is the host's: it needs no file for that.
bool may_write(const Subject& subject, const std::string& written) {
  constexpr std::string_view capability = "fs.write:", no_files[] = {"/memfd:", "pipe:", "socket:", "anon_inode:"};
  if (written == "/dev/null" || std::any_of(std::begin(no_files), std::end(no_files), [&](std::string_view kind) { return written.starts_with(kind); })) return true;
  if (!subject.manifest) return false;
  const auto& all = subject.manifest->capabilities;
  return std::any_of(all.begin(), all.end(), [&](const std::string& one) {
    if (!one.starts_with(capability)) return false;
    const auto folder = one.substr(capability.size());
    return folder == "*" || is_within(written, folder);
  });
}

Verdict no_write_outside(const Subject& subject) {
  std::optional<Verdict> bad;
  const auto writes = watch_writes([&] { bad = Session(subject).live(); });
  if (!writes) return skipped(cat("cannot see what it writes: ", writes.error().message));
  const auto is_outside = [&](const Write& write) { return !may_write(subject, write.path); };
  const auto first = std::find_if(writes->begin(), writes->end(), is_outside);
  if (first == writes->end()) return bad.value_or(pass());
  const auto others = std::count_if(first + 1, writes->end(), is_outside);
  return failed(cat(first->call, " ", first->path, others > 0 ? cat(" and ", std::to_string(others), " more") : "",
                    ": outside its storage, and no capability fs.write in its manifest covers it"));
}

constexpr Case cases[] = {
    {"no-write-outside", "create-destroy", &no_write_outside},
};

}  // namespace

std::span<const Case> place_cases() { return cases; }

}  // namespace picket::check
