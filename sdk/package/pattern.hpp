// Regular expressions of JSON Schema's "pattern", matched in time linear in the text. std::regex, which valijson would use,
// takes exponential time and unbounded stack for some expressions, and these come from third parties' manifests.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace picket::package {

class Pattern {
 public:
  // ECMA 262 without backreferences, lookaround and \b: those are Code::unsupported; Code::invalid says what is malformed.
  // Bounded: 1024 bytes of text, 1024 instructions after repetition is written out.
  [[nodiscard]] static Result<Pattern> compile(std::string_view text);

  // Unanchored, by code point. Texts over 64 KiB never match.
  [[nodiscard]] bool matches(std::string_view utf8) const;

 private:
  friend class PatternCompiler;
  struct Step {
    enum class What : std::uint8_t { set, split, jump, begin, end, match } what;
    std::uint32_t a = 0, b = 0;  // set: index; split and jump: where to
  };
  struct Set {
    bool negated = false;
    std::vector<std::pair<char32_t, char32_t>> ranges;
    [[nodiscard]] bool contains(char32_t c) const;
  };
  std::vector<Step> steps_;
  std::vector<Set> sets_;
};

}  // namespace picket::package
