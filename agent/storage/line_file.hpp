// A text of lines that only grows at its end, bounded: what earlier runs came to. Not locked: one user at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace picket::storage {

class LineFile {
 public:
  struct Limits {
    std::size_t lines = 200;              // kept at least, when they fit
    std::uint64_t bytes = 1u << 20;
  };
  LineFile(std::filesystem::path file, Limits limits) : file_(std::move(file)), limits_(limits) {}

  // On disk when it returns OK; a power cut leaves the lines before it. `before_write` is called when all is ready.
  [[nodiscard]] Result<> add(std::string_view line, const std::function<void()>& before_write = {});
  // Newest first, until `take` returns false. A torn last line is left out; no file is no lines.
  [[nodiscard]] Result<> read(const std::function<bool(std::string_view line)>& take) const;

 private:
  std::filesystem::path file_;
  Limits limits_;
};

}  // namespace picket::storage
