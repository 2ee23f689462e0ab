// Any bytes as lines of a list: what is counted adds up, and nothing is taken that is no digest.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "digests/line_lists.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace picket::digests;
  Collection collection;
  ListReport report;
  LineReader reader(Verdict::untrusted, {}, collection, report);
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::uint64_t number = 0, added = 0;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    if (!reader.line(rest.substr(0, end), ++number)) std::abort();
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  }
  collection.for_each([&](const Sha256&) { ++added; });
  if (added != report.sha256 || report.sha256 + report.md5 + report.sha1 + report.other + report.unreadable > number) std::abort();
  if ((report.unreadable == 0) != report.first_unreadable.empty()) std::abort();
  return 0;
}
