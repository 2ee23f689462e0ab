// Any bytes as a journal: replay never reads beyond them, finds the same records again in what it calls whole, and counts every byte once.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "storage/journal.hpp"

namespace {

struct Replay {
  explicit Replay(std::string_view bytes) {
    result = picket::storage::replay_journal(bytes, [this](std::string_view record) { records.emplace_back(record); }, whole);
  }
  std::vector<std::string> records;
  std::uint64_t whole = 0;
  picket::storage::Journal::Replayed result;
};

void must(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const Replay first(bytes);
  must(first.whole + first.result.torn_bytes == size);
  must(first.result.records == first.records.size());
  std::uint64_t in_records = 0;
  for (const auto& record : first.records) in_records += record.size() + 16;
  must(in_records + first.result.damaged_bytes == first.whole);
  const Replay again(std::string_view(bytes).substr(0, first.whole));
  must(again.records == first.records);
  must(again.result.torn_bytes == 0);
  return 0;
}
