// Bytes of anybody, before any signature: all four kinds of metadata, and what can be asked of them afterwards.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "trust/metadata.hpp"

using namespace picket::trust;

namespace {

void use(const Targets& targets) {
  for (const auto& [path, file] : targets.targets)
    if (check_target_path(path)) (void)consistent_target_path(path, "00");
  if (!targets.delegations) return;
  for (const auto& role : targets.delegations->roles) {
    (void)role.matches("dir/file.ext");
    if (decode_role(encode_role(role.name)) != role.name) std::abort();
  }
  if (targets.delegations->succinct && !targets.delegations->succinct->is_bin(targets.delegations->succinct->bin_of("dir/file.ext"))) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto root = Metadata<Root>::parse(bytes)) (void)verify_threshold("root", root->body.root, root->body.keys, root->signed_bytes, root->signatures);
  if (const auto timestamp = Metadata<Timestamp>::parse(bytes)) (void)verify_file("snapshot", bytes, timestamp->body.snapshot);
  (void)Metadata<Snapshot>::parse(bytes);
  if (const auto targets = Metadata<Targets>::parse(bytes)) use(targets->body);
  if (const auto time = parse_time(bytes); time && parse_time(format_time(*time)).value_or(-1) != *time) std::abort();
  return 0;
}
