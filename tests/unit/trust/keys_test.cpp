#include "trust/keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>

#include "base/bytes.hpp"
#include "keys_vectors.hpp"
#include "trust/json.hpp"

namespace picket::trust {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
constexpr std::string_view message = "hello picket";

Result<PublicKey> key_of(std::string_view type, std::string_view scheme, std::string_view value) {
  return PublicKey::parse(json::object{{"keytype", type}, {"scheme", scheme}, {"keyval", json::object{{"public", value}}}});
}
PublicKey good_key(std::string_view type, std::string_view scheme, std::string_view value) {
  auto key = key_of(type, scheme, value);
  EXPECT_TRUE(key && key->can_verify()) << (key ? std::string(key->why_not()) : key.error().message);
  return key.value_or(PublicKey());
}
std::string why_not(std::string_view type, std::string_view scheme, std::string_view value) {
  auto key = key_of(type, scheme, value);
  if (!key) return "refused: " + key.error().message;
  EXPECT_FALSE(key->verify(message, std::string(64, 'x')));
  EXPECT_THAT(key->identity(), IsEmpty());
  EXPECT_EQ(key->can_verify(), key->why_not().empty());
  return std::string(key->why_not());
}
std::string hex(std::string_view text) { return from_hex(text).value(); }

// RFC 8032, 7.1, test 2
constexpr std::string_view ed25519_public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
constexpr std::string_view ed25519_signature =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

TEST(PublicKey, verifies_ed25519_as_in_rfc_8032) {
  const auto key = good_key("ed25519", "ed25519", ed25519_public);
  EXPECT_TRUE(key.verify("\x72", hex(ed25519_signature)));
  EXPECT_FALSE(key.verify("\x73", hex(ed25519_signature)));
}

TEST(PublicKey, counts_a_signature_of_wrong_length_as_none) {
  const auto key = good_key("ed25519", "ed25519", ed25519_public);
  const auto good = hex(ed25519_signature);
  for (const auto& bad : {std::string(), good.substr(0, 63), good + "x", std::string(1000, 'x')}) EXPECT_FALSE(key.verify("\x72", bad));
}

TEST(PublicKey, keeps_an_ed25519_key_of_wrong_length_but_cannot_use_it) {
  for (const auto& bad : {std::string(), std::string(62, 'a'), std::string(63, 'a'), std::string(66, 'a'), std::string(64, 'g'), std::string("3d40")})
    EXPECT_THAT(why_not("ed25519", "ed25519", bad), HasSubstr("64 hex digits")) << bad;
}

TEST(PublicKey, verifies_ecdsa_under_both_spellings_of_the_key_type) {
  for (const char* type : {"ecdsa", "ecdsa-sha2-nistp256"}) {
    const auto key = good_key(type, "ecdsa-sha2-nistp256", vectors::p256_pem);
    EXPECT_TRUE(key.verify(message, hex(vectors::p256_signature)));
    EXPECT_FALSE(key.verify("hello picker", hex(vectors::p256_signature)));
  }
  EXPECT_TRUE(good_key("ecdsa", "ecdsa-sha2-nistp384", vectors::p384_pem).verify(message, hex(vectors::p384_signature)));
}

TEST(PublicKey, refuses_a_curve_that_is_not_the_schemes) {
  EXPECT_THAT(why_not("ecdsa", "ecdsa-sha2-nistp256", vectors::p384_pem), HasSubstr("curve"));
  EXPECT_THAT(why_not("ecdsa", "ecdsa-sha2-nistp384", vectors::p256_pem), HasSubstr("curve"));
}

TEST(PublicKey, verifies_rsa_pss_with_any_salt_length_but_only_its_own_mask_digest) {
  const auto key = good_key("rsa", "rsassa-pss-sha256", vectors::rsa_pem);
  EXPECT_TRUE(key.verify(message, hex(vectors::rsa_pss_salt_32)));
  EXPECT_TRUE(key.verify(message, hex(vectors::rsa_pss_salt_max)));
  EXPECT_FALSE(key.verify(message, hex(vectors::rsa_pss_wrong_mgf)));
  EXPECT_FALSE(key.verify(message, hex(vectors::rsa_pkcs1v15)));
  EXPECT_FALSE(key.verify("hello picker", hex(vectors::rsa_pss_salt_32)));
}

TEST(PublicKey, refuses_rsa_under_2048_bits) { EXPECT_THAT(why_not("rsa", "rsassa-pss-sha256", vectors::rsa_1024_pem), HasSubstr("2048")); }

TEST(PublicKey, is_one_key_however_it_is_spelt) {
  const auto p256 = good_key("ecdsa", "ecdsa-sha2-nistp256", vectors::p256_pem);
  EXPECT_EQ(p256.identity(), good_key("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", vectors::p256_pem).identity());
  EXPECT_EQ(p256.identity(), good_key("ecdsa", "ecdsa-sha2-nistp256", vectors::p256_compressed_pem).identity());
  EXPECT_EQ(p256.identity(), good_key("ecdsa", "ecdsa-sha2-nistp256", std::string("\n\n") + vectors::p256_pem + "\n").identity());
  const auto rsa = good_key("rsa", "rsassa-pss-sha256", vectors::rsa_pem);
  EXPECT_EQ(rsa.identity(), good_key("rsa", "rsassa-pss-sha256", vectors::rsa_pkcs1_pem).identity());
  EXPECT_EQ(rsa.identity(), good_key("rsa", "rsassa-pss-sha512", vectors::rsa_pem).identity());
  std::string upper(ed25519_public);
  for (auto& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(good_key("ed25519", "ed25519", ed25519_public).identity(), good_key("ed25519", "ed25519", upper).identity());
  EXPECT_NE(p256.identity(), rsa.identity());
}

// High-water marks remember digests of it: it stays as OpenSSL writes it (RFC 8410).
TEST(PublicKey, is_identified_by_its_subject_public_key_info) {
  const auto key = PrivateKey::generate("ed25519").value();
  const auto raw = std::string(key.public_key().to_json().at("keyval").at("public").as_string());
  EXPECT_EQ(to_hex(key.public_key().identity()), "302a300506032b6570032100" + raw);
}

TEST(PublicKey, keeps_unknown_types_and_schemes_for_publishers_of_the_future) {
  EXPECT_THAT(why_not("ml-dsa", "ml-dsa-65", "abcd"), HasSubstr("unknown scheme"));
  EXPECT_THAT(why_not("ed25519", "ed448", "abcd"), HasSubstr("unknown scheme"));
  EXPECT_THAT(why_not("rsa", "ed25519", ed25519_public), HasSubstr("does not fit"));
  EXPECT_THAT(why_not("ed25519", "rsassa-pss-sha256", vectors::rsa_pem), HasSubstr("does not fit"));
  EXPECT_THAT(why_not("rsa", "rsa-pkcs1v15-sha256", vectors::rsa_pem), HasSubstr("unknown scheme"));
}

TEST(PublicKey, cannot_use_pem_that_is_no_public_key) {
  const auto private_key = PrivateKey::generate("ecdsa");
  ASSERT_TRUE(private_key);
  for (const auto& bad : {std::string(), std::string("x"), std::string("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
                          std::string("-----BEGIN PUBLIC KEY-----"), private_key->to_pem().value(), private_key->to_pem("secret").value(),
                          std::string("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), std::string(100'000, 'A')})
    EXPECT_THAT(why_not("ecdsa", "ecdsa-sha2-nistp256", bad), HasSubstr("PEM")) << bad.substr(0, 100);
  EXPECT_THAT(why_not("ecdsa", "ecdsa-sha2-nistp256", vectors::rsa_pem), HasSubstr("elliptic"));
  EXPECT_THAT(why_not("rsa", "rsassa-pss-sha256", vectors::p256_pem), HasSubstr("not an rsa"));
  EXPECT_EQ(ERR_peek_error(), 0u) << "an error left in OpenSSL's queue shows up in somebody else's call";
}

TEST(PublicKey, refuses_only_wrong_shapes) {
  for (const char* text : {R"({})", R"({"keytype":1,"scheme":"ed25519","keyval":{"public":"x"}})", R"({"keytype":"ed25519","scheme":null,"keyval":{"public":"x"}})",
                           R"({"keytype":"ed25519","scheme":"ed25519","keyval":"x"})", R"({"keytype":"ed25519","scheme":"ed25519","keyval":{}})",
                           R"({"keytype":"ed25519","scheme":"ed25519","keyval":{"public":7}})", R"({"keytype":"ed25519","scheme":"ed25519"})"}) {
    auto key = PublicKey::parse(parse_strict(text).value().as_object());
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().code, Code::invalid);
    EXPECT_THAT(key.error().message, HasSubstr("key: "));
  }
}

TEST(PublicKey, has_the_key_id_of_the_whole_object_extra_members_included) {
  const auto text = R"({"keyid_hash_algorithms":["sha256","sha512"],"keytype":"ed25519","keyval":{"public":"edcd0a32a07dce33f7c7873aaffbff36d20ea30787574ead335eefd337e4dacd"},"scheme":"ed25519"})";
  auto key = PublicKey::parse(parse_strict(text).value().as_object());
  ASSERT_TRUE(key);
  EXPECT_EQ(key->key_id(), "59a4df8af818e9ed7abe0764c0b47b4240952aa0d179b5b78346c470ac30278d");
  EXPECT_EQ(canonical(key->to_json()), text);
}

class PrivateKeys : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Types, PrivateKeys, testing::Values("ed25519", "ecdsa", "rsa"), [](const auto& each) { return std::string(each.param); });

TEST_P(PrivateKeys, sign_what_their_public_half_verifies) {
  auto key = PrivateKey::generate(GetParam());
  ASSERT_TRUE(key) << key.error().message;
  for (const std::string& text : {std::string(), std::string("x"), std::string(1'000'000, 'y')}) {
    auto signature = key->sign(text);
    ASSERT_TRUE(signature) << signature.error().message;
    EXPECT_TRUE(key->public_key().verify(text, *signature));
    EXPECT_FALSE(key->public_key().verify(text + "x", *signature));
    auto flipped = *signature;
    flipped.back() = static_cast<char>(flipped.back() ^ 1);
    EXPECT_FALSE(key->public_key().verify(text, flipped));
  }
  auto again = PublicKey::parse(key->public_key().to_json());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->identity(), key->public_key().identity());
}

TEST_P(PrivateKeys, come_back_from_pem_only_with_their_passphrase) {
  auto key = PrivateKey::generate(GetParam());
  ASSERT_TRUE(key);
  auto plain = PrivateKey::from_pem(key->to_pem().value());
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->public_key().identity(), key->public_key().identity());

  const auto sealed = key->to_pem("correct horse").value();
  EXPECT_THAT(sealed, HasSubstr("ENCRYPTED PRIVATE KEY"));
  auto opened = PrivateKey::from_pem(sealed, "correct horse");
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_TRUE(key->public_key().verify("x", opened->sign("x").value()));
  for (const char* wrong : {"", "Correct horse", "correct horse "}) {
    auto refused = PrivateKey::from_pem(sealed, wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, Code::denied);
    EXPECT_THAT(refused.error().message, HasSubstr("passphrase"));
    EXPECT_THAT(refused.error().message, Not(HasSubstr("horse"))) << "secrets stay out of messages";
  }
}

TEST(PrivateKey, takes_the_older_pem_forms_too) {
  auto key = PrivateKey::from_pem(vectors::rsa_private_pem);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_TRUE(good_key("rsa", "rsassa-pss-sha256", vectors::rsa_pem).verify("x", key->sign("x").value()));
}

TEST(PrivateKey, refuses_what_is_no_key) {
  EXPECT_EQ(PrivateKey::generate("dsa").error().code, Code::invalid);
  for (const auto& bad : {std::string(), std::string("junk"), std::string(vectors::p256_pem), std::string("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")})
    EXPECT_EQ(PrivateKey::from_pem(bad).error().code, Code::invalid) << bad;
  EXPECT_EQ(PrivateKey::from_pem(std::string(1 << 20, 'A')).error().code, Code::too_large);
  EXPECT_EQ(PrivateKey().sign("x").error().code, Code::conflict);
}

}  // namespace
}  // namespace picket::trust
