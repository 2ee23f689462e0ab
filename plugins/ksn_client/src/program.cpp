#include "program.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "authenticode.hpp"
#include "base/bytes.hpp"
#include "base/files.hpp"
#include "dpkg.hpp"
#include "ksn/limits.hpp"

#include <unistd.h>

namespace ksn_client {
namespace {

using picket::cat;
using picket::Code;
using picket::fail;

constexpr std::uint64_t kMostFile = 4ull << 30, kMostPe = 256u << 20;
constexpr std::size_t kMostSeen = 4096;

struct Digests {
  std::string sha256, md5, image;  // image: the content, of a PE only
};

picket::Result<Digests> read_whole(int fd, std::uint64_t size) {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
  };
  const std::unique_ptr<EVP_MD_CTX, Free> sha(::EVP_MD_CTX_new()), md5(::EVP_MD_CTX_new());
  if (!sha || !md5 || ::EVP_DigestInit_ex(sha.get(), ::EVP_sha256(), nullptr) != 1) return fail(Code::internal, "no digest");
  const bool has_md5 = ::EVP_DigestInit_ex(md5.get(), ::EVP_md5(), nullptr) == 1;  // not in every library
  Digests out;
  std::string block(1 << 17, '\0');
  bool keep = false;
  for (std::uint64_t at = 0; at < size;) {
    const auto got = ::pread(fd, block.data(), std::min<std::uint64_t>(block.size(), size - at), static_cast<off_t>(at));
    if (got < 0) return picket::fail_errno("read");
    if (got == 0) return fail(Code::conflict, "it changes while it is read");
    const std::string_view part(block.data(), static_cast<std::size_t>(got));
    if (at == 0) keep = is_pe(part) && size <= kMostPe;
    if (keep) out.image.append(part);
    ::EVP_DigestUpdate(sha.get(), part.data(), part.size());
    if (has_md5) ::EVP_DigestUpdate(md5.get(), part.data(), part.size());
    at += part.size();
  }
  unsigned length = 0;
  out.sha256.resize(EVP_MAX_MD_SIZE);
  ::EVP_DigestFinal_ex(sha.get(), reinterpret_cast<unsigned char*>(out.sha256.data()), &length);
  out.sha256.resize(length);
  if (!has_md5) return out;
  out.md5.resize(EVP_MAX_MD_SIZE);
  ::EVP_DigestFinal_ex(md5.get(), reinterpret_cast<unsigned char*>(out.md5.data()), &length);
  out.md5.resize(length);
  out.md5 = picket::to_hex(out.md5);
  return out;
}

std::int64_t ns(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

}  // namespace

Programs::Programs(Places places) : places_(std::move(places)), dpkg_(std::make_unique<DpkgDatabase>(places_.dpkg)) {}
Programs::~Programs() = default;

picket::Result<Program> Programs::identify(const std::string& path) {
  if (path.empty() || path.front() != '/' || path.size() > 4096 || path.find('\0') != std::string::npos) return fail(Code::invalid, "the path is not absolute");
  const picket::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return picket::fail_errno(path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return picket::fail_errno(path);
  if (!S_ISREG(info.st_mode)) return fail(Code::invalid, cat(path, ": no regular file"));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > kMostFile) return fail(Code::too_large, cat(path, ": larger than 4 GiB"));
  const std::lock_guard lock(mutex_);
  Seen seen{info.st_dev, info.st_ino, size, ns(info.st_mtim), ns(info.st_ctim), {}};
  if (const auto known = seen_.find(path); known != seen_.end() && known->second.device == seen.device && known->second.inode == seen.inode && known->second.size == size &&
                                           known->second.modified_ns == seen.modified_ns && known->second.changed_ns == seen.changed_ns)
    return known->second.program;
  auto digests = read_whole(fd.get(), size);
  if (!digests) return fail(std::move(digests).error(), path);
  Program& program = seen.program;
  program.digest = digests->sha256;

  // The database knows files by their own names, not by the links to them.
  char* real = ::realpath(path.c_str(), nullptr);
  const std::string name = real != nullptr ? real : path;
  ::free(real);
  if (auto owner = dpkg_->owner_of(name); owner && *owner) {
    program.identified_by = "dpkg";
    program.publisher = (*owner)->maintainer;
    program.product = (*owner)->source.empty() ? (*owner)->package.substr(0, (*owner)->package.find(':')) : (*owner)->source;
    program.version = (*owner)->version;
    program.valid = !(*owner)->md5.empty() && (*owner)->md5 == digests->md5 && !program.publisher.empty();
    if (!program.valid)
      program.note = (*owner)->md5.empty() ? cat("package ", (*owner)->package, " records no digest of it") : cat("it is not what package ", (*owner)->package, " installed: it was changed");
  } else if (!digests->image.empty()) {
    auto signature = pe_signature(digests->image, places_.code_authorities);
    if (!signature) {
      program.note = signature.error().message;
    } else if (*signature) {
      program.identified_by = "pe-signature";
      program.publisher = (*signature)->publisher;
      program.product = (*signature)->product;
      program.valid = (*signature)->trusted && !program.publisher.empty();
      program.note = (*signature)->note;
    } else {
      program.note = "it is not signed";
    }
  } else {
    program.note = "no package installed it";
  }
  if (program.publisher.size() > picket::ksn::kMostTextBytes) program.publisher.resize(picket::ksn::kMostTextBytes);
  if (program.product.size() > picket::ksn::kMostTextBytes) program.product.resize(picket::ksn::kMostTextBytes);
  if (seen_.size() >= kMostSeen) seen_.clear();
  return (seen_[path] = std::move(seen)).program;
}

}  // namespace ksn_client
