// The certificate of a server that runs on when it is renewed: whoever replaces the files need restart nothing.
#pragma once

#include <sys/stat.h>

#include <array>
#include <memory>
#include <mutex>

#include "tls_server/context.hpp"

namespace tls_server {

class ServedCertificate {
 public:
  [[nodiscard]] static picket::Result<std::unique_ptr<ServedCertificate>> open(std::filesystem::path certificate, std::filesystem::path key);

  // For somebody who has just connected; any thread. Empty: no memory.
  [[nodiscard]] Connection connection() const;
  // Whether the files are others than when it last looked. true: they are served from here on; an error: they cannot be used, and what was served
  // before is served on. One thread.
  [[nodiscard]] picket::Result<bool> look();

 private:
  struct Looks {
    struct Look {
      dev_t device = 0;
      ino_t file = 0;
      off_t size = 0;
      std::int64_t seconds = 0, nanoseconds = 0;   // of its last change, also of who may read it
      bool operator==(const Look&) const = default;
    };
    std::array<Look, 2> of{};
    bool operator==(const Looks&) const = default;
  };
  ServedCertificate(std::filesystem::path certificate, std::filesystem::path key) : certificate_(std::move(certificate)), key_(std::move(key)) {}
  [[nodiscard]] Looks looks() const;

  const std::filesystem::path certificate_, key_;
  Looks known_;
  mutable std::mutex mutex_;   // of context_
  Context context_;
};

}  // namespace tls_server
