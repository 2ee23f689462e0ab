// The certificate of a server that runs on when it is renewed: whoever replaces the files need restart nothing.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "base/files.hpp"
#include "tls_server/context.hpp"

namespace tls_server {

class ServedCertificate {
 public:
  using Prepare = void (*)(SSL_CTX*);   // what each of its contexts needs besides, renewed or not
  [[nodiscard]] static picket::Result<std::unique_ptr<ServedCertificate>> open(std::filesystem::path certificate, std::filesystem::path key, Prepare prepare = nullptr);

  // For somebody who has just connected; any thread. Empty: no memory.
  [[nodiscard]] Connection connection() const;
  // Whether the files are others than those that are served. true: they are served from here on; an error: they cannot be used, and what was served
  // before is served on. They are tried again with each look; the same error with the same files is told once. One thread.
  [[nodiscard]] picket::Result<bool> look();

 private:
  ServedCertificate(std::filesystem::path certificate, std::filesystem::path key, Prepare prepare) : certificate_(std::move(certificate)), key_(std::move(key)), prepare_(prepare) {}

  const std::filesystem::path certificate_, key_;
  const Prepare prepare_;
  std::array<picket::FileStamp, 2> seen_;   // the files as they were looked at last, good or not
  std::string why_not_;                     // they are not served; empty: they are
  mutable std::mutex mutex_;   // of context_, which nobody but look() changes
  Context context_;
};

}  // namespace tls_server
