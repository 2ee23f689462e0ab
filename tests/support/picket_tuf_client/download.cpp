#include "download.hpp"

#include <cerrno>
#include <map>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"

namespace picket::tuf_client {
namespace {

namespace fs = std::filesystem;

// Length and all hashes of known algorithms, as the bytes come.
class Check {
 public:
  explicit Check(const trust::TargetFile& file) : file_(file) {
    for (const auto& [algorithm, hash] : file.hashes)
      if (Digest::is_known(algorithm)) digests_.emplace(algorithm, Digest(algorithm));
  }
  void update(std::string_view bytes) {
    size_ += bytes.size();
    for (auto& [algorithm, digest] : digests_) digest.update(bytes);
  }
  [[nodiscard]] Result<> finish() {
    if (size_ != file_.length) return fail(Code::untrusted, cat("has ", std::to_string(size_), " bytes, ", std::to_string(file_.length), " are signed"));
    if (digests_.empty()) return fail(Code::untrusted, "has only hashes of unknown algorithms");
    for (auto& [algorithm, digest] : digests_)
      if (digest.finish_hex() != file_.hashes.at(algorithm)) return fail(Code::untrusted, cat("does not have the signed ", algorithm));
    return {};
  }

 private:
  const trust::TargetFile& file_;
  std::uint64_t size_ = 0;
  std::map<std::string, Digest> digests_;
};

bool is_there(const fs::path& path, const trust::TargetFile& file) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) != file.length) return false;
  Check check(file);
  std::string buffer(256 * 1024, '\0');
  for (;;) {
    const auto got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return check.finish().has_value();
    check.update({buffer.data(), static_cast<std::size_t>(got)});
  }
}

// The name part that consistent snapshots put before a target's: one of its own hashes, and only if it can be nothing but a name.
Result<std::string> hash_prefix(const trust::TargetFile& file) {
  for (const char* algorithm : {"sha256", "sha512"})
    if (const auto hash = file.hashes.find(algorithm); hash != file.hashes.end()) {
      if (hash->second.empty() || hash->second.find_first_not_of("0123456789abcdef") != std::string::npos) return fail(Code::invalid, "a signed hash is not lower-case hex");
      return hash->second;
    }
  return fail(Code::untrusted, "has only hashes of unknown algorithms");
}

// The two folders may lie on different file systems: then a copy, hidden until it is whole.
Result<> move_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  if (errno != EXDEV) return fail_errno(cat("write ", to.native()));
  const auto hidden = to.parent_path() / cat(".", to_hex(random_bytes(8)));
  std::error_code error;
  fs::copy_file(from, hidden, error);
  if (!error) fs::rename(hidden, to, error);
  if (!error) return {};
  ::unlink(hidden.c_str());
  return fail(Code::io, cat("write ", to.native(), ": ", error.message()));
}

}  // namespace

Result<> download(Http& http, const trust::Target& target, bool consistent, const std::string& base_url, const fs::path& folder, const fs::path& partial_folder) {
  const auto name = trust::encode_role(target.path);
  if (name.size() > 255) return fail(Code::too_large, cat("target path of ", std::to_string(target.path.size()), " bytes: too long for a file name"));
  const auto file = folder / name;
  if (is_there(file, target.file)) return {};
  std::string path = target.path;
  if (consistent) {
    auto prefix = hash_prefix(target.file);
    if (!prefix) return fail(std::move(prefix).error(), target.path);
    path = trust::consistent_target_path(path, *prefix);
  }

  // A name that the client clears away when it next opens the folder, should this process be killed.
  const auto partial = partial_folder / cat(".download.", to_hex(random_bytes(8)), ".tmp");
  UniqueFd fd(::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail_errno(cat("create ", partial.native()));
  Check check(target.file);
  auto done = http.get(join_url(base_url, path, true), target.file.length, [&](std::string_view bytes) {
    check.update(bytes);
    return write_all(fd.get(), bytes);
  });
  if (done) done = check.finish();
  fd.reset();
  // Not synced: a cached file counts only while its digest is right.
  if (done) done = move_file(partial, file);
  if (!done) return ::unlink(partial.c_str()), fail(std::move(done).error(), target.path);
  ::unlink(partial.c_str());
  return {};
}

}  // namespace picket::tuf_client
