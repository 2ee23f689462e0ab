// What the package databases of a computer have in common: which package installed a file, and with which digest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace ksn_client {

struct Owner {
  std::string package;                     // for people
  std::string publisher, product, version;
  std::string algorithm, digest;           // of the file as released: "md5" or "sha256", in hex; empty: not recorded
};

class PackageDatabase {
 public:
  virtual ~PackageDatabase() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Another one when packages came or went; 0: there is no such database here.
  [[nodiscard]] virtual std::int64_t stamp() const = 0;
  // `path`: without symbolic links. nullopt: no package installed it.
  [[nodiscard]] virtual picket::Result<std::optional<Owner>> owner_of(const std::string& path) = 0;
};

}  // namespace ksn_client
