// What decides which picketd is started: the launcher's file, and the list of a release, which comes from strangers until its signature was checked.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "launcher/slot_state.hpp"
#include "package/agent_release.hpp"

using namespace picket;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // With its right digest, so that what is behind it is reached.
  auto state = launcher::parse_slots(cat(text, "sha256 ", sha256_hex(text), "\n"));
  if (state) {
    // Whatever was read can be written and read again, and something is always started.
    const auto again = launcher::parse_slots(launcher::to_text(*state));
    if (!again || again->next() != state->next() || again->confirmed != state->confirmed) std::abort();
    if (state->free() == state->confirmed || state->free() == launcher::Slot::package) std::abort();
    launcher::take_back(*state, text, 1);
    if (state->next() != state->confirmed) std::abort();
    for (int i = 0; i < 3; ++i) launcher::fall_back(*state, text, 2);
    if (state->next() != launcher::Slot::package) std::abort();
    if (!launcher::parse_slots(launcher::to_text(*state))) std::abort();
  } else if (state.error().message.empty()) {
    std::abort();
  }
  if (launcher::parse_slots(text) && text.find("sha256 ") == text.npos) std::abort();
  const auto release = package::AgentRelease::parse(text);
  if (!release && release.error().message.empty()) std::abort();
  if (release)
    for (const auto& file : release->files)
      if (!file.path.starts_with("bin/") || file.path.find('/', 4) != std::string::npos || file.path[4] == '.' || file.sha256.size() != 64) std::abort();
  return 0;
}
