#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "delta/make/make.hpp"
#include "delta/make/splice_parse.hpp"

namespace picket::delta {

// The method's part of a delta.
[[nodiscard]] std::string write_splice(std::string_view old, std::string_view fresh, const std::vector<Step>& steps, Coding coding);
// `rival`: what another method took; where it cannot be beaten, less is tried.
[[nodiscard]] Result<std::string> write_zstd(std::string_view old, std::string_view fresh, const MakeOptions& options, std::size_t rival);

}  // namespace picket::delta
