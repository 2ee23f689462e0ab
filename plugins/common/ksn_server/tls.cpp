#include "ksn_server/tls.hpp"

#include <openssl/err.h>

#include "base/files.hpp"

namespace ksn_server {
namespace {

std::string openssl_says() {
  const char* text = ::ERR_reason_error_string(::ERR_peek_last_error());
  ::ERR_clear_error();
  return text != nullptr ? text : "unknown error of OpenSSL";
}

// A client that offers neither goes on without ALPN, in HTTP/1.1.
int choose(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr unsigned char ours[] = "\x2h2\x8http/1.1";
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, offered, offered_size) != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

picket::Result<TlsContext> make_tls_context(const std::string& certificate_file, const std::string& key_file) {
  using picket::Code;
  using picket::cat;
  using picket::fail;
  // OpenSSL says "system lib" for a file that is not there.
  if (auto read = picket::read_file(certificate_file, 1u << 20); !read) return fail(std::move(read).error(), "TLS certificate");
  if (auto read = picket::read_file(key_file, 1u << 20); !read) return fail(std::move(read).error(), "TLS key");
  ::ERR_clear_error();
  TlsContext context(::SSL_CTX_new(::TLS_server_method()));
  if (!context) return fail(Code::internal, cat("OpenSSL cannot be started: ", openssl_says()));
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  ::SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(context.get(), 1);
  ::SSL_CTX_set_read_ahead(context.get(), 1);
  ::SSL_CTX_set_alpn_select_cb(context.get(), &choose, nullptr);
  if (::SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1)
    return fail(Code::invalid, cat("TLS certificate: ", certificate_file, " is no certificate in PEM: ", openssl_says()));
  if (::SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail(Code::invalid, cat("TLS key: ", key_file, " is no private key in PEM: ", openssl_says()));
  if (::SSL_CTX_check_private_key(context.get()) != 1) return fail(Code::invalid, cat("TLS key: ", key_file, " does not belong to ", certificate_file));
  return context;
}

}  // namespace ksn_server
