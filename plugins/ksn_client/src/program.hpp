// Whose a program is: by the package database or its signature. Reads files; runs nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/result.hpp"

namespace ksn_client {

struct Program {
  std::string digest;              // SHA-256 of the content, 32 bytes
  std::string publisher, product, version;
  std::string identified_by = "none";  // "dpkg", "pe-signature", "none"
  bool valid = false;              // the content is what the publisher released: only then its name says anything
  std::string note;                // why not, for people
};

class DpkgDatabase;

class Programs {
 public:
  struct Places {
    std::string dpkg = "/var/lib/dpkg";
    std::string code_authorities;  // PEM; empty: the system's
  };
  explicit Programs(Places places);
  ~Programs();

  // Code::not_found, invalid (no regular file), too_large.
  [[nodiscard]] picket::Result<Program> identify(const std::string& path);

 private:
  struct Seen {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t modified_ns = 0, changed_ns = 0;
    Program program;
  };
  const Places places_;
  std::mutex mutex_;
  std::unique_ptr<DpkgDatabase> dpkg_;
  std::unordered_map<std::string, Seen> seen_;  // by path: a program that starts often is read once
};

}  // namespace ksn_client
