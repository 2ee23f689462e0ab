// Whose a program is: by the package databases or its signature.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/files.hpp"
#include "base/result.hpp"
#include "rpm.hpp"

namespace ksn_client {

struct Program {
  std::string digest;              // SHA-256 of the content, 32 bytes
  std::string publisher, product, version;
  std::string identified_by = "none";  // "dpkg", "rpm", "pe-signature", "none"
  bool valid = false;              // the content is what the publisher released: only then its name says anything
  std::string note;                // why not, for people
};

class Programs {
 public:
  struct Places {
    std::string dpkg = "/var/lib/dpkg";
    RpmDatabase::Places rpm{};
    std::string code_authorities{};  // PEM; empty: the system's
  };
  explicit Programs(const Places& places);

  static constexpr std::uint64_t kMostFile = 4ull << 30, kReadAtOnce = 64u << 20;  // bytes
  // Waits: it reads the file, and may run rpm. Code::not_found, invalid (no regular file), too_large (more than `most` bytes),
  // unavailable once `is_over` says so.
  [[nodiscard]] picket::Result<Program> identify(const std::string& path, std::uint64_t most = kMostFile, const std::function<bool()>& is_over = {});

 private:
  struct Seen {
    picket::FileStamp file;
    Program program;
    std::int64_t stamp = 0;  // of the databases: a file is there before its package is recorded
    [[nodiscard]] bool is_of(const Seen& now) const { return file == now.file && (program.valid || stamp == now.stamp); }
  };
  const std::string code_authorities_;
  std::mutex mutex_;               // not held while a file is read, or its signature checked
  std::vector<std::unique_ptr<PackageDatabase>> databases_;
  std::unordered_map<std::string, Seen> seen_;  // by path: a program that starts often is read once
};

}  // namespace ksn_client
