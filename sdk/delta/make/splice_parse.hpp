// How the new content can be said with pieces of the old one.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "delta/make/suffix_index.hpp"
#include "delta/splice_model.hpp"

namespace picket::delta {

// Copy so much, then the event. The last one is a copy alone: `is_end`.
struct Step {
  std::uint64_t copy = 0;
  Event event = Event::substitute;
  std::uint64_t count = 0;   // literals, or quoted bytes
  std::int64_t distance = 0;
  bool is_end = false;
};

struct ParseOptions {
  bool words = true;           // binary content with references
  unsigned least_gain = 8;     // bytes that a new place must match beyond the present one
  unsigned quote_from = 0;     // what a literal is thought to cost, in 1/8 bits: dearer ones are quoted instead; 0: never
};

[[nodiscard]] std::vector<Step> parse(std::string_view old, std::string_view fresh, const SuffixIndex& index, const ParseOptions& options);

}  // namespace picket::delta
