#include "certificates/certificates.hpp"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <initializer_list>

#include "base/digest.hpp"
#include "base/free_with.hpp"

namespace picket::certificates {
namespace {

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Certificate = Owned<X509, X509_free>;
using Bio = Owned<BIO, BIO_free_all>;

constexpr long kDay = 86400;

tl::unexpected<Error> refused(std::string_view doing) {
  ::ERR_clear_error();
  return fail(Code::internal, cat("make a certificate: OpenSSL refused to ", doing));
}

bool is_ip(const std::string& name) {
  in6_addr address{};
  return ::inet_pton(AF_INET, name.c_str(), &address) == 1 || ::inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

// Numbers nobody can guess or repeat (RFC 5280: at most 20 bytes, positive).
bool set_serial(X509* certificate) {
  const Owned<BIGNUM, BN_free> number(::BN_new());
  return number && ::BN_rand(number.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 && ::BN_to_ASN1_INTEGER(number.get(), ::X509_get_serialNumber(certificate)) != nullptr;
}

Key make_key() { return Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")); }

Certificate prepare(EVP_PKEY* key, const std::string& name, long days) {
  Certificate out(::X509_new());
  if (!out || ::X509_set_version(out.get(), X509_VERSION_3) != 1 || !set_serial(out.get()) || ::X509_set_pubkey(out.get(), key) != 1) return {};
  ::X509_gmtime_adj(::X509_getm_notBefore(out.get()), -kDay);
  ::X509_gmtime_adj(::X509_getm_notAfter(out.get()), days * kDay);
  const auto common = name.substr(0, 64);  // the limit of X.520
  if (::X509_NAME_add_entry_by_txt(::X509_get_subject_name(out.get()), "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.data()), static_cast<int>(common.size()), -1, 0) != 1) return {};
  return out;
}

struct Extension {
  int nid;
  std::string value;
};

bool sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key, std::initializer_list<Extension> extensions) {
  if (::X509_set_issuer_name(certificate, ::X509_get_subject_name(issuer)) != 1) return false;
  for (const auto& [nid, value] : extensions) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(::X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    if (!extension || ::X509_add_ext(certificate, extension.get(), -1) != 1) return false;
  }
  return ::X509_sign(certificate, issuer_key, ::EVP_sha256()) != 0;
}

std::string text_in(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<KeyAndCertificate> to_pem(X509* certificate, EVP_PKEY* key) {
  const Bio certificate_text(::BIO_new(::BIO_s_mem())), key_text(::BIO_new(::BIO_s_mem()));
  if (::PEM_write_bio_X509(certificate_text.get(), certificate) != 1 || ::PEM_write_bio_PKCS8PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return refused("write it");
  return KeyAndCertificate{text_in(certificate_text.get()), text_in(key_text.get())};
}

struct Read {
  Certificate certificate;
  Key key;
};

Read read_pem(const KeyAndCertificate& pair) {
  const Bio certificate(::BIO_new_mem_buf(pair.certificate.data(), static_cast<int>(pair.certificate.size()))), key(::BIO_new_mem_buf(pair.key.data(), static_cast<int>(pair.key.size())));
  Read out{Certificate(::PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)), Key(::PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr))};
  ::ERR_clear_error();
  return out;
}

// "DNS:localhost,IP:127.0.0.1"
Result<std::string> alternatives(const std::vector<std::string>& hosts) {
  if (hosts.empty()) return fail(Code::invalid, "make a certificate: no host to make it for");
  std::string out;
  for (const auto& host : hosts) {
    if (!is_host(host)) return fail(Code::invalid, cat("make a certificate: '", host, "' is no host name"));
    out += cat(out.empty() ? "" : ",", is_ip(host) ? "IP:" : "DNS:", host);
  }
  return out;
}

}  // namespace

// A name goes into a list with commas: only what a host name may hold.
bool is_host(std::string_view name) {
  if (is_ip(std::string(name))) return true;
  return !name.empty() && name.size() <= 253 && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == name.npos;
}

Result<KeyAndCertificate> make_self_signed(const std::vector<std::string>& hosts, int days, const std::string& usage) {
  PICKET_LET(names, alternatives(hosts));
  const auto key = make_key();
  if (!key) return refused("make a key");
  const auto certificate = prepare(key.get(), hosts[0], days);
  if (!certificate || !sign(certificate.get(), certificate.get(), key.get(), {{NID_subject_alt_name, names}, {NID_basic_constraints, "critical,CA:TRUE"}, {NID_ext_key_usage, usage}}))
    return refused(cat("sign one for ", names));
  return to_pem(certificate.get(), key.get());
}

Result<KeyAndCertificate> make_authority(const std::string& name) {
  const auto key = make_key();
  if (!key) return refused("make a key");
  const auto certificate = prepare(key.get(), name, 3650);
  if (!certificate || !sign(certificate.get(), certificate.get(), key.get(),
                            {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"}, {NID_key_usage, "critical,keyCertSign,cRLSign"}, {NID_subject_key_identifier, "hash"}}))
    return refused("sign an authority");
  return to_pem(certificate.get(), key.get());
}

Result<KeyAndCertificate> make_server_certificate(const KeyAndCertificate& authority, const std::vector<std::string>& hosts) {
  PICKET_LET(names, alternatives(hosts));
  const auto issuer = read_pem(authority);
  const auto key = make_key();
  if (!issuer.certificate || !issuer.key || !key) return refused("read the authority");
  const auto certificate = prepare(key.get(), hosts[0], 3 * 365);
  if (!certificate || !sign(certificate.get(), issuer.certificate.get(), issuer.key.get(),
                            {{NID_subject_alt_name, names}, {NID_basic_constraints, "critical,CA:FALSE"}, {NID_key_usage, "critical,digitalSignature"}, {NID_ext_key_usage, "serverAuth"},
                             {NID_subject_key_identifier, "hash"}, {NID_authority_key_identifier, "keyid"}}))
    return refused(cat("sign one for ", names));
  return to_pem(certificate.get(), key.get());
}

bool is_for(const std::string& certificate, const std::string& host) {
  const auto read = read_pem({certificate, {}});
  if (!read.certificate) return false;
  return (is_ip(host) ? ::X509_check_ip_asc(read.certificate.get(), host.c_str(), 0) : ::X509_check_host(read.certificate.get(), host.data(), host.size(), 0, nullptr)) == 1;
}

std::string digest_of(const KeyAndCertificate& pair) {
  const auto [certificate, key] = read_pem(pair);
  if (!certificate || !key || ::X509_check_private_key(certificate.get(), key.get()) != 1 || ::X509_cmp_current_time(::X509_get0_notAfter(certificate.get())) <= 0) return {};
  unsigned char* der = nullptr;
  const int size = ::i2d_X509(certificate.get(), &der);
  if (size <= 0) return {};
  auto out = sha256_hex({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  ::OPENSSL_free(der);
  return out;
}

}  // namespace picket::certificates
