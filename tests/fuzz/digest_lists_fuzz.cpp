// Any bytes as a list of digests: what is counted adds up, and nothing is taken that is no digest.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "digests/lists.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace picket::digests;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Collection collection;
  const auto read = read_list_text(text, Verdict::untrusted, collection);
  if (!read) return 0;
  std::uint64_t added = 0;
  collection.for_each([&](const Sha256&) { ++added; });
  const auto& report = *read;
  // In lines one each at the most; an entry of JSON has at least two bytes.
  if (added != report.sha256 || report.sha256 + report.md5 + report.sha1 + report.other + report.unreadable > size / 2 + 1) std::abort();
  if ((report.unreadable == 0) != report.first_unreadable.empty()) std::abort();
  return 0;
}
