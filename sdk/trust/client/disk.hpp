// What the client does to the file system, so that tests can fail every single step of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::trust {

class Disk {
 public:
  virtual ~Disk() = default;
  [[nodiscard]] virtual Result<std::string> read(const std::filesystem::path& file, std::uint64_t max_bytes) = 0;
  [[nodiscard]] virtual Result<> write(std::span<const NewFile> files) = 0;      // in this order, each whole or not at all, lasting
  [[nodiscard]] virtual Result<> remove(const std::filesystem::path& file) = 0;  // absent is fine
};

class RealDisk : public Disk {
 public:
  [[nodiscard]] Result<std::string> read(const std::filesystem::path& file, std::uint64_t max_bytes) override;
  [[nodiscard]] Result<> write(std::span<const NewFile> files) override;
  [[nodiscard]] Result<> remove(const std::filesystem::path& file) override;
};

}  // namespace picket::trust
