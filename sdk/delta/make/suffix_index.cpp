#include "delta/make/suffix_index.hpp"

#include <algorithm>
#include <cstring>

#include <divsufsort.h>

namespace picket::delta {

namespace {

std::size_t common(std::string_view a, std::string_view b, std::size_t from) {
  const auto end = std::min(a.size(), b.size());
  auto at = from;
  for (; at + 8 <= end; at += 8) {
    std::uint64_t x, y;
    std::memcpy(&x, a.data() + at, 8);
    std::memcpy(&y, b.data() + at, 8);
    if (x != y) break;
  }
  while (at < end && a[at] == b[at]) ++at;
  return at;
}

}  // namespace

Result<SuffixIndex> SuffixIndex::build(std::string_view text) {
  if (text.size() > max_text) return fail(Code::too_large, "more than 2 GB cannot be sorted");
  SuffixIndex out(text);
  out.order_.resize(text.size());
  if (!text.empty() && divsufsort(reinterpret_cast<const sauchar_t*>(text.data()), out.order_.data(), static_cast<saidx_t>(text.size())) != 0)
    return fail(Code::internal, "no memory for sorting");
  return out;
}

SuffixIndex::Match SuffixIndex::longest(std::string_view wanted) const {
  if (order_.empty()) return {};
  std::size_t low = 0, high = order_.size() - 1, low_common = 0, high_common = 0;
  const auto suffix = [&](std::size_t i) { return text_.substr(static_cast<std::size_t>(order_[i])); };
  low_common = common(suffix(low), wanted, 0);
  high_common = common(suffix(high), wanted, 0);
  while (high - low > 1) {
    const auto middle = low + (high - low) / 2;
    const auto text = suffix(middle);
    const auto same = common(text, wanted, std::min(low_common, high_common));
    const bool less = same < wanted.size() && (same == text.size() || static_cast<unsigned char>(text[same]) < static_cast<unsigned char>(wanted[same]));
    if (less) low = middle, low_common = same;
    else high = middle, high_common = same;
  }
  return low_common >= high_common ? Match{static_cast<std::size_t>(order_[low]), low_common} : Match{static_cast<std::size_t>(order_[high]), high_common};
}

}  // namespace picket::delta
