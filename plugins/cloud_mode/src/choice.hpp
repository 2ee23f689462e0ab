// The rule, without the bus: which variant, and why in words.
#pragma once

#include <string>

namespace cloud_mode {

struct Ksn {
  bool known = false;     // somebody has said how it is
  bool readable = true;   // and we understood it
  bool in_use = false;
  std::string text;
};

struct Choice {
  std::string variant;
  std::string reason;
};

[[nodiscard]] Choice choose(bool cloud_mode, const Ksn& ksn);

}  // namespace cloud_mode
