// The options and locations of sources, checked. Texts never hold a secret or a whole location.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "curl_source/failure.hpp"
#include "picket/source/v1/source.pb.h"

namespace curl_source {

[[nodiscard]] inline tl::unexpected<Failure> bad_source(const std::string& name, const std::string& what) {
  return failed(PICKET_E_INVALID, "source '" + name + "': " + what);
}
[[nodiscard]] bool has_control_or_space(std::string_view text);

struct Option {
  std::string_view name;
  std::variant<std::string*, bool*, std::vector<std::string>*> into;
};
// Fills in what the source's options name; an unknown one, or one of another type, is INVALID. `kind`: "an http source".
[[nodiscard]] Outcome<> read_options(const picket::source::v1::Source& source, std::string_view kind, std::span<const Option> known);
// The paths that are given must be absolute; the error names them.
[[nodiscard]] Outcome<> want_absolute(const std::string& source, std::span<const Option> paths);
// libcurl would say so only after it has connected, and in fewer words.
[[nodiscard]] Outcome<> want_readable(const std::string& source, std::span<const Option> paths);

// A base address and a relative, percent-encoded path. INVALID when it could leave the base.
[[nodiscard]] Outcome<std::string> address_of(const std::string& base, std::string_view path);

}  // namespace curl_source
