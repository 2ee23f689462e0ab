// OpenSSL's server side behind owners. Needs the thread's SIGPIPE to be blocked: OpenSSL writes with write(2).
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/result.hpp"

namespace ksn_server {

struct FreeTls {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(SSL* connection) const { ::SSL_free(connection); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTls>;
using Tls = std::unique_ptr<SSL, FreeTls>;

// TLS 1.2 and 1.3, ALPN h2 before http/1.1. Idle connections keep no buffers; sessions live in tickets only.
[[nodiscard]] picket::Result<TlsContext> make_tls_context(const std::string& certificate_file, const std::string& key_file);

}  // namespace ksn_server
