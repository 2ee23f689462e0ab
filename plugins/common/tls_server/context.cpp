#include "tls_server/context.hpp"

#include <openssl/err.h>
#include <openssl/x509err.h>

#include "base/files.hpp"

namespace tls_server {
namespace {

std::string openssl_says() {
  const char* text = ::ERR_reason_error_string(::ERR_peek_last_error());
  ::ERR_clear_error();
  return text != nullptr ? text : "unknown error of OpenSSL";
}

}  // namespace

picket::Result<Context> make_context(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  using picket::Code;
  using picket::cat;
  using picket::fail;
  // OpenSSL says "system lib" for a file that is not there.
  if (auto read = picket::read_file(certificate, 1u << 20); !read) return fail(std::move(read).error(), "TLS certificate");
  if (auto read = picket::read_file(key, 1u << 20); !read) return fail(std::move(read).error(), "TLS key");
  ::ERR_clear_error();
  Context context(::SSL_CTX_new(::TLS_server_method()));
  if (!context) return fail(Code::internal, cat("OpenSSL cannot be started: ", openssl_says()));
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  ::SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(context.get(), 1);
  ::SSL_CTX_set_read_ahead(context.get(), 1);
  if (::SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1)
    return fail(Code::invalid, cat("TLS certificate: ", certificate.native(), " is no certificate in PEM: ", openssl_says()));
  const bool is_read = ::SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) == 1;
  if (!is_read && ERR_GET_REASON(::ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH)
    return fail(Code::invalid, cat("TLS key: ", key.native(), " is no private key in PEM: ", openssl_says()));
  // A key of another kind than the certificate's is taken at first.
  const bool fits = is_read && ::SSL_CTX_check_private_key(context.get()) == 1;
  ::ERR_clear_error();  // whoever serves on this thread meanwhile would take it for a connection's
  if (!fits) return fail(Code::invalid, cat("TLS key: ", key.native(), " does not belong to ", certificate.native()));
  return context;
}

}  // namespace tls_server
