// Any bytes as a list for a private KSN: rows within the limits, or counted as not understood.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/bytes.hpp"
#include "ksn/lists.hpp"
#include "picket/ksn/v1/reputation.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace picket;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto format : {lists::Format::automatic, lists::Format::csv, lists::Format::plain, lists::Format::misp}) {
    ksn_tool::ListOptions options;
    options.format = format;
    options.entry.verdict = 3;
    std::uint64_t rows = 0;
    const auto result = ksn_tool::read_list(text, options, [&](int kind, ksn_store::Row row) -> Result<> {
      ++rows;
      std::string bytes;
      ksn_store::append_facts(row.verdict, row.facts_texts, row.popularity, row.first_seen, bytes);
      ksn::v1::Facts facts;
      if (kind < 1 || kind > 3 || row.digest.size() != 32 || !facts.ParseFromString(bytes) || facts.verdict() == 0 || facts.threat().size() > 256) std::abort();
      return {};
    });
    if (result && (result->rows != rows || (result->not_understood != 0) != !result->first.empty() || !is_valid_utf8(result->first))) std::abort();
  }
  return 0;
}
