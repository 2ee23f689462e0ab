#include "trust/keys.hpp"

#include <array>
#include <climits>
#include <utility>

#include <boost/json/value.hpp>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "trust/json.hpp"

namespace picket::trust {

namespace {

enum class Kind { ed25519, ecdsa, rsa };

// Every scheme that we know, and what a key must be to sign with it.
struct Scheme {
  std::string_view name;
  Kind kind;
  std::string_view curve;   // ecdsa: OpenSSL's name
  const EVP_MD* (*digest)();
};
constexpr std::array<Scheme, 7> schemes{{
    {"ed25519", Kind::ed25519, "", nullptr},
    {"ecdsa-sha2-nistp256", Kind::ecdsa, "prime256v1", EVP_sha256},
    {"ecdsa-sha2-nistp384", Kind::ecdsa, "secp384r1", EVP_sha384},
    {"ecdsa-sha2-nistp521", Kind::ecdsa, "secp521r1", EVP_sha512},
    {"rsassa-pss-sha256", Kind::rsa, "", EVP_sha256},
    {"rsassa-pss-sha384", Kind::rsa, "", EVP_sha384},
    {"rsassa-pss-sha512", Kind::rsa, "", EVP_sha512},
}};
constexpr int min_rsa_bits = 2048, max_rsa_bits = 8192;  // the upper bound keeps a hostile key from costing seconds
constexpr std::size_t max_pem_bytes = 16384;

const Scheme* find_scheme(std::string_view name) {
  for (const auto& scheme : schemes)
    if (scheme.name == name) return &scheme;
  return nullptr;
}

// "ecdsa" is the name since 1.0.32; before, the key type was named like the scheme.
bool fits(std::string_view keytype, const Scheme& scheme) {
  switch (scheme.kind) {
    case Kind::ed25519: return keytype == "ed25519";
    case Kind::ecdsa: return keytype == "ecdsa" || keytype == scheme.name;
    case Kind::rsa: return keytype == "rsa";
  }
  return false;
}

using Pkey = std::shared_ptr<EVP_PKEY>;
Pkey own(EVP_PKEY* key) { return key ? Pkey(key, EVP_PKEY_free) : Pkey(); }

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;
Bio read_bio(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

const unsigned char* as_bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// Of an Ed25519 key: 32 bytes, or nothing.
std::string raw_public(EVP_PKEY* key) {
  unsigned char raw[32];
  std::size_t size = sizeof raw;
  if (EVP_PKEY_get_raw_public_key(key, raw, &size) != 1) return {};
  return {reinterpret_cast<const char*>(raw), size};
}

std::string spki_of(EVP_PKEY* key) {
  // Always these bytes and the key. OpenSSL would first look through all that it can encode, a seventh of what a short-lived process does.
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
    const auto raw = raw_public(key);
    return raw.empty() ? raw : cat(std::string_view("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12), raw);
  }
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  std::string out;
  if (size > 0) out.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

int never_ask(char*, int, int, void*) { return -1; }

// SPKI, and PKCS#1 for rsa as python-tuf reads it. Nothing else that PEM may hold: no certificate, no private key.
Pkey read_public_pem(std::string_view pem, Kind kind) {
  if (pem.size() > max_pem_bytes) return {};
  const auto begin = pem.find("-----BEGIN ");
  if (begin == pem.npos) return {};
  pem.remove_prefix(begin);
  if (kind == Kind::rsa && pem.starts_with("-----BEGIN RSA PUBLIC KEY-----")) {
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    Pkey key;
    const auto bio = read_bio(pem);
    if (PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
      const unsigned char* at = data;
      key = own(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, size));
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return key;
  }
  if (!pem.starts_with("-----BEGIN PUBLIC KEY-----")) return {};
  return own(PEM_read_bio_PUBKEY(read_bio(pem).get(), nullptr, never_ask, nullptr));
}

std::string text_param(EVP_PKEY* key, const char* name) {
  char value[80] = "";
  std::size_t size = 0;
  if (EVP_PKEY_get_utf8_string_param(key, name, value, sizeof value, &size) != 1) return {};
  return {value, size};
}

// Why this key cannot serve the scheme; empty when it can. Also brings the key into the one form whose SPKI is its identity:
// a compressed and an uncompressed point are one key and must count once.
std::string_view check_key(EVP_PKEY* key, const Scheme& scheme) {
  switch (scheme.kind) {
    case Kind::ed25519: return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? "" : "not an ed25519 key";
    case Kind::ecdsa:
      if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) return "not an elliptic-curve key";
      if (text_param(key, OSSL_PKEY_PARAM_EC_ENCODING) != "named_curve") return "its curve is not a named one";
      if (text_param(key, OSSL_PKEY_PARAM_GROUP_NAME) != scheme.curve) return "its curve is not the scheme's";
      if (EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) != 1)
        return "its point cannot be converted";
      return "";
    case Kind::rsa:
      if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return "not an rsa key";
      if (EVP_PKEY_get_bits(key) < min_rsa_bits) return "fewer than 2048 bits";
      if (EVP_PKEY_get_bits(key) > max_rsa_bits) return "more than 8192 bits";
      return "";
  }
  return "unknown kind of key";
}

Pkey read_ed25519(std::string_view hex) {
  if (hex.size() != 64) return {};
  const auto raw = from_hex(hex);
  if (!raw) return {};
  return own(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, as_bytes(*raw), raw->size()));
}

bool set_padding(EVP_PKEY_CTX* context, const Scheme& scheme, int salt_length) {
  return scheme.kind != Kind::rsa || (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
                                      EVP_PKEY_CTX_set_rsa_mgf1_md(context, scheme.digest()) == 1 &&
                                      EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salt_length) == 1);
}

const EVP_MD* digest_of(const Scheme& scheme) { return scheme.digest ? scheme.digest() : nullptr; }

Result<json::object> describe(EVP_PKEY* key) {
  std::string_view type, scheme;
  std::string value;
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
    const auto raw = raw_public(key);
    if (raw.empty()) return fail(Code::internal, "cannot read the public half of the key");
    type = scheme = "ed25519";
    value = to_hex(raw);
  } else {
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
      type = "rsa";
      scheme = "rsassa-pss-sha256";
    } else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
      type = "ecdsa";
      for (const auto& known : schemes)
        if (known.kind == Kind::ecdsa && text_param(key, OSSL_PKEY_PARAM_GROUP_NAME) == known.curve) scheme = known.name;
    }
    if (scheme.empty()) return fail(Code::unsupported, "this kind of key is not supported: use ed25519, ecdsa (P-256) or rsa");
    Bio bio(BIO_new(BIO_s_mem()));
    char* text = nullptr;
    if (PEM_write_bio_PUBKEY(bio.get(), key) != 1) return fail(Code::internal, "cannot write the public half of the key");
    const auto size = BIO_get_mem_data(bio.get(), &text);
    value.assign(text, static_cast<std::size_t>(size));
  }
  return json::object{{"keytype", type}, {"scheme", scheme}, {"keyval", json::object{{"public", value}}}};
}

struct Passphrase {
  std::string_view text;
  bool asked = false;
};

// Never prompts: OpenSSL's default would read from the terminal.
int give_passphrase(char* buffer, int size, int, void* data) {
  auto& passphrase = *static_cast<Passphrase*>(data);
  passphrase.asked = true;
  if (passphrase.text.empty() || passphrase.text.size() > static_cast<std::size_t>(size)) return -1;
  passphrase.text.copy(buffer, passphrase.text.size());
  return static_cast<int>(passphrase.text.size());
}

}  // namespace

Result<PublicKey> PublicKey::parse(const json::object& key) {
  const auto text = [](const json::object& object, std::string_view name) -> const json::string* {
    const auto* member = object.if_contains(name);
    return member ? member->if_string() : nullptr;
  };
  const auto* keytype = text(key, "keytype");
  const auto* scheme_name = text(key, "scheme");
  const auto* keyval = key.if_contains("keyval");
  const auto* value = keyval && keyval->is_object() ? text(keyval->get_object(), "public") : nullptr;
  if (!keytype) return fail(Code::invalid, "key: \"keytype\" must be a string");
  if (!scheme_name) return fail(Code::invalid, "key: \"scheme\" must be a string");
  if (!value) return fail(Code::invalid, "key: \"keyval\" must hold a string \"public\"");

  PublicKey out;
  out.json_ = key;
  out.scheme_ = std::string_view(*scheme_name);
  const auto* scheme = find_scheme(out.scheme_);
  if (!scheme) {
    out.why_not_ = cat("unknown scheme ", out.scheme_);
    return out;
  }
  if (!fits(*keytype, *scheme)) {
    out.why_not_ = cat("key type ", std::string_view(*keytype), " does not fit the scheme ", out.scheme_);
    return out;
  }
  auto parsed = scheme->kind == Kind::ed25519 ? read_ed25519(*value) : read_public_pem(*value, scheme->kind);
  const auto why_not = parsed ? check_key(parsed.get(), *scheme)
                       : scheme->kind == Kind::ed25519 ? std::string_view("not 64 hex digits") : std::string_view("not a public key in PEM");
  ERR_clear_error();
  if (!why_not.empty()) {
    out.why_not_ = why_not;
    return out;
  }
  out.identity_ = spki_of(parsed.get());
  if (out.identity_.empty())
    out.why_not_ = "cannot be written as SPKI";
  else
    out.key_ = std::move(parsed);
  return out;
}

bool PublicKey::verify(std::string_view message, std::string_view signature) const {
  const auto* scheme = find_scheme(scheme_);
  if (!key_ || !scheme || signature.empty()) return false;
  if (scheme->kind == Kind::ed25519 && signature.size() != 64) return false;
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;  // owned by context
  const bool good = context && EVP_DigestVerifyInit(context.get(), &key_context, digest_of(*scheme), nullptr, key_.get()) == 1 &&
                    set_padding(key_context, *scheme, RSA_PSS_SALTLEN_AUTO) &&
                    EVP_DigestVerify(context.get(), as_bytes(signature), signature.size(), as_bytes(message), message.size()) == 1;
  if (!good) ERR_clear_error();
  return good;
}

std::string PublicKey::key_id() const { return sha256_hex(canonical(json_)); }

Result<PrivateKey> PrivateKey::generate(std::string_view type) {
  Pkey key;
  if (type == "ed25519")
    key = own(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  else if (type == "ecdsa")
    key = own(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  else if (type == "rsa")
    key = own(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{3072}));
  else
    return fail(Code::invalid, cat("unknown key type \"", type, "\": use ed25519, ecdsa or rsa"));
  if (!key) return fail(Code::internal, "cannot generate a key");
  return from_key(std::move(key));
}

Result<PrivateKey> PrivateKey::from_key(std::shared_ptr<evp_pkey_st> key) {
  PICKET_LET(description, describe(key.get()));
  PICKET_LET(public_key, PublicKey::parse(description));
  if (!public_key.can_verify()) return fail(Code::unsupported, cat("this key cannot be used: ", public_key.why_not()));
  PrivateKey out;
  out.key_ = std::move(key);
  out.public_ = std::move(public_key);
  return out;
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem, std::string_view passphrase) {
  if (pem.size() > max_pem_bytes) return fail(Code::too_large, "not a private key: too long");
  Passphrase given{passphrase};
  auto key = own(PEM_read_bio_PrivateKey(read_bio(pem).get(), nullptr, give_passphrase, &given));
  ERR_clear_error();
  if (!key && given.asked)
    return fail(Code::denied, passphrase.empty() ? "the private key is encrypted: a passphrase is needed" : "wrong passphrase for the private key");
  if (!key) return fail(Code::invalid, "not a private key in PEM");
  return from_key(std::move(key));
}

Result<std::string> PrivateKey::to_pem(std::string_view passphrase) const {
  const Bio bio(BIO_new(BIO_s_mem()));
  bool written = false;
  if (passphrase.empty()) {
    written = PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
  } else {
    // scrypt rather than OpenSSL's default of 2048 PBKDF2 rounds, which a stolen stick would not withstand for long
    auto* plain = EVP_PKEY2PKCS8(key_.get());
    auto* algorithm = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 0, nullptr, 1 << 14, 8, 1);
    auto* sealed = plain && algorithm ? PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()), plain, algorithm) : nullptr;
    if (!sealed) X509_ALGOR_free(algorithm);  // set0 owns it only when it worked
    written = sealed && PEM_write_bio_PKCS8(bio.get(), sealed) == 1;
    X509_SIG_free(sealed);
    PKCS8_PRIV_KEY_INFO_free(plain);
  }
  ERR_clear_error();
  if (!written) return fail(Code::internal, "cannot write the private key");
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  std::string out(text, static_cast<std::size_t>(size));
  OPENSSL_cleanse(text, static_cast<std::size_t>(size));
  return out;
}

Result<std::string> PrivateKey::sign(std::string_view message) const {
  if (!key_) return fail(Code::conflict, "no private key to sign with");
  const auto* scheme = find_scheme(public_.scheme());
  if (!scheme) return fail(Code::internal, "the key's scheme is unknown");
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  std::size_t size = 0;
  std::string out;
  bool good = context && EVP_DigestSignInit(context.get(), &key_context, digest_of(*scheme), nullptr, key_.get()) == 1 &&
              set_padding(key_context, *scheme, RSA_PSS_SALTLEN_DIGEST) &&
              EVP_DigestSign(context.get(), nullptr, &size, as_bytes(message), message.size()) == 1;
  if (good) {
    out.resize(size);
    good = EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, as_bytes(message), message.size()) == 1;
  }
  ERR_clear_error();
  if (!good) return fail(Code::internal, "cannot sign");
  out.resize(size);
  return out;
}

}  // namespace picket::trust
