// parse_strict on anything: no crash, and what it takes has one canonical form that does not depend on the order of members.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "trust/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = picket::trust::parse_strict(text);
  if (!value) return 0;
  const auto canonical = picket::trust::canonical(*value);
  // Written as plain JSON and read again it is the same; and Boost's parser, which takes more than ours, agrees on what it means.
  const auto again = picket::trust::parse_strict(boost::json::serialize(*value));
  if (!again || picket::trust::canonical(*again) != canonical) std::abort();
  boost::json::error_code why;
  const auto other = boost::json::parse(boost::json::string_view(text.data(), text.size()), why, {}, {.max_depth = 64});
  if (why || !(other == *value)) std::abort();
  return 0;
}
