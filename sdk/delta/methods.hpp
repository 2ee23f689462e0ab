#pragma once

#include <memory>
#include <string_view>

#include "delta/delta.hpp"

namespace picket::delta {

inline constexpr std::uint64_t splice_memory = 8ull << 20;  // what its tables may take

[[nodiscard]] Result<std::unique_ptr<Patch>> open_splice(const Header& header, std::string_view old, std::string_view body);
[[nodiscard]] Result<std::unique_ptr<Patch>> open_zstd(const Header& header, std::string_view old, std::string_view body, std::uint64_t memory);

}  // namespace picket::delta
