// OpenSSL's server side behind owners. Needs the thread's SIGPIPE to be blocked: OpenSSL writes with write(2).
#pragma once

#include <openssl/ssl.h>

#include <filesystem>

#include "base/free_with.hpp"
#include "base/result.hpp"

namespace tls_server {

using Context = picket::Owned<SSL_CTX, SSL_CTX_free>;
using Connection = picket::Owned<SSL, SSL_free>;

// TLS 1.2 and 1.3, from files in PEM. Idle connections keep no buffers; sessions live in tickets only.
[[nodiscard]] picket::Result<Context> make_context(const std::filesystem::path& certificate, const std::filesystem::path& key);

}  // namespace tls_server
