// Any bytes as a digest database, of either form: opening and asking stay within them, and an answer is one that the file can hold.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "digests/digests.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace picket::digests;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto database = Database::of_bytes(bytes);
  if (!database) {
    if (database.error().message.empty()) std::abort();
    return 0;
  }
  (void)(*database)->check();
  const auto ask = [&](const Sha256& digest) {
    const Known known = (*database)->find(digest);
    if (known.verdict != Verdict::unknown && (known.name.size() > 300 || known.category.size() > 100)) std::abort();
    if ((*database)->is_light() && known.verdict != Verdict::unknown) std::abort();
    for (const auto text : {known.name, known.category})
      if (!text.empty() && (text.data() < bytes.data() || text.data() + text.size() > bytes.data() + bytes.size())) std::abort();
  };
  Sha256 digest{};
  ask(digest);
  digest.fill(0xFF);
  ask(digest);
  // Windows of the input itself: the digests of a full one are among them.
  for (std::size_t at = 0; at + digest.size() <= size && at < 4096; ++at) {
    std::memcpy(digest.data(), data + at, digest.size());
    ask(digest);
  }
  return 0;
}
