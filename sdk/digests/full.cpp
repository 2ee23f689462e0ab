#include "digests/full.hpp"

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"

namespace picket::digests {

using namespace format;

namespace {

constexpr std::uint64_t kSamples = 1024;  // neighbours whose order is looked at when a file is opened

tl::unexpected<Error> full_damaged(std::string_view what) { return fail(Code::invalid, cat("the full digest database is damaged: ", what)); }

}  // namespace

Result<Full> Full::read(std::string_view bytes) {
  Full out;
  PICKET_LET(header, read_header(bytes, kFullMagic, "full"));
  out.header_ = header;
  if (header.form > kMostIndexBits) return full_damaged("its index is too large");
  if (header.entries > kMostEntries || (header.digests > 0 && header.entries == 0)) return full_damaged("its number of entries is impossible");
  const auto width = header.reference_bytes;
  if (width != 0 && width != 1 && width != 2 && width != 4) return full_damaged("the size of its references is impossible");
  if (width == 0 && header.entries > 1) return full_damaged("it has entries, but no references to them");
  // The limits above keep this sum far from overflow.
  const std::uint64_t index_bytes = 4 * ((std::uint64_t{1} << header.form) + 1);
  const std::uint64_t fixed = kHeaderBytes + index_bytes + header.digests * (kDigestBytes + width) + header.entries * kEntryBytes;
  if (fixed > bytes.size() || header.tail != bytes.size() - fixed)
    return full_damaged(cat("it holds ", std::to_string(bytes.size()), " bytes, which is not what its header says"));
  out.index_ = bytes.data() + kHeaderBytes;
  out.digests_ = out.index_ + index_bytes;
  out.references_ = out.digests_ + header.digests * kDigestBytes;
  out.entries_ = out.references_ + header.digests * width;
  out.texts_ = out.entries_ + header.entries * kEntryBytes;
  PICKET_TRY(out.check_index());
  PICKET_TRY(out.check_entries());
  PICKET_TRY(out.check_references());
  PICKET_TRY(out.check_order(std::max<std::uint64_t>(1, header.digests / kSamples)));
  return out;
}

Result<> Full::check_index() const {
  const std::uint64_t buckets = std::uint64_t{1} << header_.form;
  std::uint64_t before = 0;
  for (std::uint64_t i = 0; i <= buckets; ++i) {
    const auto now = index(i);
    if (now < before || (i == 0 && now != 0)) return full_damaged("its index does not ascend");
    before = now;
  }
  if (before != header_.digests) return full_damaged("its index does not end with its number of digests");
  return {};
}

Result<> Full::check_entries() const {
  for (std::uint64_t i = 0; i < header_.entries; ++i) {
    const char* const entry = entries_ + i * kEntryBytes;
    const auto verdict = static_cast<unsigned char>(entry[0]);
    const std::uint64_t category = static_cast<unsigned char>(entry[1]), name = load32(entry) >> 16, begin = load32(entry + 4);
    if (verdict < 1 || verdict > 3) return full_damaged("an entry has no verdict");
    if (category > kMostCategory || name > kMostName) return full_damaged("a text is too long");
    if (begin > header_.tail || category + name > header_.tail - begin) return full_damaged("a text lies outside of it");
    if (!is_valid_utf8({texts_ + begin, category}) || !is_valid_utf8({texts_ + begin + category, name})) return full_damaged("a text is no UTF-8");
  }
  return {};
}

Result<> Full::check_references() const {
  if (header_.reference_bytes == 0) return {};
  std::uint32_t highest = 0;
  for (std::uint64_t i = 0; i < header_.digests; ++i) highest = std::max(highest, reference(i));
  if (header_.digests > 0 && highest >= header_.entries) return full_damaged("a digest refers to an entry that is not there");
  return {};
}

Result<> Full::check_order(std::uint64_t step) const {
  for (std::uint64_t i = 0; i < header_.digests; i += step) {
    const auto bucket = bucket_of(prefix_of(digest(i).data()), header_.form);
    if (i < index(bucket) || i >= index(bucket + 1)) return full_damaged(cat("digest ", std::to_string(i), " is not where its index says"));
    if (i > 0 && digest(i - 1) >= digest(i)) return full_damaged(cat("digest ", std::to_string(i), " is out of order"));
  }
  return {};
}

Result<> Full::check() const {
  PICKET_TRY(check_order(1));
  Counts seen;
  for (std::uint64_t i = 0; i < header_.digests; ++i) {
    const auto verdict = at(i).verdict;
    ++(verdict == Verdict::untrusted ? seen.untrusted : verdict == Verdict::abusable ? seen.abusable : seen.trusted);
  }
  const auto& said = header_.counts;
  if (seen.untrusted != said.untrusted || seen.abusable != said.abusable || seen.trusted != said.trusted)
    return full_damaged("it holds other verdicts than its header counts");
  return {};
}

std::uint32_t Full::reference(std::uint64_t position) const {
  const auto byte = [&](std::uint64_t i) { return std::uint32_t{static_cast<unsigned char>(references_[i])}; };
  switch (header_.reference_bytes) {
    case 1: return byte(position);
    case 2: return byte(2 * position) | byte(2 * position + 1) << 8;
    case 4: return load32(references_ + 4 * position);
    default: return 0;
  }
}

Known Full::at(std::uint64_t position) const {
  const char* const entry = entries_ + reference(position) * kEntryBytes;
  const std::size_t category = static_cast<unsigned char>(entry[1]), name = load32(entry) >> 16;
  const char* const text = texts_ + load32(entry + 4);
  return {static_cast<Verdict>(entry[0]), false, {text, category}, {text + category, name}};
}

Known Full::find(const Sha256& wanted) const {
  const auto bucket = bucket_of(prefix_of(wanted.data()), header_.form);
  std::uint64_t low = index(bucket), high = index(bucket + 1);
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    const int order = std::memcmp(digests_ + middle * kDigestBytes, wanted.data(), kDigestBytes);
    if (order == 0) return at(middle);
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return {};
}

}  // namespace picket::digests
