// A PKCS #7 message with one signer, as signatures of programs and time stamps are. What it says is hostile until it was checked.
#pragma once

#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ksn_client {

// SHA-256 and better. SHA-1 can be collided: a signature over it says nothing any more.
[[nodiscard]] const EVP_MD* strong_digest(int nid);

class SignedData {
 public:
  // nullopt: no PKCS #7 SignedData of one signer whose certificate lies in it.
  [[nodiscard]] static std::optional<SignedData> parse(std::string_view der);

  [[nodiscard]] std::string content_type() const;          // "1.3.6.1..."
  [[nodiscard]] std::string_view content(int asn1_type) const;  // a SEQUENCE whole, an OCTET STRING without its head; empty: another type
  [[nodiscard]] std::string_view signature() const;        // the signer's bytes: what a time stamp is about
  // An attribute's first value, a SEQUENCE; empty: none.
  [[nodiscard]] std::string_view signed_attribute(const char* oid) const { return attribute(info_->auth_attr, oid); }
  [[nodiscard]] std::string_view unsigned_attribute(const char* oid) const { return attribute(info_->unauth_attr, oid); }
  [[nodiscard]] std::string publisher() const;             // organisation of the signer's certificate, else its common name

  // The signature is good, over a strong digest, and what it covers is `covered`. Else `why`.
  [[nodiscard]] bool covers(std::string_view covered, std::string& why) const;

  // PKCS #9's: another signer's word about this signature. nullopt: none that can be read, or its certificate does not lie here.
  [[nodiscard]] std::optional<SignedData> counter_signature() const;
  [[nodiscard]] std::optional<std::int64_t> signing_time() const;  // as the signer says; Unix seconds

  enum class Use { code, time };
  // The signer's certificate is for this use and was valid at `when`, as were those that lead to one of the authorities: PEM file, empty: the
  // system's. Else `why`.
  [[nodiscard]] bool leads_to(const std::string& authorities, Use use, std::int64_t when, std::string& why) const;

 private:
  SignedData() = default;
  static std::string_view attribute(const STACK_OF(X509_ATTRIBUTE) * attributes, const char* oid);
  std::shared_ptr<PKCS7> pkcs7_;              // a counter signature's: that of what it signs
  std::shared_ptr<PKCS7_SIGNER_INFO> info_;
  X509* signer_ = nullptr;
  bool is_counter_ = false;
};

}  // namespace ksn_client
