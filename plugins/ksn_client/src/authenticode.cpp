#include "authenticode.hpp"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>

#include <cstdint>
#include <cstring>

#include "base/free_with.hpp"

namespace ksn_client {
namespace {

using picket::cat;
using picket::Code;
using picket::fail;

using Pkcs7 = picket::Owned<PKCS7, PKCS7_free>;
using Store = picket::Owned<X509_STORE, X509_STORE_free>;
using StoreContext = picket::Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using DigestContext = picket::Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

constexpr char kIndirectData[] = "1.3.6.1.4.1.311.2.1.4";  // SPC_INDIRECT_DATA_OBJID

std::uint32_t little(std::string_view image, std::size_t at, unsigned bytes) {
  std::uint32_t out = 0;
  for (unsigned i = 0; i < bytes; ++i) out |= std::uint32_t{static_cast<unsigned char>(image[at + i])} << (8 * i);
  return out;
}

// Where the parts are that the image's digest leaves out.
struct Layout {
  std::size_t checksum = 0, entry = 0;       // in the header: 4 and 8 bytes
  std::size_t table = 0, table_size = 0;     // the certificates, at the end of the file
};
picket::Result<Layout> layout_of(std::string_view image) {
  if (!is_pe(image)) return fail(Code::invalid, "no PE image");
  const std::size_t optional = std::size_t{little(image, 0x3c, 4)} + 24;
  if (optional + 112 + 40 > image.size()) return fail(Code::invalid, "the PE header is cut off");
  const auto magic = little(image, optional, 2);
  if (magic != 0x10b && magic != 0x20b) return fail(Code::invalid, "the PE header is of no known kind");
  const std::size_t directories = optional + (magic == 0x10b ? 96 : 112);
  if (directories + 5 * 8 > image.size()) return fail(Code::invalid, "the PE header is cut off");
  Layout out;
  out.checksum = optional + 64;
  out.entry = directories + 4 * 8;
  if (little(image, directories - 4, 4) <= 4) return out;  // so few directories: no certificates
  out.table = little(image, out.entry, 4);
  out.table_size = little(image, out.entry + 4, 4);
  if (out.table_size == 0) return out;
  if (out.table < out.entry + 8 || out.table > image.size() || out.table_size > image.size() - out.table || out.table_size < 8)
    return fail(Code::invalid, "the certificates lie outside of the file");
  return out;
}

bool digest_image(std::string_view image, const Layout& layout, const EVP_MD* algorithm, std::string& out) {
  const DigestContext context(::EVP_MD_CTX_new());
  if (!context || ::EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) return false;
  const auto feed = [&](std::size_t from, std::size_t to) { return ::EVP_DigestUpdate(context.get(), image.data() + from, to - from) == 1; };
  // What lies behind the certificates is part of the digest too: nothing may be added unseen.
  if (!feed(0, layout.checksum) || !feed(layout.checksum + 4, layout.entry) || !feed(layout.entry + 8, layout.table) || !feed(layout.table + layout.table_size, image.size())) return false;
  unsigned size = 0;
  out.resize(EVP_MAX_MD_SIZE);
  if (::EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size) != 1) return false;
  out.resize(size);
  return true;
}

// SHA-1 can be collided: a signature over it says nothing any more.
const EVP_MD* strong_digest(int nid) {
  return nid == NID_sha256 ? ::EVP_sha256() : nid == NID_sha384 ? ::EVP_sha384() : nid == NID_sha512 ? ::EVP_sha512() : nullptr;
}

// One DER element. False: none there, or it goes beyond the end.
struct Element {
  int tag = 0;
  std::string_view content;
};
bool take_element(std::string_view& rest, Element& out) {
  const auto* at = reinterpret_cast<const unsigned char*>(rest.data());
  long length = 0;
  int tag = 0, kind = 0;
  if (rest.empty()) return false;
  const int flags = ::ASN1_get_object(&at, &length, &tag, &kind, static_cast<long>(rest.size()));
  if ((flags & 0x80) != 0 || (flags & 1) != 0 || length < 0) return false;
  const auto head = static_cast<std::size_t>(at - reinterpret_cast<const unsigned char*>(rest.data()));
  if (static_cast<std::size_t>(length) > rest.size() - head) return false;
  out = {tag, rest.substr(head, static_cast<std::size_t>(length))};
  rest.remove_prefix(head + static_cast<std::size_t>(length));
  return true;
}

// SpcIndirectDataContent ::= SEQUENCE { data, messageDigest SEQUENCE { digestAlgorithm SEQUENCE { oid, NULL }, digest OCTET STRING } }
struct Said {
  const EVP_MD* algorithm = nullptr;
  std::string_view digest, signed_part;
};
bool read_indirect(std::string_view der, Said& out) {
  Element whole, data, message, algorithm, oid, digest;
  if (!take_element(der, whole) || whole.tag != V_ASN1_SEQUENCE) return false;
  out.signed_part = whole.content;  // what the signature covers: the content without the outer head
  std::string_view rest = whole.content;
  if (!take_element(rest, data) || !take_element(rest, message)) return false;
  rest = message.content;
  if (!take_element(rest, algorithm) || !take_element(rest, digest) || digest.tag != V_ASN1_OCTET_STRING) return false;
  rest = algorithm.content;
  if (!take_element(rest, oid) || oid.tag != V_ASN1_OBJECT || oid.content.empty() || oid.content.size() > 64) return false;
  const std::string object = cat("\x06", std::string(1, static_cast<char>(oid.content.size())), oid.content);
  const auto* at = reinterpret_cast<const unsigned char*>(object.data());
  ASN1_OBJECT* parsed = ::d2i_ASN1_OBJECT(nullptr, &at, static_cast<long>(object.size()));
  if (parsed == nullptr) return false;
  const int nid = ::OBJ_obj2nid(parsed);
  ::ASN1_OBJECT_free(parsed);
  out.algorithm = strong_digest(nid);
  out.digest = digest.content;
  return true;
}

std::string name_part(X509* certificate, int nid) {
  char text[257] = {};
  const int size = ::X509_NAME_get_text_by_NID(::X509_get_subject_name(certificate), nid, text, sizeof text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

// The signer's word: the digest of what is signed among the attributes, and the signature over these. PKCS7_verify would do the same; it leaks
// memory for some malformed signatures (OpenSSL 3.0), and whoever brings files could spend ours with it.
bool is_signed_by(PKCS7* pkcs7, X509* signer, std::string_view signed_part) {
  STACK_OF(PKCS7_SIGNER_INFO)* infos = ::PKCS7_get_signer_info(pkcs7);
  if (infos == nullptr || sk_PKCS7_SIGNER_INFO_num(infos) != 1) return false;
  PKCS7_SIGNER_INFO* info = sk_PKCS7_SIGNER_INFO_value(infos, 0);
  if (info->digest_alg == nullptr || info->auth_attr == nullptr || info->enc_digest == nullptr) return false;
  const EVP_MD* algorithm = strong_digest(::OBJ_obj2nid(info->digest_alg->algorithm));
  const ASN1_OCTET_STRING* said = ::PKCS7_digest_from_attributes(info->auth_attr);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (algorithm == nullptr || said == nullptr || ::EVP_Digest(signed_part.data(), signed_part.size(), digest, &size, algorithm, nullptr) != 1) return false;
  if (::ASN1_STRING_length(said) != static_cast<int>(size) || std::memcmp(::ASN1_STRING_get0_data(said), digest, size) != 0) return false;
  unsigned char* attributes = nullptr;
  const int length = ::ASN1_item_i2d(reinterpret_cast<ASN1_VALUE*>(info->auth_attr), &attributes, ASN1_ITEM_rptr(PKCS7_ATTR_VERIFY));
  const DigestContext context(::EVP_MD_CTX_new());
  EVP_PKEY* key = ::X509_get0_pubkey(signer);
  const bool good = length > 0 && context && key != nullptr && ::EVP_DigestVerifyInit(context.get(), nullptr, algorithm, nullptr, key) == 1 &&
                    ::EVP_DigestVerify(context.get(), ::ASN1_STRING_get0_data(info->enc_digest), static_cast<std::size_t>(::ASN1_STRING_length(info->enc_digest)), attributes,
                                       static_cast<std::size_t>(length)) == 1;
  OPENSSL_free(attributes);
  return good;
}

bool leads_to(X509* signer, STACK_OF(X509) * others, const std::string& authorities, std::string& why) {
  const Store store(::X509_STORE_new());
  const StoreContext context(::X509_STORE_CTX_new());
  if (!store || !context) return false;
  const int loaded = authorities.empty() ? ::X509_STORE_set_default_paths(store.get()) : ::X509_STORE_load_file(store.get(), authorities.c_str());
  if (loaded != 1) {
    why = "the authorities cannot be read";
    return false;
  }
  if (::X509_STORE_CTX_init(context.get(), store.get(), signer, others) != 1) return false;
  // A program outlives the certificate it was signed with; when it was signed only a time stamp could say.
  ::X509_VERIFY_PARAM_set_flags(::X509_STORE_CTX_get0_param(context.get()), X509_V_FLAG_NO_CHECK_TIME);
  ::X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_ANY);
  if (::X509_verify_cert(context.get()) != 1) {
    why = ::X509_verify_cert_error_string(::X509_STORE_CTX_get_error(context.get()));
    return false;
  }
  if ((::X509_get_extension_flags(signer) & EXFLAG_XKUSAGE) == 0 || (::X509_get_extended_key_usage(signer) & XKU_CODE_SIGN) != 0) return true;
  why = "the certificate is not for signing code";
  return false;
}

}  // namespace

bool is_pe(std::string_view image) {
  if (image.size() < 0x40 || !image.starts_with("MZ")) return false;
  const std::size_t header = little(image, 0x3c, 4);
  return header < image.size() && image.size() - header >= 24 && image.substr(header, 4) == std::string_view("PE\0\0", 4);
}

picket::Result<std::optional<PeSignature>> pe_signature(std::string_view image, const std::string& authorities) {
  PICKET_LET(layout, layout_of(image));
  if (layout.table_size == 0) return std::optional<PeSignature>();
  const std::uint32_t length = little(image, layout.table, 4);
  if (length < 9 || length > layout.table_size) return fail(Code::invalid, "the certificate's length is wrong");
  if (little(image, layout.table + 6, 2) != 2) return fail(Code::unsupported, "the certificate is no PKCS #7");
  const std::string_view der = image.substr(layout.table + 8, length - 8);
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const Pkcs7 pkcs7(::d2i_PKCS7(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!pkcs7 || PKCS7_type_is_signed(pkcs7.get()) == 0 || pkcs7->d.sign == nullptr || pkcs7->d.sign->contents == nullptr) return fail(Code::invalid, "the signature is no PKCS #7 SignedData");
  PKCS7* contents = pkcs7->d.sign->contents;
  char oid[80] = {};
  ::OBJ_obj2txt(oid, sizeof oid, contents->type, 1);
  if (std::strcmp(oid, kIndirectData) != 0 || contents->d.other == nullptr || contents->d.other->type != V_ASN1_SEQUENCE) return fail(Code::invalid, "it does not sign an image");
  const std::string_view indirect(reinterpret_cast<const char*>(contents->d.other->value.sequence->data), static_cast<std::size_t>(contents->d.other->value.sequence->length));
  Said said;
  if (!read_indirect(indirect, said)) return fail(Code::invalid, "what is signed cannot be read");

  PeSignature out;
  STACK_OF(X509)* signers = ::PKCS7_get0_signers(pkcs7.get(), nullptr, 0);
  ERR_clear_error();
  if (signers == nullptr || sk_X509_num(signers) != 1) {
    if (signers != nullptr) sk_X509_free(signers);
    return fail(Code::invalid, "there is not exactly one signer");
  }
  X509* signer = sk_X509_value(signers, 0);
  sk_X509_free(signers);
  out.publisher = name_part(signer, NID_organizationName);
  if (out.publisher.empty()) out.publisher = name_part(signer, NID_commonName);
  std::string digest;
  if (said.algorithm == nullptr) out.note = "the image's digest is of a kind that counts no more";
  else if (!digest_image(image, layout, said.algorithm, digest) || digest != said.digest) out.note = "the image was changed after it was signed";
  if (!out.note.empty()) return std::optional(std::move(out));
  const bool good = is_signed_by(pkcs7.get(), signer, said.signed_part);
  ERR_clear_error();
  if (!good) {
    out.note = "the signature is not good";
    return std::optional(std::move(out));
  }
  out.image_matches = true;
  std::string why;
  out.trusted = leads_to(signer, pkcs7->d.sign->cert, authorities, why);
  ERR_clear_error();
  if (!out.trusted) out.note = cat("its signer is not vouched for: ", why);
  return std::optional(std::move(out));
}

}  // namespace ksn_client
