#include "program.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authenticode.hpp"
#include "base/bytes.hpp"
#include "base/files.hpp"
#include "base/free_with.hpp"
#include "dpkg.hpp"
#include "file_time.hpp"
#include "ksn/limits.hpp"

namespace ksn_client {
namespace {

using picket::cat;
using picket::Code;
using picket::fail;

constexpr std::uint64_t kMostPe = 256u << 20;
constexpr std::size_t kMostSeen = 4096;

struct Digests {
  std::string sha256, md5, image;  // image: the content, of a PE only
};

picket::Result<Digests> read_whole(int fd, std::uint64_t size, const std::function<bool()>& is_over) {
  const picket::Owned<EVP_MD_CTX, EVP_MD_CTX_free> sha(::EVP_MD_CTX_new()), md5(::EVP_MD_CTX_new());
  if (!sha || !md5 || ::EVP_DigestInit_ex(sha.get(), ::EVP_sha256(), nullptr) != 1) return fail(Code::internal, "no digest");
  const bool has_md5 = ::EVP_DigestInit_ex(md5.get(), ::EVP_md5(), nullptr) == 1;  // not in every library
  Digests out;
  std::string block(1 << 17, '\0');
  bool keep = false;
  for (std::uint64_t at = 0; at < size;) {
    if (is_over && is_over()) return fail(Code::unavailable, "the KSN client ends");
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

// What the protocol can carry: UTF-8, and not too long.
std::string sayable(std::string_view text) { return std::string(picket::whole_characters(picket::as_utf8(text), picket::ksn::kMostTextBytes)); }

void take_owner(Program& program, std::string_view database, const Owner& owner, const Digests& digests) {
  program.identified_by = database;
  program.publisher = owner.publisher;
  program.product = owner.product;
  program.version = owner.version;
  if (owner.digest.empty()) program.note = cat("package ", owner.package, " records no digest of it");
  else if (owner.digest != (owner.algorithm == "sha256" ? picket::to_hex(digests.sha256) : digests.md5)) program.note = cat("it is not what package ", owner.package, " installed: it was changed");
  else if (owner.publisher.empty()) program.note = cat("package ", owner.package, " names nobody as its publisher");
  else program.valid = true;
}

void take_signature(Program& program, const std::string& image, const std::string& authorities) {
  auto signature = pe_signature(image, authorities);
  if (!signature) {
    program.note = signature.error().message;
  } else if (!*signature) {
    program.note = "it is not signed";
  } else {
    program.identified_by = "pe-signature";
    program.publisher = (*signature)->publisher;
    program.product = (*signature)->product;
    program.valid = (*signature)->trusted && !program.publisher.empty();
    program.note = (*signature)->note;
  }
}

}  // namespace

Programs::Programs(const Places& places) : code_authorities_(places.code_authorities) {
  databases_.push_back(std::make_unique<DpkgDatabase>(places.dpkg));
  databases_.push_back(std::make_unique<RpmDatabase>(places.rpm));
}

picket::Result<Program> Programs::identify(const std::string& path, std::uint64_t most, const std::function<bool()>& is_over) {
  if (path.empty() || path.front() != '/' || path.size() > 4096 || path.find('\0') != std::string::npos) return fail(Code::invalid, "the path is not absolute");
  const picket::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return picket::fail_errno(path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return picket::fail_errno(path);
  if (!S_ISREG(info.st_mode)) return fail(Code::invalid, cat(path, ": no regular file"));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  std::unique_lock lock(mutex_);
  Seen seen{{info.st_dev, info.st_ino, size, in_ns(info.st_mtim), in_ns(info.st_ctim)}, {}, 0};
  for (const auto& database : databases_) seen.stamp = std::max(seen.stamp, database->stamp());
  if (const auto known = seen_.find(path); known != seen_.end() && known->second.is_of(seen)) return known->second.program;
  lock.unlock();
  if (size > most) return fail(Code::too_large, cat(path, ": larger than ", std::to_string(most >> 20), " MiB"));
  auto digests = read_whole(fd.get(), size, is_over);
  if (!digests) return fail(std::move(digests).error(), path);
  Program& program = seen.program;
  program.digest = digests->sha256;

  // The databases know files by their own names, not by the links to them.
  char* real = ::realpath(path.c_str(), nullptr);
  const std::string name = real != nullptr ? real : path;
  ::free(real);
  bool asked_all = true;
  lock.lock();
  for (const auto& database : databases_) {
    if (database->stamp() == 0) continue;
    auto owner = database->owner_of(name);
    if (!owner) {
      asked_all = false;
      program.note = owner.error().message;
    } else if (*owner) {
      take_owner(program, database->name(), **owner, *digests);
      break;
    }
  }
  lock.unlock();
  if (program.identified_by == "none" && !digests->image.empty()) take_signature(program, digests->image, code_authorities_);
  else if (program.identified_by == "none" && asked_all) program.note = "no package installed it";
  for (auto* text : {&program.publisher, &program.product, &program.version}) *text = sayable(*text);
  if (program.identified_by == "none" && !asked_all) return program;  // looked at again the next time
  lock.lock();
  if (seen_.size() >= kMostSeen) seen_.clear();
  return (seen_[path] = std::move(seen)).program;
}

}  // namespace ksn_client
