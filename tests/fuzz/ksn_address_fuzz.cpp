// Any text as a web address: the canonical form is its own canonical form, and the expressions are few and begin with the host.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ksn/address.hpp"
#include "ksn/software.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (picket::ksn::software_digest(text, text).size() != 32) std::abort();
  const auto canonical = picket::ksn::canonical_address(text);
  if (!canonical) return 0;
  for (const char c : *canonical)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '#') std::abort();
  // Escapes make a text up to three times longer, so the second reading may find it too long.
  if (const auto again = picket::ksn::canonical_address(*canonical); again ? *again != *canonical : canonical->size() <= 8192) std::abort();
  const auto expressions = picket::ksn::address_expressions(*canonical);
  if (expressions.empty() || expressions.size() > 30) std::abort();
  for (const auto& expression : expressions)
    if (expression.find('/') == expression.npos || expression.front() == '/') std::abort();
  return 0;
}
