// Any bytes as a delta, on a fixed old content: no crash, nothing read outside, never more bytes than the header said and the limits allow.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "delta/delta.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string old = [] {
    std::string text;
    for (unsigned i = 0; i < 200; ++i) text += "line " + std::to_string(i * 7919 % 1000) + " of the old content\n";
    return text;
  }();
  constexpr std::uint64_t most = 16'384;
  // On the heap and of its exact size, so that the sanitizer sees one byte too many.
  const std::string base(old), delta(reinterpret_cast<const char*>(data), size);
  std::uint64_t bytes = 0;
  std::size_t at = 0;
  const auto header = picket::delta::read_header(delta, at);
  const auto done = picket::delta::apply(base, delta, {most, 32u << 20}, [&](std::string_view piece) {
    bytes += piece.size();
    return picket::Result<>{};
  });
  if (bytes > most || (header && bytes > header->new_length)) std::abort();
  if (done && (!header || bytes != header->new_length)) std::abort();
  return 0;
}
