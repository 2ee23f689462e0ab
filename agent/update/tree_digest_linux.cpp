#include "update/tree_digest.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <vector>

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

class Reading {
 public:
  explicit Reading(const core::CancelToken& cancel) : cancel_(cancel), buffer_(std::make_unique<char[]>(kBuffer)) {}

  [[nodiscard]] Result<std::string> digest_of(const fs::path& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) return fail_errno(cat("open ", path.native()));
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return fail_errno(cat("stat ", path.native()));
    if (!S_ISREG(info.st_mode)) return fail(Code::untrusted, cat(path.native(), ": neither a file nor a folder"));
    Digest content;
    for (;;) {
      if (cancel_.is_cancelled()) return fail(Code::cancelled, "cancelled");
      const auto got = ::read(fd.get(), buffer_.get(), kBuffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(cat("read ", path.native()));
      if (got == 0) break;
      bytes += static_cast<std::uint64_t>(got);
      content.update({buffer_.get(), static_cast<std::size_t>(got)});
    }
    return content.finish_hex();
  }
  std::uint64_t bytes = 0;

 private:
  static constexpr std::size_t kBuffer = 128 * 1024;
  const core::CancelToken& cancel_;
  const std::unique_ptr<char[]> buffer_;
};

class Walk {
 public:
  Walk(const fs::path& root, const core::CancelToken& cancel, const EachFile& each) : root_(root), each_(each), reading_(cancel) {}

  [[nodiscard]] Result<> folder(const fs::path& path) {
    // Listed before anything is replaced: some file systems show what was renamed while they are read a second time.
    std::vector<fs::directory_entry> entries;
    std::error_code error;
    for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) entries.push_back(*at);
    if (error) return fail_errno(cat("read folder ", path.native()), error.value());
    for (const auto& entry : entries) {
      if (entry.symlink_status(error).type() == fs::file_type::directory) PICKET_TRY(folder(entry.path()));
      else PICKET_TRY(file(entry.path()));
    }
    return each_ ? sync_folder(path) : Result<>();
  }
  [[nodiscard]] Tree finish() {
    tree_.bytes = reading_.bytes;
    tree_.digest = to_hex({reinterpret_cast<const char*>(sum_.data()), sum_.size()});
    return std::move(tree_);
  }

 private:
  [[nodiscard]] Result<> file(const fs::path& path) {
    PICKET_LET(content, reading_.digest_of(path));
    if (each_) PICKET_TRY(each_(path, content));
    ++tree_.files;
    const auto raw = from_hex(leaf(std::string_view(path.native()).substr(root_.native().size() + 1), content)).value();
    unsigned carry = 0;
    for (std::size_t i = 32; i-- > 0;) {
      const unsigned value = sum_[i] + static_cast<std::uint8_t>(raw[i]) + carry;
      sum_[i] = static_cast<std::uint8_t>(value);
      carry = value >> 8;
    }
    return {};
  }

  const fs::path& root_;
  const EachFile& each_;
  Reading reading_;
  Tree tree_;
  std::array<std::uint8_t, 32> sum_{};  // a sum needs no order
};

}  // namespace

Result<Tree> tree_digest(const fs::path& folder, const core::CancelToken& cancel, const EachFile& each) {
  Walk walk(folder, cancel, each);
  PICKET_TRY(walk.folder(folder));
  return walk.finish();
}

Tree tree_of_one(std::string_view name, std::uint64_t bytes, std::string_view sha256_hex) { return {1, bytes, leaf(name, sha256_hex)}; }

Result<std::string> file_sha256(const fs::path& file, const core::CancelToken& cancel) { return Reading(cancel).digest_of(file); }

}  // namespace picket::update
