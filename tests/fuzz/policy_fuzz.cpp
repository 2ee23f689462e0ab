// A policy document of any shape is taken or refused with one line; what is taken can be merged with local values of any shape.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/compose.hpp"
#include "policy/document.hpp"

namespace {

void require(bool what) {
  if (!what) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace picket::policy;
  // Document, then after a zero byte local values of the first plugin.
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto zero = input.find('\0');
  const auto document = Document::parse(input.substr(0, zero));
  if (!document) {
    require(!document.error().message.empty() && document.error().message.find('\n') == std::string::npos);
    return 0;
  }
  require(document->revision >= 1);
  (void)check_times(*document, 1'800'000'000);
  (void)document->audience.why_not_for({"acme", "pc-1", {"office"}});
  static const auto schema = CompiledSchema::compile(R"({"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"integer","default":1}}},
    "l":{"type":"array","items":{"type":"object","properties":{"on":{"default":true}}}}}})");
  LocalFile local;
  if (zero != input.npos) {
    if (auto parsed = picket::policy::parse_local(input.substr(zero + 1))) local.settings = std::move(*parsed);
  }
  for (const auto& [id, plugin] : document->plugins) {
    const auto composed = compose(id, *schema, &plugin, local);
    require(composed ? composed->local_problem.find('\n') == std::string::npos : composed.error().message.find('\n') == std::string::npos);
    if (composed) require(!schema->check(composed->settings));  // never a bad value
    const auto parts = split(plugin.settings, plugin.locks);
    if (plugin.locks.everything) require(parts.unlocked.empty());
    for (const auto& path : plugin.locks.paths)
      if (!path.empty()) require(find(without_locked(local.settings, plugin.locks), path) == nullptr);
    (void)explain_settings(id, *schema, &plugin, local, "");
  }
  return 0;
}
