// OpenSSL's server side behind owners. Needs the thread's SIGPIPE to be blocked: OpenSSL writes with write(2).
#pragma once

#include <openssl/ssl.h>

#include <filesystem>
#include <memory>

#include "base/result.hpp"

namespace distribution_point {

struct FreeTls {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(SSL* connection) const { ::SSL_free(connection); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTls>;
using Tls = std::unique_ptr<SSL, FreeTls>;

// TLS 1.2 and 1.3. Idle connections keep no buffers; sessions live in tickets only.
[[nodiscard]] picket::Result<TlsContext> make_tls_context(const std::filesystem::path& certificate, const std::filesystem::path& key);

}  // namespace distribution_point
