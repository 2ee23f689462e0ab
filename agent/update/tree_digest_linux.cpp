#include "update/tree_digest.hpp"

#include <array>
#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;

std::string leaf(std::string_view name, std::string_view content_hex) {
  Digest both;
  both.update(name);
  both.update(std::string_view("\0", 1));
  both.update(content_hex);
  return both.finish_hex();
}

Result<std::string> file_digest(const fs::path& path, std::string_view name, std::uint64_t& bytes, char* buffer, std::size_t size, const core::CancelToken& cancel,
                                 bool flush) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return fail_errno(cat("open ", path.native()));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(cat("stat ", path.native()));
  if (!S_ISREG(info.st_mode)) return fail(Code::untrusted, cat(path.native(), ": neither a file nor a folder"));
  Digest content;
  for (;;) {
    if (cancel.is_cancelled()) return fail(Code::cancelled, "cancelled");
    const auto got = ::read(fd.get(), buffer, size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(cat("read ", path.native()));
    if (got == 0) break;
    bytes += static_cast<std::uint64_t>(got);
    content.update({buffer, static_cast<std::size_t>(got)});
  }
  if (flush && ::fsync(fd.get()) != 0) return fail_errno(cat("fsync ", path.native()));
  return leaf(name, content.finish_hex());
}

}  // namespace

Result<Tree> tree_digest(const fs::path& folder, const core::CancelToken& cancel, bool flush) {
  constexpr std::size_t kBuffer = 128 * 1024;
  const auto buffer = std::make_unique<char[]>(kBuffer);
  Tree tree;
  std::array<std::uint8_t, 32> sum{};  // a sum needs no order, so no list of names in memory
  std::error_code error;
  fs::recursive_directory_iterator walk(folder, error), end;
  if (error) return fail_errno(cat("read folder ", folder.native()), error.value());
  for (; walk != end; walk.increment(error)) {
    if (walk->symlink_status(error).type() == fs::file_type::directory) {
      if (flush) PICKET_TRY(sync_folder(walk->path()));
      continue;
    }
    const auto name = walk->path().native().substr(folder.native().size() + 1);
    PICKET_LET(digest, file_digest(walk->path(), name, tree.bytes, buffer.get(), kBuffer, cancel, flush));
    ++tree.files;
    const auto raw = from_hex(digest).value();
    unsigned carry = 0;
    for (std::size_t i = 32; i-- > 0;) {
      const unsigned value = sum[i] + static_cast<std::uint8_t>(raw[i]) + carry;
      sum[i] = static_cast<std::uint8_t>(value);
      carry = value >> 8;
    }
  }
  if (error) return fail_errno(cat("read folder ", folder.native()), error.value());
  tree.digest = to_hex({reinterpret_cast<const char*>(sum.data()), sum.size()});
  return tree;
}

Tree tree_of_one(std::string_view name, std::uint64_t bytes, std::string_view sha256_hex) { return {1, bytes, leaf(name, sha256_hex)}; }

}  // namespace picket::update
