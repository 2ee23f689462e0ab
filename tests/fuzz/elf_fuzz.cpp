// Shared objects come from strangers: whatever the bytes, the reader ends soon and stays within them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "package/elf.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto facts = picket::package::read_elf({reinterpret_cast<const char*>(data), size});
  if (!facts) {
    if (facts.error().message.empty()) std::abort();
    return 0;
  }
  // Every name lies in the file, and so does each entry of its tables: more of them than bytes is a loop.
  if (facts->exports.size() > size || facts->needed.size() > size || facts->search_path.size() > size) std::abort();
  for (const bool in_process : {false, true}) (void)picket::package::broken_rules(*facts, in_process);
  return 0;
}
