#include "ksn/certificate.hpp"

#include <memory>

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace picket::ksn_tool {
namespace {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;

constexpr long kDay = 86400;

tl::unexpected<Error> refused(std::string_view doing) {
  ERR_clear_error();
  return fail(Code::internal, cat("make a certificate: ", doing));
}

bool extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// Numbers nobody can guess or repeat (RFC 5280: at most 20 bytes, positive).
bool set_serial(X509* certificate) {
  const std::unique_ptr<BIGNUM, FreeWith<BN_free>> number(BN_new());
  return number && BN_rand(number.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

Certificate prepare(EVP_PKEY* key, const std::string& name, long days) {
  Certificate out(X509_new());
  if (!out || X509_set_version(out.get(), X509_VERSION_3) != 1 || !set_serial(out.get()) || X509_set_pubkey(out.get(), key) != 1) return {};
  X509_gmtime_adj(X509_getm_notBefore(out.get()), -kDay);  // for clients whose clocks are late
  X509_gmtime_adj(X509_getm_notAfter(out.get()), days * kDay);
  const auto common = name.substr(0, 64);  // the limit of X.520
  if (X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.data()), static_cast<int>(common.size()), -1, 0) != 1) return {};
  return out;
}

std::string text_in(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<KeyAndCertificate> to_pem(X509* certificate, EVP_PKEY* key) {
  const Bio certificate_text(BIO_new(BIO_s_mem())), key_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(certificate_text.get(), certificate) != 1 || PEM_write_bio_PKCS8PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) return refused("write it");
  return KeyAndCertificate{text_in(certificate_text.get()), text_in(key_text.get())};
}

}  // namespace

Result<KeyAndCertificate> make_authority(const std::string& name) {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!key) return refused("make a key");
  const auto certificate = prepare(key.get(), name, 3650);
  if (!certificate || X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) != 1 ||
      !extend(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") || !extend(certificate.get(), certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !extend(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash") || X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0)
    return refused("of an authority");
  return to_pem(certificate.get(), key.get());
}

Result<KeyAndCertificate> make_server_certificate(const KeyAndCertificate& authority, const std::vector<std::string>& hosts) {
  const Bio authority_text(BIO_new_mem_buf(authority.certificate.data(), static_cast<int>(authority.certificate.size())));
  const Bio authority_key_text(BIO_new_mem_buf(authority.key.data(), static_cast<int>(authority.key.size())));
  const Certificate issuer(PEM_read_bio_X509(authority_text.get(), nullptr, nullptr, nullptr));
  const Key issuer_key(PEM_read_bio_PrivateKey(authority_key_text.get(), nullptr, nullptr, nullptr));
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!issuer || !issuer_key || !key) return refused("read the authority");
  if (hosts.empty()) return fail(Code::invalid, "a server's certificate needs a host");
  std::string names;
  for (const auto& host : hosts) {
    in6_addr address{};
    const bool is_ip = inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
    if (!is_ip && host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != std::string::npos) return fail(Code::invalid, cat("'", host, "' is no host name"));
    names += cat(names.empty() ? "" : ",", is_ip ? "IP:" : "DNS:", host);
  }
  const auto certificate = prepare(key.get(), hosts[0], 3 * 365);
  if (!certificate || X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get())) != 1 || !extend(certificate.get(), issuer.get(), NID_subject_alt_name, names) ||
      !extend(certificate.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE") || !extend(certificate.get(), issuer.get(), NID_key_usage, "critical,digitalSignature") ||
      !extend(certificate.get(), issuer.get(), NID_ext_key_usage, "serverAuth") || !extend(certificate.get(), issuer.get(), NID_subject_key_identifier, "hash") ||
      !extend(certificate.get(), issuer.get(), NID_authority_key_identifier, "keyid") || X509_sign(certificate.get(), issuer_key.get(), EVP_sha256()) == 0)
    return refused(cat("for ", names));
  return to_pem(certificate.get(), key.get());
}

}  // namespace picket::ksn_tool
