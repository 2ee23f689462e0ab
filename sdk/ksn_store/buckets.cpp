#include "ksn_store/buckets.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "ksn/limits.hpp"

namespace picket::ksn_store::buckets {
namespace {

static_assert(std::endian::native == std::endian::little, "the bytes of a bucket are those of the memory");

constexpr std::size_t kDigest = ksn::kDigestBytes;
constexpr std::size_t kMostObjects = 300;  // with LMDB's page head four pages of 4 KiB
constexpr std::uint64_t kLastKey = ~std::uint64_t{0};

// The first 8 bytes, as they sort.
std::uint64_t prefix_of(std::string_view digest) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, digest.data(), std::min(sizeof bytes, digest.size()));
  return __builtin_bswap64(bytes);
}

class Bucket {
 public:
  explicit Bucket(std::string_view bytes) : tags_(bytes.data()), count_(bytes.size() / (1 + kObjectBytes)), objects_(tags_ + count_) {}
  [[nodiscard]] static bool is_one(const MDB_val& value) { return value.mv_size % (1 + kObjectBytes) == 0; }

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] const char* at(std::size_t i) const { return objects_ + i * kObjectBytes; }
  [[nodiscard]] std::string_view digest(std::size_t i) const { return {at(i), kDigest}; }
  void prefetch_tags() const {
    for (std::size_t line = 0; line <= count_; line += 64) __builtin_prefetch(tags_ + line);
  }
  // The next one that may have this digest; count(): none has.
  [[nodiscard]] std::size_t candidate(std::string_view digest, std::size_t from) const {
    const void* found = from < count_ ? std::memchr(tags_ + from, digest[kDigest - 1], count_ - from) : nullptr;
    return found ? static_cast<std::size_t>(static_cast<const char*>(found) - tags_) : count_;
  }
  [[nodiscard]] std::size_t lower_bound(std::string_view digest_or_prefix) const {
    std::size_t low = 0, high = count_;
    while (low < high) {
      const auto middle = low + (high - low) / 2;
      if (digest(middle) < digest_or_prefix) low = middle + 1;
      else high = middle;
    }
    return low;
  }

 private:
  const char* tags_;
  std::size_t count_;
  const char* objects_;
};

std::string_view view(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

// The bucket where digests with this prefix are, and its key.
int bucket_of(MDB_cursor* cursor, std::uint64_t prefix, std::uint64_t& last, MDB_val& value) {
  MDB_val key{sizeof prefix, &prefix};
  const int status = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
  if (status != MDB_SUCCESS) return status;
  if (key.mv_size != sizeof last || !Bucket::is_one(value)) return MDB_CORRUPTED;
  std::memcpy(&last, key.mv_data, sizeof last);
  return MDB_SUCCESS;
}

void append(const Object& object, char*& tag, char*& at) {
  *tag++ = object.digest[kDigest - 1];
  std::memcpy(at, object.digest.data(), kDigest);
  at[kDigest] = static_cast<char>(object.verdict);
  std::memcpy(at + kDigest + 1, &object.texts, 4);
  std::memcpy(at + kDigest + 5, &object.popularity, 8);
  std::memcpy(at + kDigest + 13, &object.first_seen, 8);
  at += kObjectBytes;
}

int write(MDB_cursor* cursor, std::uint64_t last, std::span<const Object> objects, std::string& buffer) {
  buffer.resize(objects.size() * (1 + kObjectBytes));
  char *tag = buffer.data(), *at = buffer.data() + objects.size();
  for (const auto& object : objects) append(object, tag, at);
  MDB_val key{sizeof last, &last}, value{buffer.size(), buffer.data()};
  return mdb_cursor_put(cursor, &key, &value, 0);
}

// Into as many buckets as it takes, all about equally full. Digests with the same first 8 bytes stay together: nobody but who makes them up has many.
int write_all(MDB_cursor* cursor, std::uint64_t last, std::span<const Object> objects, std::string& buffer) {
  const auto pieces = (objects.size() + kMostObjects - 1) / kMostObjects;
  std::size_t begin = 0;
  for (std::size_t piece = 1; piece < pieces; ++piece) {
    auto end = std::max(objects.size() * piece / pieces, begin + 1);
    while (end < objects.size() && prefix_of(objects[end - 1].digest) == prefix_of(objects[end].digest)) ++end;
    if (end == objects.size()) break;
    if (const int status = write(cursor, prefix_of(objects[end - 1].digest), objects.subspan(begin, end - begin), buffer); status != MDB_SUCCESS) return status;
    begin = end;
  }
  return write(cursor, last, objects.subspan(begin), buffer);
}

}  // namespace

Object Object::read(const char* at) {
  Object out;
  out.digest = {at, kDigest};
  out.verdict = static_cast<std::uint8_t>(at[kDigest]);
  std::memcpy(&out.texts, at + kDigest + 1, 4);
  std::memcpy(&out.popularity, at + kDigest + 5, 8);
  std::memcpy(&out.first_seen, at + kDigest + 13, 8);
  return out;
}

int find(MDB_cursor* cursor, std::string_view digests, std::vector<const char*>& out) {
  // Three rounds, so that what one digest waits for comes while the others are looked at.
  struct Look {
    Bucket bucket{std::string_view()};
    std::size_t at = 0;
  };
  std::vector<Look> looks(digests.size() / kDigest);
  const auto digest = [&](std::size_t i) { return digests.substr(i * kDigest, kDigest); };
  for (std::size_t i = 0; i < looks.size(); ++i) {
    std::uint64_t last = 0;
    MDB_val value{};
    const int status = bucket_of(cursor, prefix_of(digest(i)), last, value);
    if (status == MDB_NOTFOUND) continue;
    if (status != MDB_SUCCESS) return status;
    looks[i].bucket = Bucket(view(value));
    looks[i].bucket.prefetch_tags();
  }
  for (std::size_t i = 0; i < looks.size(); ++i) {
    auto& look = looks[i];
    look.at = look.bucket.candidate(digest(i), 0);
    if (look.at == look.bucket.count()) continue;
    __builtin_prefetch(look.bucket.at(look.at));
    __builtin_prefetch(look.bucket.at(look.at) + kObjectBytes - 1);
  }
  for (std::size_t i = 0; i < looks.size(); ++i) {
    auto& [bucket, at] = looks[i];
    while (at < bucket.count() && bucket.digest(at) != digest(i)) at = bucket.candidate(digest(i), at + 1);
    out.push_back(at < bucket.count() ? bucket.at(at) : nullptr);
  }
  return MDB_SUCCESS;
}

int under(MDB_cursor* cursor, std::string_view prefix, std::size_t most, std::vector<const char*>& out) {
  std::uint64_t last = 0;
  MDB_val value{};
  int status = bucket_of(cursor, prefix_of(prefix), last, value);
  for (bool first = true; status == MDB_SUCCESS; first = false) {
    if (!Bucket::is_one(value)) return MDB_CORRUPTED;
    const Bucket bucket(view(value));
    for (auto i = first ? bucket.lower_bound(prefix) : 0; i < bucket.count(); ++i) {
      if (!bucket.digest(i).starts_with(prefix) || out.size() > most) return MDB_SUCCESS;
      out.push_back(bucket.at(i));
    }
    MDB_val key{};
    status = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  return status == MDB_NOTFOUND ? MDB_SUCCESS : status;
}

int put(MDB_cursor* cursor, std::span<const Object> objects, std::uint64_t& added) {
  std::string before, buffer;
  std::vector<Object> all;
  while (!objects.empty()) {
    std::uint64_t last = kLastKey;
    MDB_val value{};
    if (const int status = bucket_of(cursor, prefix_of(objects.front().digest), last, value); status != MDB_SUCCESS && status != MDB_NOTFOUND) return status;
    before.assign(view(value));  // writing over it would take the views away
    const Bucket bucket(before);
    all.clear();
    std::size_t old = 0;
    for (; !objects.empty() && prefix_of(objects.front().digest) <= last; objects = objects.subspan(1)) {
      for (; old < bucket.count() && bucket.digest(old) < objects.front().digest; ++old) all.push_back(Object::read(bucket.at(old)));
      if (old < bucket.count() && bucket.digest(old) == objects.front().digest) ++old;
      else ++added;
      all.push_back(objects.front());
    }
    for (; old < bucket.count(); ++old) all.push_back(Object::read(bucket.at(old)));
    if (const int status = write_all(cursor, last, all, buffer); status != MDB_SUCCESS) return status;
  }
  return MDB_SUCCESS;
}

int remove(MDB_cursor* cursor, std::string_view digest, bool& was) {
  was = false;
  std::uint64_t last = 0;
  MDB_val value{};
  const int status = bucket_of(cursor, prefix_of(digest), last, value);
  if (status == MDB_NOTFOUND) return MDB_SUCCESS;
  if (status != MDB_SUCCESS) return status;
  const std::string before(view(value));
  const Bucket bucket(before);
  const auto at = bucket.lower_bound(digest);
  if (at == bucket.count() || bucket.digest(at) != digest) return MDB_SUCCESS;
  was = true;
  if (bucket.count() == 1) return mdb_cursor_del(cursor, 0);  // its digests belong to the next one from now on
  std::vector<Object> rest;
  for (std::size_t i = 0; i < bucket.count(); ++i)
    if (i != at) rest.push_back(Object::read(bucket.at(i)));
  std::string buffer;
  return write(cursor, last, rest, buffer);
}

}  // namespace picket::ksn_store::buckets
