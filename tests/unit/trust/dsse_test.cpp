#include "trust/dsse.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "trust/json.hpp"

namespace picket::trust {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
constexpr std::string_view type = "application/vnd.picket.policy+json";

PrivateKey make_key(std::string_view kind = "ed25519") { return PrivateKey::generate(kind).value(); }

DsseEnvelope envelope_of(std::string payload, std::initializer_list<const PrivateKey*> signers) {
  DsseEnvelope out{std::string(type), std::move(payload), {}};
  for (const auto* key : signers) EXPECT_TRUE(out.sign(*key));
  return out;
}

std::string refusal(const Result<std::vector<std::string>>& result) {
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, Code::untrusted);
  return result.error().message;
}

TEST(Dsse, encodes_for_signing_as_the_protocol_says) {
  EXPECT_EQ(pre_authentication_encoding("http://example.com/HelloWorld", "hello world"), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  EXPECT_EQ(pre_authentication_encoding("", ""), "DSSEv1 0  0 ");
  EXPECT_EQ(pre_authentication_encoding("\xc3\xa9", std::string("\0", 1)), std::string("DSSEv1 2 \xc3\xa9 1 \0", 15)) << "lengths count bytes";
}

// The test vector of the protocol's own document: somebody else's key and signature (there as raw r and s, here as the DER that our scheme has).
TEST(Dsse, verifies_the_test_vector_of_the_protocol) {
  const auto key = PublicKey::parse(json::object{{"keytype", "ecdsa"}, {"scheme", "ecdsa-sha2-nistp256"}, {"keyval", json::object{{"public",
      "-----BEGIN PUBLIC KEY-----\n"
      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ805D3eqNZywjCI19lInBJOp7YMr\n"
      "CrzAH3CVTAOQ0jgMeCvVTiaRJaRPRDOv8UMs6U4SvKc6pnrIDOoSYI3fdA==\n"
      "-----END PUBLIC KEY-----\n"}}}});
  ASSERT_TRUE(key);
  auto envelope = DsseEnvelope::parse(R"({"payload": "aGVsbG8gd29ybGQ=", "payloadType": "http://example.com/HelloWorld", "signatures": [
    {"sig": "MEQCIANyarEBrVbCdjtsaqyOSHJ14qeRk6CdxfhZ2fjvPEo7AiBR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]})");
  ASSERT_TRUE(envelope) << envelope.error().message;
  EXPECT_TRUE(envelope->verify("http://example.com/HelloWorld", std::vector{*key}));
}

TEST(Dsse, comes_back_from_its_own_json) {
  const auto key = make_key();
  const auto payload = std::string("{\"a\": 1}\n\0\xff", 11);
  const auto text = envelope_of(payload, {&key}).to_json();
  auto parsed = DsseEnvelope::parse(text);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->payload, payload);
  EXPECT_EQ(parsed->payload_type, type);
  auto signers = parsed->verify(type, std::vector{key.public_key()});
  ASSERT_TRUE(signers) << signers.error().message;
  EXPECT_THAT(*signers, ElementsAre(key.public_key().key_id()));
}

TEST(Dsse, refuses_another_payload_type_payload_or_key) {
  const auto key = make_key(), other = make_key();
  const auto envelope = envelope_of("payload", {&key});
  const std::vector keys{key.public_key()};
  EXPECT_THAT(refusal(envelope.verify("application/vnd.picket.plugin+json", keys)), HasSubstr("is of type"));
  EXPECT_THAT(refusal(envelope.verify(type, std::vector{other.public_key()})), HasSubstr("signed by 0"));
  EXPECT_THAT(refusal(envelope.verify(type, {})), HasSubstr("signed by 0"));
  auto changed = envelope;
  changed.payload += ' ';
  EXPECT_THAT(refusal(changed.verify(type, keys)), HasSubstr("signed by 0"));
  changed = envelope;
  changed.payload_type = "application/vnd.picket.plugin+json";
  EXPECT_THAT(refusal(changed.verify("application/vnd.picket.plugin+json", keys)), HasSubstr("signed by 0")) << "the type is signed too";
}

TEST(Dsse, counts_distinct_keys_towards_the_threshold) {
  const auto a = make_key(), b = make_key("ecdsa");
  const std::vector keys{a.public_key(), b.public_key()};
  EXPECT_TRUE(envelope_of("x", {&a, &b}).verify(type, keys, 2));
  EXPECT_THAT(refusal(envelope_of("x", {&a}).verify(type, keys, 2)), HasSubstr("signed by 1 of the trusted keys, needs 2"));
  auto twice = envelope_of("x", {&a});
  twice.signatures.push_back(twice.signatures.front());
  twice.signatures.push_back({"", twice.signatures.front().sig});
  EXPECT_THAT(refusal(twice.verify(type, keys, 2)), HasSubstr("needs 2")) << "one signature three times";
}

TEST(Dsse, counts_one_key_under_two_spellings_once) {
  const auto key = make_key("ecdsa");
  auto other = key.public_key().to_json();
  other["keytype"] = "ecdsa-sha2-nistp256";
  const auto alias = PublicKey::parse(other).value();
  ASSERT_NE(alias.key_id(), key.public_key().key_id());
  auto envelope = envelope_of("x", {&key});
  envelope.signatures.push_back({alias.key_id(), envelope.signatures.front().sig});
  const std::vector keys{key.public_key(), alias};
  EXPECT_TRUE(envelope.verify(type, keys, 1));
  EXPECT_THAT(refusal(envelope.verify(type, keys, 2)), HasSubstr("needs 2"));
}

TEST(Dsse, takes_the_key_id_as_a_hint_only) {
  const auto a = make_key(), b = make_key();
  const std::vector keys{a.public_key(), b.public_key()};
  for (const auto& hint : {std::string(), std::string("somebody else's name for it")}) {
    auto envelope = envelope_of("x", {&b});
    envelope.signatures.front().keyid = hint;
    EXPECT_TRUE(envelope.verify(type, keys)) << hint;
  }
  auto lying = envelope_of("x", {&b});
  lying.signatures.front().keyid = a.public_key().key_id();
  EXPECT_THAT(refusal(lying.verify(type, keys)), HasSubstr("signed by 0"));
}

TEST(Dsse, never_takes_a_threshold_of_zero) {
  const auto key = make_key();
  EXPECT_EQ(envelope_of("x", {&key}).verify(type, std::vector{key.public_key()}, 0).error().code, Code::invalid);
}

TEST(Dsse, replaces_a_signature_by_the_same_key) {
  const auto key = make_key("rsa");
  auto envelope = envelope_of("x", {&key, &key});
  EXPECT_THAT(envelope.signatures, SizeIs(1));
}

TEST(Dsse, says_what_is_wrong_with_an_envelope) {
  const auto why = [](std::string_view text) {
    auto parsed = DsseEnvelope::parse(text);
    if (parsed) return std::string("accepted");
    EXPECT_EQ(parsed.error().code, Code::invalid);
    return parsed.error().message;
  };
  EXPECT_THAT(why("{"), HasSubstr("not acceptable JSON"));
  EXPECT_THAT(why("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(why(R"({"payload":"","signatures":[]})"), HasSubstr("\"payloadType\" is missing"));
  EXPECT_THAT(why(R"({"payloadType":7,"payload":"","signatures":[]})"), HasSubstr("\"payloadType\" must be a string"));
  EXPECT_THAT(why(R"({"payloadType":"","payload":"","signatures":[{"sig":""}]})"), HasSubstr("\"payloadType\" is empty"));
  EXPECT_THAT(why(R"({"payloadType":"t","signatures":[]})"), HasSubstr("\"payload\" is missing"));
  EXPECT_THAT(why(R"({"payloadType":"t","payload":"*","signatures":[]})"), HasSubstr("\"payload\" is not base64"));
  EXPECT_THAT(why(R"({"payloadType":"t","payload":""})"), HasSubstr("\"signatures\" must be an array"));
  EXPECT_THAT(why(R"({"payloadType":"t","payload":"","signatures":{}})"), HasSubstr("\"signatures\" must be an array"));
  EXPECT_THAT(why(R"({"payloadType":"t","payload":"","signatures":[]})"), HasSubstr("empty"));
  EXPECT_THAT(why(R"({"payloadType":"t","payload":"","signatures":[7]})"), HasSubstr("signature 1: must be an object"));
  EXPECT_THAT(why(R"({"payloadType":"t","payload":"","signatures":[{"sig":""},{"keyid":"a"}]})"), HasSubstr("signature 2: \"sig\" is missing"));
  EXPECT_THAT(why(R"({"payloadType":"t","payload":"","signatures":[{"keyid":1,"sig":""}]})"), HasSubstr("\"keyid\" must be a string"));
  EXPECT_THAT(why(R"({"payloadType":"t","payloadType":"u","payload":"","signatures":[{"sig":""}]})"), HasSubstr("twice"));
}

TEST(Dsse, takes_url_safe_base64_and_unknown_members) {
  auto parsed = DsseEnvelope::parse(R"({"payloadType":"t","payload":"_-8=","signatures":[{"sig":"","extra":{}}],"extra":[1]})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->payload, "\xff\xef");
}

TEST(Dsse, is_bounded_in_size_and_signatures) {
  EXPECT_EQ(DsseEnvelope::parse(std::string(100, ' '), 99).error().code, Code::too_large);
  std::string many = R"({"payloadType":"t","payload":"","signatures":[{"sig":""})";
  for (int i = 0; i < 64; ++i) many += R"(,{"sig":""})";
  EXPECT_EQ(DsseEnvelope::parse(many + "]}").error().code, Code::too_large);
}

class LoadKeys : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("picket-keys-" + to_hex(random_bytes(6)));
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, std::string_view bytes) const { std::ofstream(folder_ / name, std::ios::binary) << bytes; }
  static std::string text_of(const PrivateKey& key) { return canonical(key.public_key().to_json()); }  // an ed25519 key has nothing to escape
  std::filesystem::path folder_;
};

TEST_F(LoadKeys, reads_every_public_key_file_in_order_and_nothing_else) {
  const auto a = make_key(), b = make_key();
  write("b.pub.json", text_of(b));
  write("a.pub.json", text_of(a));
  write("README", "not a key");
  write("a.key.pem", "private");
  auto keys = load_keys(folder_);
  ASSERT_TRUE(keys) << keys.error().message;
  ASSERT_THAT(*keys, SizeIs(2));
  EXPECT_EQ((*keys)[0].identity(), a.public_key().identity());
  EXPECT_EQ((*keys)[1].identity(), b.public_key().identity());
}

TEST_F(LoadKeys, names_the_file_that_is_broken) {
  for (const char* bad : {"", "{", "[]", "{}", R"({"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"12"}})", R"({"keytype":"x","scheme":"x","keyval":{"public":"12"}})"}) {
    write("broken.pub.json", bad);
    auto keys = load_keys(folder_);
    ASSERT_FALSE(keys) << bad;
    EXPECT_THAT(keys.error().message, HasSubstr("broken.pub.json")) << bad;
  }
  EXPECT_EQ(load_keys(folder_ / "absent").error().code, Code::not_found);
}

TEST_F(LoadKeys, takes_at_most_256_files) {
  const auto text = text_of(make_key());
  for (int i = 0; i < 257; ++i) write(std::to_string(i) + ".pub.json", text);
  EXPECT_EQ(load_keys(folder_).error().code, Code::too_large);
}

}  // namespace
}  // namespace picket::trust
