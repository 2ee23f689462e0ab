#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "ksn/provider.hpp"
#include "trust/json.hpp"

namespace picket::ksn {
namespace {

namespace json = boost::json;

class KsnProvider : public testing::Test {
 protected:
  trust::PrivateKey key_ = trust::PrivateKey::generate("ed25519").value();
  trust::PrivateKey answers_ = trust::PrivateKey::generate("ed25519").value();
  std::vector<trust::PublicKey> trusted_{key_.public_key()};

  Provider example() const {
    Provider out;
    out.name = "Example's KSN";
    out.contact = "ksn@example.org";
    out.created = 1'795'305'600;
    out.private_ksn = true;
    out.servers = {"https://ksn.example.org", "https://[2001:db8::1]:13111", "https://10.0.0.1:443"};
    out.answer_keys = {answers_.public_key()};
    out.certificate = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n";
    return out;
  }
  std::string sealed(std::string payload, std::string_view type = kProviderType) const {
    trust::DsseEnvelope envelope{std::string(type), std::move(payload), {}};
    EXPECT_TRUE(envelope.sign(key_));
    return envelope.to_json();
  }
  // The example with one member changed; a null value removes it.
  Error refused(std::string_view member, json::value value) const {
    auto object = trust::parse_strict(example().to_json()).value().as_object();
    if (value.is_null())
      object.erase(member);
    else
      object[member] = std::move(value);
    const auto result = Provider::parse(sealed(json::serialize(object)), trusted_);
    if (result) {
      ADD_FAILURE() << member << " was accepted";
      return {};
    }
    EXPECT_NE(result.error().message.find(cat("\"", member, "\"")), std::string::npos) << result.error().message;
    return result.error();
  }
};

TEST_F(KsnProvider, says_what_was_written) {
  const auto read = Provider::parse(sealed(example().to_json()), trusted_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->name, "Example's KSN");
  EXPECT_EQ(read->contact, "ksn@example.org");
  EXPECT_EQ(read->created, 1'795'305'600);
  EXPECT_TRUE(read->private_ksn);
  EXPECT_EQ(read->servers, example().servers);
  ASSERT_EQ(read->answer_keys.size(), 1u);
  EXPECT_EQ(read->answer_keys[0].key_id(), answers_.public_key().key_id());
  EXPECT_EQ(read->certificate, example().certificate);
  EXPECT_EQ(read->to_json(), example().to_json());
}

TEST_F(KsnProvider, is_believed_for_its_signature_only) {
  const auto stranger = trust::PrivateKey::generate("ed25519").value();
  const std::vector<trust::PublicKey> others{stranger.public_key()};
  EXPECT_EQ(Provider::parse(sealed(example().to_json()), others).error().code, Code::untrusted);
  EXPECT_EQ(Provider::parse(sealed(example().to_json()), {}).error().code, Code::untrusted);
  EXPECT_EQ(Provider::parse(sealed(example().to_json(), "application/other"), trusted_).error().code, Code::untrusted);
  EXPECT_EQ(Provider::parse("{}", trusted_).error().code, Code::invalid);
  EXPECT_EQ(Provider::parse(std::string(300'000, ' '), trusted_).error().code, Code::too_large);
}

TEST_F(KsnProvider, names_the_member_and_the_rule) {
  EXPECT_EQ(refused("provider", "1").code, Code::invalid);
  EXPECT_EQ(refused("name", nullptr).message, "provider file: \"name\" is missing");
  EXPECT_EQ(refused("name", "").message, "provider file: \"name\" is empty");
  EXPECT_EQ(refused("name", "two\nlines").message, "provider file: \"name\" holds a control character");
  EXPECT_EQ(refused("contact", json::string(257, 'x')).message, "provider file: \"contact\" is longer than 256 bytes");
  EXPECT_EQ(refused("created", "yesterday").code, Code::invalid);
  EXPECT_EQ(refused("private", "yes").code, Code::invalid);
  EXPECT_EQ(refused("servers", json::array{}).message, "provider file: \"servers\" is empty");
  EXPECT_EQ(refused("servers", json::array(17, "https://a")).message, "provider file: \"servers\" has more than 16 entries");
  for (const auto* bad : {"http://a", "https://", "https://a/", "https://a:0", "https://a:65536", "https://a:", "https://a b", "https://[::1", "https://user@a", "ksn"})
    EXPECT_EQ(refused("servers", json::array{bad}).code, Code::invalid) << bad;
  EXPECT_EQ(refused("answer_keys", json::array{"key"}).code, Code::invalid);
  EXPECT_EQ(refused("answer_keys", json::array{json::object{{"keytype", "x"}, {"scheme", "x"}, {"keyval", json::object{{"public", "x"}}}}}).code, Code::invalid);
  EXPECT_EQ(refused("certificate", "DER").message, "provider file: \"certificate\" is not a certificate in PEM");
  const auto later = Provider::parse(sealed("{\"provider\":2}"), trusted_);
  EXPECT_EQ(later.error().code, Code::unsupported);
  EXPECT_EQ(Provider::parse(sealed("[]"), trusted_).error().code, Code::invalid);
}

}  // namespace
}  // namespace picket::ksn
