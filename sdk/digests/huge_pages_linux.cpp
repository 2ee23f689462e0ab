#include "digests/huge_pages.hpp"

#include <cstdlib>
#include <cstring>

#include <sys/mman.h>

namespace picket::digests {

std::shared_ptr<const char> in_huge_pages(std::string_view bytes) {
  constexpr std::size_t kPage = std::size_t{2} << 20;
  const auto size = (bytes.size() + kPage - 1) / kPage * kPage;
  char* const at = static_cast<char*>(std::aligned_alloc(kPage, size));
  if (at == nullptr) return nullptr;
  ::madvise(at, size, MADV_HUGEPAGE);  // advice: small pages do too
  std::memcpy(at, bytes.data(), bytes.size());
  return {at, [](const char* memory) { std::free(const_cast<char*>(memory)); }};
}

}  // namespace picket::digests
