// Debian's package database as it lies on disk: which package installed a file, and with which digest. Rebuilt when it changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace ksn_client {

class DpkgDatabase {
 public:
  explicit DpkgDatabase(std::string folder) : folder_(std::move(folder)) {}

  struct Owner {
    std::string package;     // "openssl"; with ":amd64" where the database says so
    std::string source, version, maintainer;
    std::string md5;         // of the file as released; empty: not recorded
  };
  // nullopt: no package installed this path. Code::not_found: there is no such database here.
  [[nodiscard]] picket::Result<std::optional<Owner>> owner_of(std::string_view path);

 private:
  [[nodiscard]] picket::Result<> refresh();

  const std::string folder_;
  std::int64_t read_at_ = -1;                        // the status file's time of change then, in ns
  std::vector<std::string> packages_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> paths_;  // hash of a path, package; sorted
};

}  // namespace ksn_client
