#include "digests/make/collection.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "base/bytes.hpp"
#include "digests/format.hpp"
#include "digests/make/fuse_builder.hpp"
#include "digests/make/output_file.hpp"

namespace picket::digests {

using namespace format;

namespace {

// Control characters become blanks; what is no UTF-8 goes byte by byte into '?'; cut between characters.
std::string clean(std::string_view text, std::size_t most) {
  auto out = plain_line(text, text.size());
  out.erase(0, std::min(out.find_first_not_of(' '), out.size()));
  out.resize(whole_characters(out, most).size());
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

void put(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
}

std::string header_of(std::string_view magic, const Header& header) {
  std::string out(magic);
  put(out, version_of(magic), 4);
  put(out, header.form, 4);
  put(out, header.digests, 8);
  for (const auto count : {header.counts.untrusted, header.counts.abusable, header.counts.trusted}) put(out, count, 8);
  put(out, header.entries, 4);
  put(out, header.reference_bytes, 4);
  put(out, header.tail, 8);
  return out;
}

std::string_view bytes_of(const Sha256& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

// About 64 digests a bucket: 2 KiB, so that a lookup touches a page or two, and the index costs next to nothing.
std::uint32_t index_bits_for(std::uint64_t digests) {
  std::uint32_t bits = 0;
  while (bits < kMostIndexBits && digests >> (bits + 1) >= 64) ++bits;
  return bits;
}

std::uint64_t& count_of(Counts& counts, Verdict verdict) {
  return verdict == Verdict::untrusted ? counts.untrusted : verdict == Verdict::abusable ? counts.abusable : counts.trusted;
}

}  // namespace

Result<> Collection::add(const Sha256& digest, Verdict verdict, std::string_view category, std::string_view name) {
  if (verdict == Verdict::unknown) return fail(Code::invalid, "a digest without a verdict");
  if (records_.size() >= kMostDigests) return fail(Code::too_large, cat("more than ", std::to_string(kMostDigests), " digests"));
  const auto [found, fresh] = numbers_.try_emplace(Entry{verdict, clean(category, kMostCategory), clean(name, kMostName)}, static_cast<std::uint32_t>(entries_.size()));
  if (fresh) {
    if (entries_.size() >= kMostEntries) return fail(Code::too_large, cat("more than ", std::to_string(kMostEntries), " different names"));
    entries_.push_back(found->first);
  }
  records_.push_back({digest, found->second});
  return {};
}

void Collection::for_each(const std::function<void(const Sha256&)>& visit) const {
  for (const auto& record : records_) visit(record.digest);
}

void Collection::settle() {
  known_ = {};
  numbers_.clear();
  // The stricter verdict first; of one verdict, the text that says more.
  const auto rank_of = [&](std::uint32_t number) {
    const auto& entry = entries_[number];
    return std::tuple(-static_cast<int>(entry.verdict), entry.name.empty(), entry.category.empty(), std::string_view(entry.category), std::string_view(entry.name));
  };
  std::vector<std::uint32_t> order(entries_.size()), rank(entries_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return rank_of(a) < rank_of(b); });
  for (std::uint32_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
  std::sort(records_.begin(), records_.end(), [&](const Record& a, const Record& b) { return std::tie(a.digest, rank[a.entry]) < std::tie(b.digest, rank[b.entry]); });

  std::vector<bool> used(entries_.size());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < records_.size();) {
    const Record first = records_[i];
    const auto verdict = entries_[first.entry].verdict;
    bool conflict = false;
    std::size_t next = i + 1;
    for (; next < records_.size() && records_[next].digest == first.digest; ++next) conflict = conflict || entries_[records_[next].entry].verdict != verdict;
    if (next > i + 1) ++(conflict ? known_.in_conflict : known_.repeated);
    ++count_of(known_.counts, verdict);
    used[first.entry] = true;
    records_[kept++] = first;
    i = next;
  }
  records_.resize(kept);

  std::vector<Entry> entries;
  std::vector<std::uint32_t> number(entries_.size());
  for (const auto old : order) {
    if (!used[old]) continue;
    number[old] = static_cast<std::uint32_t>(entries.size());
    entries.push_back(std::move(entries_[old]));
  }
  for (auto& record : records_) record.entry = number[record.entry];
  entries_ = std::move(entries);
}

Result<Collection::Written> Collection::write_full(const std::filesystem::path& path) {
  settle();
  std::string entries, texts;
  for (const auto& entry : entries_) {
    put(entries, static_cast<std::uint64_t>(entry.verdict), 1);
    put(entries, entry.category.size(), 1);
    put(entries, entry.name.size(), 2);
    put(entries, texts.size(), 4);
    texts.append(entry.category).append(entry.name);
    if (texts.size() > std::uint32_t{0xFFFFFFFF}) return fail(Code::too_large, "more than 4 GiB of names");
  }
  Header header;
  header.form = index_bits_for(records_.size());
  header.digests = records_.size();
  header.counts = known_.counts;
  header.entries = static_cast<std::uint32_t>(entries_.size());
  header.reference_bytes = entries_.size() <= 1 ? 0 : entries_.size() <= 0x100 ? 1 : entries_.size() <= 0x10000 ? 2 : 4;
  header.tail = texts.size();

  std::string index;
  std::size_t below = 0;
  const std::uint64_t buckets = std::uint64_t{1} << header.form;
  for (std::uint64_t bucket = 0; bucket < buckets; ++bucket) {
    while (below < records_.size() && bucket_of(prefix_of(records_[below].digest.data()), header.form) < bucket) ++below;
    put(index, below, 4);
  }
  put(index, records_.size(), 4);

  PICKET_LET(out, OutputFile::create(path));
  PICKET_TRY(out.write(header_of(kFullMagic, header)));
  PICKET_TRY(out.write(index));
  for (const auto& record : records_) PICKET_TRY(out.write(bytes_of(record.digest)));
  for (const auto& record : records_) {
    std::string reference;
    put(reference, record.entry, header.reference_bytes);
    PICKET_TRY(out.write(reference));
  }
  PICKET_TRY(out.write(entries));
  PICKET_TRY(out.write(texts));
  PICKET_TRY(out.commit());
  Written written = known_;
  written.bytes = kHeaderBytes + index.size() + records_.size() * (kDigestBytes + header.reference_bytes) + entries.size() + texts.size();
  return written;
}

Result<Collection::Written> Collection::write_light(const std::filesystem::path& path) {
  settle();
  // Keys are the first 8 bytes: two digests that share them are one key.
  std::uint64_t keys = 0, last = 0;
  for (const auto& record : records_) {
    if (is_trusted(record)) continue;
    const auto key = prefix_of(record.digest.data());
    if (keys == 0 || key != last) ++keys;
    last = key;
  }
  Header header;
  header.form = static_cast<std::uint32_t>((keys + kMostShardKeys - 1) / kMostShardKeys);
  header.counts = known_.counts;
  header.counts.trusted = 0;
  header.digests = header.counts.all();

  PICKET_LET(out, OutputFile::create(path));
  PICKET_TRY(out.write(std::string(kHeaderBytes + header.form * kShardBytes, '\0')));  // until the shards are known
  std::string shards;
  auto next = records_.begin();
  std::vector<std::uint64_t> part;
  for (std::uint64_t shard = 0; shard < header.form; ++shard) {
    const std::uint64_t wanted = keys * (shard + 1) / header.form - keys * shard / header.form;  // all about equal
    part.clear();
    for (; next != records_.end(); ++next) {
      if (is_trusted(*next)) continue;
      const auto key = prefix_of(next->digest.data());
      if (!part.empty() && part.back() == key) continue;
      if (part.size() == wanted) break;
      part.push_back(key);
    }
    PICKET_LET(built, build_shard(part, shard));
    put(shards, shard == 0 ? 0 : part.front(), 8);
    put(shards, built.seed, 8);
    put(shards, header.tail, 8);
    put(shards, built.shape.segments, 4);
    put(shards, built.shape.segment_bits, 4);
    header.tail += built.fingerprints.size();
    PICKET_TRY(out.write(built.fingerprints));
  }
  PICKET_TRY(out.write_at(0, header_of(kLightMagic, header) + shards));
  PICKET_TRY(out.commit());
  Written written = known_;
  written.left_out = known_.counts.trusted;
  written.counts = header.counts;
  written.bytes = kHeaderBytes + shards.size() + header.tail;
  return written;
}

}  // namespace picket::digests
