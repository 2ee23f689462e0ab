#include "samples.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "ksn/limits.hpp"

namespace ksn_service {
namespace {

namespace fs = std::filesystem;
using picket::Result;
using picket::cat;
using picket::fail;

constexpr auto kUnfinishedFor = std::chrono::minutes(7 * 24 * 60), kWhenCrowded = std::chrono::minutes(24 * 60), kBarelyBegunWhenCrowded = std::chrono::minutes(10);
constexpr std::chrono::minutes kSweep{24 * 60};
constexpr std::uint64_t kMostUnfinished = 1000, kBlock = 4096;

std::uint64_t on_disk(std::uint64_t bytes) { return (std::max<std::uint64_t>(bytes, 1) + kBlock - 1) / kBlock * kBlock; }

Response not_taken(std::string text) { return to_response({v1::Refusal::NOT_TAKEN, std::move(text), 0}); }
Response malformed(std::string text) { return to_response({v1::Refusal::MALFORMED, std::move(text), 0}); }
Response away() { return to_response({v1::Refusal::UNAVAILABLE, "the service cannot write samples now", 60}); }

Result<std::string> digest_of_file(int fd) {
  if (::lseek(fd, 0, SEEK_SET) < 0) return picket::fail_errno("read a sample");
  picket::Digest digest;
  std::string buffer(1u << 16, '\0');
  for (;;) {
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return picket::fail_errno("read a sample");
    if (got == 0) break;
    digest.update({buffer.data(), static_cast<std::size_t>(got)});
  }
  return picket::from_hex(digest.finish_hex()).value();
}

}  // namespace

fs::path Samples::sample_of(std::string_view digest) const { return settings_.folder / cat(picket::to_hex(digest), ".sample"); }
fs::path Samples::piece_of(std::string_view digest) const { return settings_.folder / cat(picket::to_hex(digest), ".0-", std::to_string(settings_.wish_bytes), ".piece"); }

Result<> Samples::look() const {
  if (!takes_any()) return {};
  PICKET_TRY(picket::make_folders(settings_.folder, 0700));
  if (::access(settings_.folder.c_str(), W_OK | X_OK) != 0) return picket::fail_errno(settings_.folder.native());
  return {};
}

// What nobody went on with for a week makes room; where there is no more of it, for a day, and what has less than a whole part for ten minutes: else a
// device that begins a thousand files, a byte of each, would keep out all others for a day.
void Samples::measure() {
  const auto now = std::chrono::steady_clock::now();
  if (look_again_ != decltype(look_again_){} && now < look_again_) return;
  const auto now_by_files = fs::file_time_type::clock::now();
  std::error_code error;
  held_bytes_ = unfinished_ = 0;
  for (fs::directory_iterator entry(settings_.folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    const bool part = entry->path().extension() == ".part";
    const auto size = entry->file_size(ignored);
    if (ignored) continue;
    const auto kept = !crowded_ ? kUnfinishedFor : size < picket::ksn::kMostPartBytes ? kBarelyBegunWhenCrowded : kWhenCrowded;
    if (part && entry->last_write_time(ignored) < now_by_files - kept && !ignored) {
      fs::remove(entry->path(), ignored);
      continue;
    }
    unfinished_ += part;
    held_bytes_ += on_disk(size);
  }
  crowded_ = false;
  look_again_ = now + kSweep;
}

bool Samples::has_room(std::uint64_t bytes, bool begins) {
  const bool out = held_bytes_ + bytes <= settings_.quota_bytes && (!begins || unfinished_ < kMostUnfinished);
  if (!out && !crowded_) {
    crowded_ = true;
    look_again_ = std::min(look_again_, std::chrono::steady_clock::now() + settings_.sweep_when_crowded);
  }
  return out;
}

bool Samples::wants(std::string_view digest, v1::Wish& out) {
  if (!takes_any()) return false;
  const std::lock_guard lock(mutex_);
  measure();
  struct stat info {};
  if (!has_room(kBlock, true) || ::stat(sample_of(digest).c_str(), &info) == 0) return false;
  if (settings_.wish_bytes != 0 && ::stat(piece_of(digest).c_str(), &info) == 0) return false;
  out.set_digest(std::string(digest));
  out.set_bytes(settings_.wish_bytes);
  return true;
}

Response Samples::take(const v1::ContentRequest& request) {
  if (!takes_any()) return not_taken("this KSN takes no samples");
  if (request.digest().size() != picket::ksn::kDigestBytes) return malformed("the digest is not 32 bytes");
  if (request.part().size() > picket::ksn::kMostPartBytes) return to_response({v1::Refusal::TOO_LARGE, "a part of more than 1 MiB", 0});
  if (request.size() == 0) return malformed("a file of no bytes");
  if (request.first() >= request.size()) return malformed("what is sent lies outside the file");
  // What was wished for may reach beyond the end of the file: then it is all of it.
  const auto length = request.bytes() == 0 ? request.size() - request.first() : std::min(request.bytes(), request.size() - request.first());
  const bool whole = length == request.size();
  const auto most = settings_.wish_bytes == 0 ? settings_.most_bytes : std::min(settings_.wish_bytes, settings_.most_bytes);
  if (!whole && (request.first() != 0 || request.bytes() != settings_.wish_bytes))
    return not_taken(settings_.wish_bytes == 0 ? "this KSN takes whole files only" : cat("this KSN takes the first ", std::to_string(settings_.wish_bytes), " bytes of a file"));
  if (length > most) return not_taken(settings_.wish_bytes == 0 ? cat("a file of more than ", std::to_string(most), " bytes") : cat("this KSN takes the first ", std::to_string(most), " bytes of a file"));
  if (request.offset() > length || request.part().size() > length - request.offset()) return malformed("the part lies outside of what is to be sent");

  const std::lock_guard lock(mutex_);
  const auto reply = [](std::uint64_t held, bool complete) {
    v1::ContentReply out;
    out.set_held(held);
    out.set_complete(complete);
    return Response{200, out.SerializeAsString()};
  };
  const auto done = whole ? sample_of(request.digest()) : piece_of(request.digest());
  const auto part = fs::path(done).concat(".part");
  struct stat info {};
  if (::stat(sample_of(request.digest()).c_str(), &info) == 0 || ::stat(done.c_str(), &info) == 0) return reply(length, true);
  measure();
  picket::UniqueFd file(::open(part.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (file ? ::fstat(file.get(), &info) != 0 : errno != ENOENT) return away();
  const bool begins = !file;
  auto held = begins ? 0 : static_cast<std::uint64_t>(info.st_size);
  if (held > length) return malformed("more bytes are held than are said to come");
  // A part that does not go on where the last one ended is not an error: the answer says where to go on.
  if (request.part().empty() || request.offset() != held) return reply(held, false);
  const auto grows = on_disk(held + request.part().size()) - (begins ? 0 : on_disk(held));
  if (!has_room(grows, begins)) return not_taken("there is no room for samples now");
  if (begins) {
    if (!picket::make_folders(settings_.folder, 0700)) return away();
    file = picket::UniqueFd(::open(part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return away();
  }
  if (::lseek(file.get(), 0, SEEK_END) < 0 || !picket::write_all(file.get(), request.part())) {
    if (begins) ::unlink(part.c_str());
    else (void)!::ftruncate(file.get(), static_cast<off_t>(held));
    return away();
  }
  held += request.part().size();
  held_bytes_ += grows;
  unfinished_ += begins;
  if (held < length) return reply(held, false);
  const auto digest = whole ? digest_of_file(file.get()) : Result<std::string>(request.digest());
  if (!digest || *digest != request.digest()) {
    ::unlink(part.c_str());
    held_bytes_ -= std::min(held_bytes_, on_disk(held));
    unfinished_ -= std::min<std::uint64_t>(unfinished_, 1);
    return malformed("the file is not the one that its digest names: it was thrown away");
  }
  if (::fsync(file.get()) != 0 || ::rename(part.c_str(), done.c_str()) != 0) return away();
  unfinished_ -= std::min<std::uint64_t>(unfinished_, 1);
  return reply(held, true);
}

}  // namespace ksn_service
