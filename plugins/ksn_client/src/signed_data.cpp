#include "signed_data.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "base/free_with.hpp"

namespace ksn_client {
namespace {

using Store = picket::Owned<X509_STORE, X509_STORE_free>;
using StoreContext = picket::Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using DigestContext = picket::Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

// What failed leaves its reason in a queue of the thread, where others would find it.
struct ErrorsStay {
  ErrorsStay() { ::ERR_set_mark(); }
  ~ErrorsStay() { ::ERR_pop_to_mark(); }
};

std::string name_part(X509* certificate, int nid) {
  X509_NAME* name = ::X509_get_subject_name(certificate);
  const int at = ::X509_NAME_get_index_by_NID(name, nid, -1);
  unsigned char* text = nullptr;
  const int size = at < 0 ? -1 : ::ASN1_STRING_to_UTF8(&text, ::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(name, at)));
  std::string out = size > 0 ? std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)) : std::string();
  OPENSSL_free(text);
  return out;
}

std::string_view bytes_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(::ASN1_STRING_get0_data(string)), static_cast<std::size_t>(::ASN1_STRING_length(string))};
}

std::string oid_of(const ASN1_OBJECT* object) {
  char text[80] = {};
  ::OBJ_obj2txt(text, sizeof text, object, 1);
  return text;
}

}  // namespace

const EVP_MD* strong_digest(int nid) {
  return nid == NID_sha256 ? ::EVP_sha256() : nid == NID_sha384 ? ::EVP_sha384() : nid == NID_sha512 ? ::EVP_sha512() : nullptr;
}

std::optional<SignedData> SignedData::parse(std::string_view der) {
  const ErrorsStay errors;
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  SignedData out;
  out.pkcs7_.reset(::d2i_PKCS7(nullptr, &at, static_cast<long>(der.size())), ::PKCS7_free);
  PKCS7* pkcs7 = out.pkcs7_.get();
  if (pkcs7 == nullptr || PKCS7_type_is_signed(pkcs7) == 0 || pkcs7->d.sign == nullptr || pkcs7->d.sign->contents == nullptr || pkcs7->d.sign->contents->type == nullptr) return std::nullopt;
  STACK_OF(PKCS7_SIGNER_INFO)* infos = ::PKCS7_get_signer_info(pkcs7);
  if (infos == nullptr || sk_PKCS7_SIGNER_INFO_num(infos) != 1) return std::nullopt;
  STACK_OF(X509)* signers = ::PKCS7_get0_signers(pkcs7, nullptr, 0);
  if (signers != nullptr && sk_X509_num(signers) == 1) out.signer_ = sk_X509_value(signers, 0);
  sk_X509_free(signers);
  out.info_ = {out.pkcs7_, sk_PKCS7_SIGNER_INFO_value(infos, 0)};
  if (out.signer_ == nullptr || out.info_->digest_alg == nullptr || out.info_->auth_attr == nullptr || out.info_->enc_digest == nullptr) return std::nullopt;
  return out;
}

std::string SignedData::content_type() const { return oid_of(pkcs7_->d.sign->contents->type); }

std::string_view SignedData::content(int asn1_type) const {
  const ASN1_TYPE* value = OBJ_obj2nid(pkcs7_->d.sign->contents->type) == NID_pkcs7_data ? nullptr : pkcs7_->d.sign->contents->d.other;
  if (value == nullptr || value->type != asn1_type || (asn1_type != V_ASN1_SEQUENCE && asn1_type != V_ASN1_OCTET_STRING)) return {};
  return bytes_of(value->value.asn1_string);
}

std::string_view SignedData::signature() const { return bytes_of(info_->enc_digest); }

std::string_view SignedData::attribute(const STACK_OF(X509_ATTRIBUTE) * attributes, const char* oid) {
  for (int i = 0; attributes != nullptr && i < sk_X509_ATTRIBUTE_num(attributes); ++i) {
    X509_ATTRIBUTE* attribute = sk_X509_ATTRIBUTE_value(attributes, i);
    const ASN1_TYPE* value = ::X509_ATTRIBUTE_get0_type(attribute, 0);
    if (oid_of(::X509_ATTRIBUTE_get0_object(attribute)) == oid && value != nullptr && value->type == V_ASN1_SEQUENCE) return bytes_of(value->value.sequence);
  }
  return {};
}

std::string SignedData::publisher() const {
  const ErrorsStay errors;
  auto out = name_part(signer_, NID_organizationName);
  return out.empty() ? name_part(signer_, NID_commonName) : out;
}

// The digest of what is signed and its type stand among the attributes, and the signature is over these. PKCS7_verify would do the same; it
// leaks memory for some malformed signatures (OpenSSL 3.0), and whoever brings files could spend ours with it.
bool SignedData::covers(std::string_view covered, std::string& why) const {
  const ErrorsStay errors;
  const EVP_MD* algorithm = strong_digest(::OBJ_obj2nid(info_->digest_alg->algorithm));
  const auto bad = [&](std::string_view reason) { return why = reason, false; };
  if (algorithm == nullptr) return bad("the signature's digest is of a kind that counts no more");
  constexpr std::string_view not_good = "the signature is not good";
  const ASN1_OCTET_STRING* said = ::PKCS7_digest_from_attributes(info_->auth_attr);
  const ASN1_TYPE* type = ::PKCS7_get_signed_attribute(info_.get(), NID_pkcs9_contentType);
  // A counter signature has none (RFC 5652, 11.4), or one that says "data": it is about no content, and must not pass for a signature that is.
  const ASN1_OBJECT* expected = is_counter_ ? ::OBJ_nid2obj(NID_pkcs7_data) : pkcs7_->d.sign->contents->type;
  if (said == nullptr || (type == nullptr && !is_counter_) || (type != nullptr && (type->type != V_ASN1_OBJECT || ::OBJ_cmp(type->value.object, expected) != 0))) return bad(not_good);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (::EVP_Digest(covered.data(), covered.size(), digest, &size, algorithm, nullptr) != 1) return bad(not_good);
  if (bytes_of(said) != std::string_view(reinterpret_cast<const char*>(digest), size)) return bad(not_good);
  unsigned char* attributes = nullptr;
  const int length = ::ASN1_item_i2d(reinterpret_cast<ASN1_VALUE*>(info_->auth_attr), &attributes, ASN1_ITEM_rptr(PKCS7_ATTR_VERIFY));
  const DigestContext context(::EVP_MD_CTX_new());
  EVP_PKEY* key = ::X509_get0_pubkey(signer_);
  const auto signature = bytes_of(info_->enc_digest);
  const bool good = length > 0 && context && key != nullptr && ::EVP_DigestVerifyInit(context.get(), nullptr, algorithm, nullptr, key) == 1 &&
                    ::EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(), attributes, static_cast<std::size_t>(length)) == 1;
  OPENSSL_free(attributes);
  return good || bad(not_good);
}

std::optional<SignedData> SignedData::counter_signature() const {
  const ErrorsStay errors;
  const auto der = unsigned_attribute("1.2.840.113549.1.9.6");
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  SignedData out;
  out.pkcs7_ = pkcs7_;
  out.is_counter_ = true;
  out.info_.reset(der.empty() ? nullptr : ::d2i_PKCS7_SIGNER_INFO(nullptr, &at, static_cast<long>(der.size())), ::PKCS7_SIGNER_INFO_free);
  if (!out.info_ || out.info_->digest_alg == nullptr || out.info_->auth_attr == nullptr || out.info_->enc_digest == nullptr) return std::nullopt;
  out.signer_ = ::PKCS7_cert_from_signer_info(pkcs7_.get(), out.info_.get());
  return out.signer_ != nullptr ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::int64_t> SignedData::signing_time() const {
  const ErrorsStay errors;
  const ASN1_TYPE* said = ::PKCS7_get_signed_attribute(info_.get(), NID_pkcs9_signingTime);
  std::tm when{};
  if (said == nullptr || (said->type != V_ASN1_UTCTIME && said->type != V_ASN1_GENERALIZEDTIME) || ::ASN1_TIME_to_tm(said->value.asn1_string, &when) != 1) return std::nullopt;
  return ::timegm(&when);
}

bool SignedData::leads_to(const std::string& authorities, Use use, std::int64_t when, std::string& why) const {
  const ErrorsStay errors;
  const Store store(::X509_STORE_new());
  const StoreContext context(::X509_STORE_CTX_new());
  if (!store || !context) return false;
  const int loaded = authorities.empty() ? ::X509_STORE_set_default_paths(store.get()) : ::X509_STORE_load_file(store.get(), authorities.c_str());
  if (loaded != 1) {
    why = "the authorities cannot be read";
    return false;
  }
  if (::X509_STORE_CTX_init(context.get(), store.get(), signer_, pkcs7_->d.sign->cert) != 1) return false;
  ::X509_VERIFY_PARAM_set_time(::X509_STORE_CTX_get0_param(context.get()), when);
  ::X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_ANY);
  if (::X509_verify_cert(context.get()) != 1) {
    why = ::X509_verify_cert_error_string(::X509_STORE_CTX_get_error(context.get()));
    return false;
  }
  const bool limited = (::X509_get_extension_flags(signer_) & EXFLAG_XKUSAGE) != 0;
  const auto uses = ::X509_get_extended_key_usage(signer_);
  if (use == Use::code ? !limited || (uses & XKU_CODE_SIGN) != 0 : limited && (uses & XKU_TIMESTAMP) != 0) return true;
  why = use == Use::code ? "the certificate is not for signing code" : "the certificate is not for time stamps";
  return false;
}

}  // namespace ksn_client
