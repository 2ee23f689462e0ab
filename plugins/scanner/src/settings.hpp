#pragma once

#include <cstdint>
#include <string_view>

#include "failure.hpp"

namespace scanner {

struct Settings {
  std::size_t threads = 1;
  std::uint64_t max_file_bytes = 32u << 20;
  int file_timeout_seconds = 30;
  int ksn_timeout_ms = 3000;
  bool tolerate_broken_files = false;
};
constexpr std::uint64_t kMostFileBytes = 1u << 30;

[[nodiscard]] Outcome<Settings> parse_settings(std::string_view json);

}  // namespace scanner
