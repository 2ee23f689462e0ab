// What is sent of a file that KSN wishes for.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "content_kind.hpp"
#include "file_time.hpp"
#include "ksn/limits.hpp"
#include "outbox.hpp"

namespace ksn_client {
namespace {

constexpr std::uint64_t kMostOfPart = 16;  // times the limit: a file of which a part may be sent

// The whole file must be the one that is wished for: it may have changed since it was asked about.
Result<std::string> digest_of_file(int fd) {
  picket::Digest digest;
  std::string block(1 << 17, '\0');
  for (off_t at = 0;;) {
    const auto got = ::pread(fd, block.data(), block.size(), at);
    if (got < 0) return picket::fail_errno("read");
    if (got == 0) return digest.finish_hex();
    digest.update(std::string_view(block).substr(0, static_cast<std::size_t>(got)));
    at += got;
  }
}

}  // namespace

std::optional<Outbox::Read> Outbox::read(const Wish& wish, const std::string& path, const Limits& limits, bool only_look) const {
  const Key key = key_of(v1::OBJECT_FILE, wish.part.digest);
  if (limits.local && limits.local->find({&key, 1})) return std::nullopt;
  const picket::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const auto& [wanted, first, most] = wish.part;
  if (first >= size) return std::nullopt;
  const std::uint64_t bytes = most == 0 ? size - first : std::min(most, size - first);
  // Even for a part the whole file is read, for its digest.
  if (bytes > limits.most_bytes || size / kMostOfPart > limits.most_bytes) {
    if (!only_look && warn_)
      warn_(cat("KSN wishes for ", std::to_string(bytes), " bytes of ", path, ", which has ", std::to_string(size), ": more than the setting content_mb allows, of a whole file ",
                std::to_string(kMostOfPart), " times as much; not sent"));
    return std::nullopt;
  }
  Read out{{}, {info.st_dev, info.st_ino, size, in_ns(info.st_mtim), in_ns(info.st_ctim)}};
  out.request.set_digest(wanted);
  out.request.set_size(size);
  out.request.set_first(first);
  out.request.set_bytes(most);
  std::string head(512, '\0');
  const auto begin = ::pread(fd.get(), head.data(), head.size(), 0);
  const auto kind = kind_of_content(std::string_view(head).substr(0, static_cast<std::size_t>(std::max<ssize_t>(begin, 0))));
  if (kind.empty() || std::find(limits.kinds.begin(), limits.kinds.end(), kind) == limits.kinds.end() || (!wish.type.empty() && wish.type != kind)) return std::nullopt;
  if (!wish.asked_held && only_look) return out;
  if (!wish.asked_held) {
    const auto digest = digest_of_file(fd.get());
    if (!digest || *digest != picket::to_hex(wanted)) return std::nullopt;
    return out;
  }
  if (out.file != wish.file || wish.held >= bytes) return std::nullopt;
  out.request.set_offset(wish.held);
  std::string part(static_cast<std::size_t>(std::min<std::uint64_t>(bytes - wish.held, picket::ksn::kMostPartBytes)), '\0');
  if (!only_look && ::pread(fd.get(), part.data(), part.size(), static_cast<off_t>(first + wish.held)) != static_cast<ssize_t>(part.size())) return std::nullopt;
  out.request.set_part(std::move(part));
  return out;
}

}  // namespace ksn_client
