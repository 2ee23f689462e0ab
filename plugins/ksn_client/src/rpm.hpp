// The rpm database, whatever its format: asked with the rpm program of the computer that has one.
#pragma once

#include <vector>

#include "package.hpp"

namespace ksn_client {

class RpmDatabase final : public PackageDatabase {
 public:
  struct Places {
    std::string program = "/usr/bin/rpm";
    std::vector<std::string> folders{"/usr/lib/sysimage/rpm", "/var/lib/rpm"};  // the first that holds a database
  };
  explicit RpmDatabase(Places places) : places_(std::move(places)) {}

  [[nodiscard]] std::string_view name() const override { return "rpm"; }
  [[nodiscard]] std::int64_t stamp() const override { return find().stamp; }
  // Runs a program: some 20 ms. An error says nothing of the file: ask again another time.
  [[nodiscard]] picket::Result<std::optional<Owner>> owner_of(const std::string& path) override;

 private:
  struct Found {
    std::string folder;
    std::int64_t stamp = 0;
  };
  [[nodiscard]] Found find() const;

  const Places places_;
};

}  // namespace ksn_client
