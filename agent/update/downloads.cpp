#include "update/downloads.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/progress.hpp"
#include "storage/space.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBuffer = 128 * 1024;
constexpr std::uint64_t kWriteback = 8u << 20;  // hand dirty pages to the disk while more arrives, so that the last fsync has little to do

// All digests that are signed and known.
class Check {
 public:
  explicit Check(const Wanted& wanted) : wanted_(wanted) {
    for (const auto& [algorithm, hex] : wanted.hashes)
      if (Digest::is_known(algorithm)) digests_.emplace_back(hex, Digest(algorithm));
  }
  void update(std::string_view bytes) {
    length_ += bytes.size();
    for (auto& [hex, digest] : digests_) digest.update(bytes);
  }
  [[nodiscard]] std::uint64_t length() const { return length_; }
  [[nodiscard]] Result<> finish() {
    if (length_ != wanted_.length)
      return fail(Code::untrusted, cat("has ", std::to_string(length_), " bytes, signed were ", std::to_string(wanted_.length)));
    if (digests_.empty()) return fail(Code::untrusted, "is signed with no digest that is known here");
    for (auto& [hex, digest] : digests_)
      if (digest.finish_hex() != hex) return fail(Code::untrusted, "is not what was signed: wrong digest");
    return {};
  }

 private:
  const Wanted& wanted_;
  std::vector<std::pair<std::string, Digest>> digests_;
  std::uint64_t length_ = 0;
};

Result<> read_into(Check& check, int fd, const core::CancelToken& cancel) {
  const auto buffer = std::make_unique<char[]>(kReadBuffer);
  for (;;) {
    if (cancel.is_cancelled()) return fail(Code::cancelled, "cancelled");
    const auto got = ::read(fd, buffer.get(), kReadBuffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read");
    if (got == 0) return {};
    check.update({buffer.get(), static_cast<std::size_t>(got)});
  }
}

}  // namespace

const std::string& Wanted::key() const {
  static const std::string none;
  for (const auto* algorithm : {"sha256", "sha512"})
    if (const auto found = hashes.find(algorithm); found != hashes.end()) return found->second;
  return none;
}

Result<Downloads> Downloads::open(fs::path folder, Steps steps) {
  PICKET_TRY(make_folders(folder, 0700));
  return Downloads(std::move(folder), std::move(steps));
}

std::uint64_t Downloads::have(const Wanted& wanted) const {
  struct stat info {};
  if (::stat(whole(wanted).c_str(), &info) == 0) return wanted.length;
  if (::stat(part(wanted).c_str(), &info) == 0) return std::min(static_cast<std::uint64_t>(info.st_size), wanted.length);
  return 0;
}

Result<fs::path> Downloads::find(const Wanted& wanted, const core::CancelToken& cancel) {
  const auto path = whole(wanted);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno(cat("open ", path.native()));
  Check check(wanted);
  PICKET_TRY(read_into(check, fd.get(), cancel));
  if (auto good = check.finish(); !good) {
    PICKET_TRY(remove_file(path));
    return fail(std::move(good).error(), "the stored download");
  }
  return path;
}

Result<Downloads::Outcome> Downloads::fetch(const Wanted& wanted, SourceReader& reader, const Progress& progress, const core::CancelToken& cancel,
                                            bool& ours) {
  ours = false;
  if (wanted.key().empty()) return fail(Code::unsupported, cat(wanted.path, ": is signed with no digest that is known here"));
  Blame blame;
  auto outcome = attempt(wanted, reader, progress, cancel, blame);
  // Put together from two attempts, perhaps from two sources: only a whole one from here shows whether this source is wrong.
  if (!outcome && blame.resumed_wrong) {
    blame = {};
    outcome = attempt(wanted, reader, progress, cancel, blame);
    if (outcome) outcome->began_anew = true;
  }
  ours = !outcome && blame.ours;
  return outcome;
}

Result<Downloads::Outcome> Downloads::attempt(const Wanted& wanted, SourceReader& reader, const Progress& progress, const core::CancelToken& cancel, Blame& blame) {
  const auto path = part(wanted);
  steps_("download.open");
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(cat("open ", path.native()));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(cat("stat ", path.native()));
  if (static_cast<std::uint64_t>(info.st_size) > wanted.length) {
    if (::ftruncate(fd.get(), 0) != 0) return fail_errno(cat("cut ", path.native()));
    info.st_size = 0;
  }
  Check check(wanted);
  PICKET_TRY(read_into(check, fd.get(), cancel));
  Outcome outcome;
  const auto start = outcome.resumed_at = check.length();

  bool restarted = false;
  if (start < wanted.length || wanted.length == 0) {
    PICKET_TRY(storage::require_space(folder_, wanted.length - start, cat("the download of ", wanted.path)));
    std::uint64_t written_back = start;
    blame.ours = false;
    auto got = reader.read(target_url_path(wanted.path), start, wanted.length - start, [&](std::string_view chunk) -> Result<> {
      check.update(chunk);
      steps_("download.write");
      if (auto put = write_all(fd.get(), chunk); !put) {
        blame.ours = true;
        return fail(std::move(put).error(), cat("write ", path.native()));
      }
      if (check.length() - written_back >= kWriteback) {
        ::sync_file_range(fd.get(), static_cast<off64_t>(written_back), static_cast<off64_t>(check.length() - written_back), SYNC_FILE_RANGE_WRITE);
        written_back = check.length();
      }
      progress(check.length());
      return {};
    });
    if (!got) return fail(std::move(got).error());
    outcome.from = got->from;
    restarted = got->offset != start;
    if (!restarted && check.length() < wanted.length)
      return fail(Code::untrusted, cat("ends after ", human_bytes(check.length()), " of ", human_bytes(wanted.length)));
  }

  auto good = restarted ? Result<>(fail(Code::untrusted, "the source began anew instead of going on")) : check.finish();
  if (!good) {
    // Proven wrong: nothing of it may be built upon.
    steps_("download.discard");
    PICKET_TRY(remove_file(path));
    blame.resumed_wrong = start > 0;
    return fail(std::move(good).error());
  }
  blame.ours = true;
  steps_("download.sync");
  if (::fsync(fd.get()) != 0) return fail_errno(cat("fsync ", path.native()));
  outcome.file = whole(wanted);
  steps_("download.rename");
  if (::rename(path.c_str(), outcome.file.c_str()) != 0) return fail_errno(cat("rename ", path.native()));
  PICKET_TRY(sync_folder(folder_));
  return outcome;
}

Result<> Downloads::remove(const Wanted& wanted) {
  steps_("download.remove");
  PICKET_TRY(remove_file(part(wanted)));
  return remove_file(whole(wanted));
}

std::size_t Downloads::remove_others(const std::set<std::string, std::less<>>& keys) {
  std::size_t gone = 0;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    auto name = at->path().filename().native();
    if (name.ends_with(".part")) name.resize(name.size() - 5);
    if (keys.contains(name)) continue;
    steps_("download.remove");
    if (remove_file(at->path())) ++gone;
  }
  return gone;
}

}  // namespace picket::update
