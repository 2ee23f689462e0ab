// The folder of trusted metadata: one writer at a time, each file whole or absent, nothing in it that was not verified.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/result.hpp"
#include "trust/client/disk.hpp"

namespace picket::trust {

class Store {
 public:
  // Creates the folder (0700), takes its lock (Code::busy when another process has it), removes what a killed write left behind.
  [[nodiscard]] static Result<Store> open(std::filesystem::path folder, Disk& disk);

  // Code::too_large when the role's name is too long for a file.
  [[nodiscard]] static Result<> check_name(std::string_view role);
  // nullopt: not there. `role` is a role's name, not a file's. Longer than max_bytes counts as damage: Code::too_large.
  [[nodiscard]] Result<std::optional<std::string>> read(std::string_view role, std::uint64_t max_bytes);
  [[nodiscard]] Result<> write(std::string_view role, std::string bytes);
  // Verified, but not needed on disk before the workflow ends: flush writes all of them together, in order, and `last` after them.
  [[nodiscard]] Result<> keep(std::string_view role, std::string bytes);
  [[nodiscard]] Result<> flush(std::optional<NewFile> last);
  [[nodiscard]] Result<> remove(std::string_view role);

  // The roots between a pinned one and the newest, in a folder of their own.
  [[nodiscard]] Result<std::optional<std::string>> read_root(std::int64_t version, std::uint64_t max_bytes);
  [[nodiscard]] Result<> write_root(std::int64_t version, std::string_view bytes);

 private:
  Store(std::filesystem::path folder, Disk& disk, UniqueFd lock) : folder_(std::move(folder)), disk_(&disk), lock_(std::move(lock)) {}
  [[nodiscard]] Result<std::optional<std::string>> read_path(const std::filesystem::path& path, std::uint64_t max_bytes);

  std::filesystem::path folder_;
  Disk* disk_;
  UniqueFd lock_;
  std::vector<NewFile> kept_;
};

}  // namespace picket::trust
