#include "storage/journal.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.hpp"

namespace picket::storage {
namespace {

// A record: magic, length (4 bytes, little endian), 8 bytes of SHA-256 over length and payload, payload. The magic lets replay find the next
// record after a damaged one; it is no proof by itself, the digest is.
constexpr std::string_view kMagic = "\xf1PJ1";
constexpr std::size_t kHeader = 16;

std::string check_of(std::string_view length, std::string_view payload) {
  Digest digest;
  digest.update(length);
  digest.update(payload);
  return digest.finish_hex();
}

std::uint8_t nibble(char c) { return static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

std::string frame(std::string_view payload) {
  std::string out(kMagic);
  const auto size = static_cast<std::uint32_t>(payload.size());
  for (unsigned shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>((size >> shift) & 0xff));
  const auto hex = check_of(std::string_view(out).substr(4, 4), payload);
  for (std::size_t i = 0; i < 16; i += 2) out.push_back(static_cast<char>(nibble(hex[i]) << 4 | nibble(hex[i + 1])));
  out.append(payload);
  return out;
}

// Bytes of the whole record at the front of `bytes`, 0 when there is none.
std::size_t whole_record(std::string_view bytes) {
  if (bytes.size() < kHeader || bytes.substr(0, 4) != kMagic) return 0;
  std::size_t size = 0;
  for (unsigned i = 0; i < 4; ++i) size |= static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[4 + i])) << (8 * i);
  if (size > Journal::kMaxRecord || bytes.size() - kHeader < size) return 0;
  const auto hex = check_of(bytes.substr(4, 4), bytes.substr(kHeader, size));
  for (std::size_t i = 0; i < 8; ++i)
    if (static_cast<std::uint8_t>(bytes[8 + i]) != (nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]))) return 0;
  return kHeader + size;
}

}  // namespace

Journal::Replayed replay_journal(std::string_view bytes, const std::function<void(std::string_view)>& on_record, std::uint64_t& whole_bytes) {
  Journal::Replayed out;
  whole_bytes = 0;
  std::size_t at = 0, bad_from = std::string_view::npos;
  while (at < bytes.size()) {
    if (const auto size = whole_record(bytes.substr(at))) {
      if (bad_from != std::string_view::npos) out.damaged_bytes += at - bad_from;
      bad_from = std::string_view::npos;
      on_record(bytes.substr(at + kHeader, size - kHeader));
      ++out.records;
      at += size;
      whole_bytes = at;
      continue;
    }
    if (bad_from == std::string_view::npos) bad_from = at;
    at = bytes.find(kMagic, at + 1);  // npos ends the loop
  }
  out.torn_bytes = bytes.size() - whole_bytes;
  return out;
}

Result<Journal> Journal::open(std::filesystem::path path, const std::function<void(std::string_view)>& on_record) {
  Journal journal;
  auto bytes = read_file(path, kMaxFile);
  if (!bytes && bytes.error().code != Code::not_found) return fail(std::move(bytes).error());
  std::uint64_t whole = 0;
  if (bytes) journal.replayed_ = replay_journal(*bytes, on_record, whole);
  journal.fd_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!journal.fd_) return fail_errno(cat("open ", path.native()));
  if (!bytes) PICKET_TRY(sync_folder(path.has_parent_path() ? path.parent_path() : "."));
  if (journal.replayed_.torn_bytes != 0 && ::ftruncate(journal.fd_.get(), static_cast<off_t>(whole)) != 0)
    return fail_errno(cat("cut the torn end off ", path.native()));
  journal.size_ = whole;
  journal.path_ = std::move(path);
  return journal;
}

Result<> Journal::append(std::string_view record) {
  if (record.size() > kMaxRecord) return fail(Code::too_large, cat("journal record of ", std::to_string(record.size()), " bytes"));
  const auto bytes = frame(record);
  if (size_ + bytes.size() > kMaxFile) return fail(Code::too_large, cat(path_.native(), ": the journal is full"));
  auto undo = [&](Error error) -> Result<> {
    // A half-written record must not stand before later ones as damage. If even this fails, the next open sees a torn tail.
    (void)!::ftruncate(fd_.get(), static_cast<off_t>(size_));
    return fail(std::move(error), cat("write ", path_.native()));
  };
  if (::lseek(fd_.get(), static_cast<off_t>(size_), SEEK_SET) < 0) return fail_errno(cat("seek ", path_.native()));
  if (auto put = write_all(fd_.get(), bytes); !put) return undo(std::move(put).error());
  if (::fdatasync(fd_.get()) != 0) return undo(fail_errno("fsync").value());
  size_ += bytes.size();
  return {};
}

Result<> Journal::rewrite(std::span<const std::string> records) {
  std::string bytes;
  for (const auto& record : records) {
    if (record.size() > kMaxRecord) return fail(Code::too_large, cat("journal record of ", std::to_string(record.size()), " bytes"));
    bytes.append(frame(record));
  }
  PICKET_TRY(write_file_atomic(path_, bytes, 0600));
  UniqueFd fd(::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno(cat("open ", path_.native()));
  fd_ = std::move(fd);
  size_ = bytes.size();
  return {};
}

}  // namespace picket::storage
