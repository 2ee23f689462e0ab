#include "ksn_server/certificate.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"

namespace ksn_server {
namespace {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;

constexpr long kDays = 3650;
constexpr std::size_t kMostNames = 64;

bool is_ip(const std::string& name) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, name.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// A name goes into a list with commas: only what a host name may hold.
bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.'; });
}

bool add(X509* certificate, int nid, const std::string& value) {
  const std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>> extension(::X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  return extension && ::X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string bytes_of(BIO* bio) {
  char* data = nullptr;
  const long size = ::BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<std::string> digest_of(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = ::i2d_X509(certificate, &der);
  if (size <= 0) return fail(Code::internal, "OpenSSL cannot write the certificate");
  auto out = picket::sha256_hex({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  ::OPENSSL_free(der);
  return out;
}

Result<> make(const CertificateFiles& files, const std::vector<std::string>& names) {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const Certificate certificate(::X509_new());
  if (!key || !certificate) return fail(Code::internal, "make a certificate: out of memory");
  auto* x = certificate.get();
  ::X509_set_version(x, X509_VERSION_3);
  const auto serial = picket::random_bytes(8);
  const std::unique_ptr<BIGNUM, Deleter<BN_free>> number(::BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()), 8, nullptr));
  ::BN_clear_bit(number.get(), 63);
  ::BN_to_ASN1_INTEGER(number.get(), ::X509_get_serialNumber(x));
  ::X509_gmtime_adj(::X509_getm_notBefore(x), -3600);
  ::X509_gmtime_adj(::X509_getm_notAfter(x), kDays * 86400);
  ::X509_set_pubkey(x, key.get());
  std::string alternatives;
  std::size_t count = 0;
  for (const auto& name : names) {
    if (count == kMostNames || (!is_ip(name) && !is_name(name))) continue;
    alternatives += cat(count++ == 0 ? "" : ",", is_ip(name) ? "IP:" : "DNS:", name);
  }
  if (count == 0) return fail(Code::invalid, "make a certificate: no name to make it for");
  auto* subject = ::X509_get_subject_name(x);
  const std::string common = names.front().substr(0, 64);
  ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0);
  ::X509_set_issuer_name(x, subject);
  // Its own authority: clients are given this very certificate.
  if (!add(x, NID_subject_alt_name, alternatives) || !add(x, NID_basic_constraints, "critical,CA:TRUE") || !add(x, NID_ext_key_usage, "serverAuth") ||
      ::X509_sign(x, key.get(), ::EVP_sha256()) == 0)
    return fail(Code::internal, "make a certificate: OpenSSL refused");
  const Bio certificate_pem(::BIO_new(::BIO_s_mem())), key_pem(::BIO_new(::BIO_s_mem()));
  if (::PEM_write_bio_X509(certificate_pem.get(), x) != 1 || ::PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail(Code::internal, "write a certificate: OpenSSL refused");
  // The key first: a power cut between the two leaves a pair that does not fit, which is made anew.
  PICKET_TRY(picket::write_file_atomic(files.key, bytes_of(key_pem.get()), 0600));
  return picket::write_file_atomic(files.certificate, bytes_of(certificate_pem.get()));
}

// Its digest; empty: there is none that can be used.
Result<std::string> look(const CertificateFiles& files) {
  auto pem = picket::read_file(files.certificate, 1u << 16);
  auto key_pem = picket::read_file(files.key, 1u << 16);
  if (!pem || !key_pem) {
    const auto& error = !pem ? pem.error() : key_pem.error();
    if (error.code == Code::not_found) return std::string();
    return fail(error);
  }
  const Bio in(::BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size()))), key_in(::BIO_new_mem_buf(key_pem->data(), static_cast<int>(key_pem->size())));
  const Certificate certificate(::PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  const Key key(::PEM_read_bio_PrivateKey(key_in.get(), nullptr, nullptr, nullptr));
  if (!certificate || !key || ::X509_check_private_key(certificate.get(), key.get()) != 1 || ::X509_cmp_current_time(::X509_get0_notAfter(certificate.get())) <= 0) return std::string();
  return digest_of(certificate.get());
}

}  // namespace

Result<CertificateFiles> own_certificate(const std::filesystem::path& folder, std::vector<std::string> names) {
  CertificateFiles files{folder / "server.pem", folder / "server.key", {}, false};
  PICKET_TRY(picket::make_folders(folder, 0750));
  PICKET_LET(known, look(files));
  if (known.empty()) {
    PICKET_TRY(make(files, names));
    files.is_new = true;
    PICKET_LET(made, look(files));
    files.digest = made;
  } else {
    files.digest = known;
  }
  return files;
}

std::vector<std::string> own_names() {
  std::vector<std::string> out;
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) == 0 && is_name(name)) out.emplace_back(name);
  out.emplace_back("localhost");
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  for (const auto* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    char text[INET6_ADDRSTRLEN] = "";
    if (one->ifa_addr->sa_family == AF_INET) ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, text, sizeof text);
    else if (one->ifa_addr->sa_family == AF_INET6) ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr, text, sizeof text);
    const std::string address = text;
    // Link-local addresses change, and no client calls a server by one.
    if (!address.empty() && !address.starts_with("fe80:") && std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  ::freeifaddrs(list);
  return out;
}

}  // namespace ksn_server
