#include "check/content.hpp"

#include <algorithm>
#include <array>

#include <picket/ext/bus.h>

#include "base/result.hpp"

namespace picket::check {

std::string random_bytes(Random& random) {
  constexpr std::array<std::size_t, 6> sizes{0, 1, 16, 300, 5000, PICKET_BUS_MAX_PAYLOAD};
  const std::size_t most = sizes[std::min<std::uint64_t>(random() % 12, sizes.size() - 1)];
  std::string out(most == 0 ? 0 : random() % (most + 1), '\0');
  if (most == PICKET_BUS_MAX_PAYLOAD) out.resize(random() % 50 == 0 ? most : out.size() % 4096);
  for (char& c : out) c = static_cast<char>(random());
  switch (random() % 4) {
    case 0:
      for (std::size_t i = 0; i + 1 < out.size(); i += 2 + static_cast<unsigned char>(out[i + 1]) % 32) {
        out[i] = static_cast<char>(((random() % 15 + 1) << 3) | (random() % 3));
        out[i + 1] = static_cast<char>(out[i + 1] & 0x1f);
      }
      break;
    case 1:
      out.insert(0, "{\"a\":[");
      out.resize(std::min<std::size_t>(out.size(), PICKET_BUS_MAX_PAYLOAD));
      break;
    default: break;
  }
  return out;
}

std::string mutated(std::string text, Random& random) {
  // What a length or a sign is misread at.
  constexpr std::array<unsigned char, 5> edges{0x00, 0x01, 0x7f, 0x80, 0xff};
  const auto fate = random() % 32;
  if (fate == 0) return {};
  if (text.empty()) text.assign(1, static_cast<char>(random()));
  if (fate <= 2) {
    while (text.size() < PICKET_BUS_MAX_PAYLOAD) text += text;
    text.resize(PICKET_BUS_MAX_PAYLOAD);
  }
  for (auto times = 1 + random() % 4; times > 0 && !text.empty(); --times) {
    const std::size_t at = random() % text.size(), length = 1 + random() % 32;
    switch (random() % 6) {
      case 0: text[at] = static_cast<char>(text[at] ^ (1 << random() % 8)); break;
      case 1: text[at] = static_cast<char>(edges[random() % edges.size()]); break;
      case 2: text.resize(fate <= 2 ? text.size() : at); break;  // what was to be huge stays it
      case 3: text.erase(at, length); break;
      case 4: text.insert(at, std::string(text, random() % text.size(), length)); break;
      default: text.insert(at, length, static_cast<char>(random())); break;
    }
  }
  text.resize(std::min<std::size_t>(text.size(), PICKET_BUS_MAX_PAYLOAD));
  return text;
}

std::string topic_of(const std::string& filter, Random& random) {
  constexpr std::array<const char*, 4> names{"active", "thing", "x.y", "state"};
  if (filter == "*") return cat("any.", names[random() % names.size()]);
  if (!filter.ends_with(".*")) return filter;
  return filter.substr(0, filter.size() - 1) + names[random() % names.size()];
}

}  // namespace picket::check
