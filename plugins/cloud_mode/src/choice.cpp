#include "choice.hpp"

namespace cloud_mode {

Choice choose(bool cloud_mode, const Ksn& ksn) {
  if (!cloud_mode) return {"full", "cloud mode is switched off"};
  if (!ksn.known) return {"full", "cloud mode is on, but KSN is not in use: no plugin has said so"};
  if (!ksn.readable) return {"full", "cloud mode is on, but what was said about KSN cannot be read"};
  const std::string said = ksn.text.empty() ? std::string() : ": " + ksn.text;
  if (!ksn.in_use) return {"full", "cloud mode is on, but KSN is not in use" + said};
  return {"light", "cloud mode is on and KSN is in use" + said};
}

}  // namespace cloud_mode
