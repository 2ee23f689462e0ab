// plugin.json comes from strangers until its signature was checked.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "package/manifest.hpp"

using picket::package::Manifest;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool packed : {false, true}) {
    const auto manifest = Manifest::parse(text, packed);
    if (!manifest) {
      if (manifest.error().message.empty()) std::abort();
      continue;
    }
    // What becomes part of a path must never lead out of its folder.
    for (const std::string_view name : {std::string_view(manifest->id), std::string_view(manifest->version), std::string_view(manifest->file)})
      if (name.empty() || name.find('/') != std::string_view::npos || name[0] == '.' || name.find('\0') != std::string_view::npos) std::abort();
    if (!picket::package::is_plugin_id(manifest->id) || !picket::package::is_version(manifest->version)) std::abort();
    if (picket::package::compare_versions(manifest->version, manifest->version) != 0) std::abort();
    if (packed && manifest->sha256.size() != 64) std::abort();
    if (manifest->limits.callback_ms == 0 || manifest->limits.queue_messages == 0) std::abort();
  }
  return 0;
}
