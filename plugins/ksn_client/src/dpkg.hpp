// Debian's package database as it lies on disk: which package installed a file, and with which digest. Rebuilt when it changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "package.hpp"

namespace ksn_client {

class DpkgDatabase final : public PackageDatabase {
 public:
  explicit DpkgDatabase(std::string folder) : folder_(std::move(folder)) {}

  [[nodiscard]] std::string_view name() const override { return "dpkg"; }
  [[nodiscard]] std::int64_t stamp() const override;
  [[nodiscard]] picket::Result<std::optional<Owner>> owner_of(const std::string& path) override;

 private:
  [[nodiscard]] picket::Result<> refresh();
  [[nodiscard]] picket::Result<Owner> read_owner(const std::string& package, std::string_view path) const;

  const std::string folder_;
  std::int64_t read_at_ = 0;                         // the stamp then
  std::vector<std::string> packages_;                // "openssl"; with ":amd64" where the database says so
  std::vector<std::pair<std::uint64_t, std::uint32_t>> paths_;  // hash of a path, package; sorted
};

}  // namespace ksn_client
