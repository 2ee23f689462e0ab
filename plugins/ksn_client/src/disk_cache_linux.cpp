#include "disk_cache.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstring>

#include "base/bytes.hpp"

namespace ksn_client {
namespace {

using picket::cat;
using picket::Code;
using picket::fail_errno;

constexpr char kMagic[16] = "picket-ksn-c 2\n";
constexpr std::size_t kWindow = 8;

// Each step can be undone when the word is known, so damage within one word is always seen, any other all but always.
std::uint64_t mix(std::uint64_t sum, const char* bytes, std::size_t size) {
  for (std::size_t i = 0; i < size; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i, std::min<std::size_t>(8, size - i));
    sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
    sum ^= sum >> 29;
  }
  return sum;
}

struct Header {
  char magic[16];
  std::uint64_t slots, seed;
  char owner[32];
  std::uint64_t sum;  // of what is before

  [[nodiscard]] std::uint64_t right_sum() const { return mix(0x5bd1e995, magic, offsetof(Header, sum)); }
};

}  // namespace

struct DiskCache::Slot {
  std::uint64_t sum;  // 0: empty
  std::uint32_t fresh_until;
  std::uint16_t size;
  std::uint8_t kind, length;
  char digest[32];
  char value[kMostValue];
};

DiskCache::Slot& DiskCache::at(std::uint64_t index) const { return *reinterpret_cast<Slot*>(map_ + kHeaderBytes + (index & mask_) * kSlotBytes); }

std::uint64_t DiskCache::sum_of(const Slot& slot) const {
  const auto* bytes = reinterpret_cast<const char*>(&slot);
  const std::size_t used = offsetof(Slot, value) + std::min<std::size_t>(slot.size, kMostValue);
  return mix(seed_, bytes + sizeof slot.sum, used - sizeof slot.sum) | 1;
}

picket::Result<std::unique_ptr<DiskCache>> DiskCache::open(const std::filesystem::path& file, std::size_t bytes, std::string_view owner, std::string& told) {
  static_assert(sizeof(Slot) == kSlotBytes && sizeof(Header) <= kHeaderBytes);
  told.clear();
  const std::uint64_t slots = std::bit_floor(std::max<std::uint64_t>(bytes / kSlotBytes, 64));
  std::unique_ptr<DiskCache> self(new DiskCache);
  self->size_ = kHeaderBytes + slots * kSlotBytes;
  self->mask_ = slots - 1;
  self->fd_.reset(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!self->fd_) return fail_errno(cat("open ", file.native()));
  const int fd = self->fd_.get();
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return picket::fail(Code::busy, cat(file.native(), " is used by another process"));
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return picket::fail(Code::invalid, cat(file.native(), " is no regular file"));

  Header header{};
  std::string why;
  if (info.st_size != 0) {
    if (::pread(fd, &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header) || std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) why = "it is no cache of this version";
    else if (header.sum != header.right_sum()) why = "its head is damaged";
    else if (header.slots != slots) why = "the cache's size was changed";
    else if (std::string_view(header.owner, sizeof header.owner) != owner.substr(0, sizeof header.owner)) why = "it holds the answers of another provider, or of other answer keys";
    else if (static_cast<std::size_t>(info.st_size) != self->size_) why = "its length is wrong";
    if (!why.empty()) told = cat(file.native(), " is discarded: ", why);
  }
  if (info.st_size == 0 || !why.empty()) {
    header = {};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.slots = slots;
    const auto seed = picket::random_bytes(sizeof header.seed);
    std::memcpy(&header.seed, seed.data(), seed.size());
    std::memcpy(header.owner, owner.data(), std::min(owner.size(), sizeof header.owner));
    header.sum = header.right_sum();
    // Every block is there before it is mapped: a full disk is an error here and not a signal later.
    if (::ftruncate(fd, 0) != 0) return fail_errno(cat("empty ", file.native()));
    if (const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(self->size_)); error != 0) {
      (void)!::ftruncate(fd, 0);
      return fail_errno(cat("make room for ", file.native()), error);
    }
    if (::pwrite(fd, &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) return fail_errno(cat("write ", file.native()));
  }
  self->seed_ = header.seed;
  void* map = ::mmap(nullptr, self->size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return fail_errno(cat("map ", file.native()));
  self->map_ = static_cast<char*>(map);
  (void)::madvise(map, self->size_, MADV_RANDOM);
  return self;
}

DiskCache::~DiskCache() {
  if (map_ != nullptr) ::munmap(map_, size_);
}

std::optional<DiskCache::Found> DiskCache::find(const Key& key, std::int64_t now) {
  const std::uint64_t first = hash_of(key, seed_);
  for (std::uint64_t i = first; i < first + kWindow; ++i) {
    Slot& slot = at(i);
    if (slot.sum == 0 || slot.kind != key.kind || slot.length != key.length || std::memcmp(slot.digest, key.digest.data(), sizeof slot.digest) != 0) continue;
    if (slot.size > kMostValue || slot.sum != sum_of(slot)) {
      ++damaged_;
      slot.sum = 0;
      continue;
    }
    if (slot.fresh_until < now || slot.fresh_until > now + picket::ksn::kMostFreshSeconds) return std::nullopt;
    return Found{{slot.value, slot.size}, slot.fresh_until};
  }
  return std::nullopt;
}

bool DiskCache::put(const Key& key, std::string_view value, std::int64_t fresh_until) {
  const bool fits = value.size() <= kMostValue && fresh_until > 0 && fresh_until <= 0xFFFFFFFFLL;
  const std::uint64_t first = hash_of(key, seed_);
  Slot* place = nullptr;
  // The key's own place; else one that is free or damaged; else the one that expires first.
  std::uint64_t best = ~0ULL;
  for (std::uint64_t i = first; i < first + kWindow; ++i) {
    Slot& slot = at(i);
    if (slot.sum != 0 && slot.kind == key.kind && slot.length == key.length && std::memcmp(slot.digest, key.digest.data(), sizeof slot.digest) == 0) {
      place = &slot;
      best = 0;
      break;
    }
    const std::uint64_t worth = slot.sum == 0 ? 1 : std::uint64_t{slot.fresh_until} + 2;
    if (worth < best) {
      best = worth;
      place = &slot;
    }
  }
  if (!fits) {
    if (best == 0) place->sum = 0;  // what it held is out of date
    return false;
  }
  place->sum = 0;  // whoever finds it half written finds nothing
  std::atomic_signal_fence(std::memory_order_release);
  place->fresh_until = static_cast<std::uint32_t>(fresh_until);
  place->size = static_cast<std::uint16_t>(value.size());
  place->kind = key.kind;
  place->length = key.length;
  std::memcpy(place->digest, key.digest.data(), sizeof place->digest);
  std::memcpy(place->value, value.data(), value.size());
  std::atomic_signal_fence(std::memory_order_release);
  place->sum = sum_of(*place);
  return true;
}

void DiskCache::clear() {
  for (std::uint64_t i = 0; i <= mask_; ++i)
    if (Slot& slot = at(i); slot.sum != 0) std::memset(&slot, 0, sizeof slot);
}

}  // namespace ksn_client
