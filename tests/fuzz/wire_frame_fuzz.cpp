// The frame parser: whatever it accepts must be what encode() makes of it again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "bus/wire/frame.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace picket::bus::wire;
  const std::string_view packet(reinterpret_cast<const char*>(data), size);
  const auto frame = parse(packet);
  if (!frame) return 0;
  const auto again = encode(*frame);
  if (!again || *again != packet) std::abort();
  return 0;
}
