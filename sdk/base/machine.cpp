#include "base/machine.hpp"

#include "base/digest.hpp"
#include "base/files.hpp"

namespace picket {

std::string machine_mark(const std::filesystem::path& file) {
  auto id = read_file(file, 128);
  while (id && id->ends_with('\n')) id->pop_back();
  // "uninitialized": of an image that was not started yet.
  if (!id || id->empty() || *id == "uninitialized") return {};
  return sha256_hex(cat("picket installation\n", *id)).substr(0, 16);
}

}  // namespace picket
