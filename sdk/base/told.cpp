#include "base/told.hpp"

#include <string_view>

#include "base/result.hpp"

namespace picket {
namespace {

std::string plain(std::string_view text) {
  constexpr std::size_t most = 64;
  std::string out(text.substr(0, most));
  for (char& c : out) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
    if (!good) c = '_';
  }
  return out.empty() ? "-" : out;
}

}  // namespace

std::string user_agent(const Told& told) {
  return cat(plain(told.application), "/", plain(told.version), " (installation ", plain(told.installation), "; licence ", plain(told.licence_key), "; run ", plain(told.run), ")");
}

}  // namespace picket
