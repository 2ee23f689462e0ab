#include <gtest/gtest.h>

#include "ksn_store/entry.hpp"
#include "ksn_store/redis_cluster.hpp"
#include "ksn_store/store.hpp"
#include "picket/ksn/v1/reputation.pb.h"

namespace picket::ksn_store {
namespace {

TEST(KsnEntry, is_kept_as_the_facts_of_the_protocol) {
  const Entry entry{3, "malware", "Test.Threat", "Nobody", "Nothing", 1'234'567, 1'700'000'000, {"DE", "FR"}, ksn::v1::TRUST_GROUP_LOW_RESTRICTED, ksn::v1::SIGNATURE_VALID};
  std::string bytes;
  append_facts(ksn::v1::VERDICT_UNTRUSTED, texts_of(entry), entry.popularity, entry.first_seen, bytes);
  ksn::v1::Facts facts;
  ASSERT_TRUE(facts.ParseFromString(bytes));
  EXPECT_EQ(facts.verdict(), ksn::v1::VERDICT_UNTRUSTED);
  EXPECT_EQ(facts.category(), "malware");
  EXPECT_EQ(facts.threat(), "Test.Threat");
  EXPECT_EQ(facts.publisher(), "Nobody");
  EXPECT_EQ(facts.product(), "Nothing");
  EXPECT_EQ(facts.popularity(), 1'234'567u);
  EXPECT_EQ(facts.first_seen(), 1'700'000'000);
  ASSERT_EQ(facts.countries_size(), 2);
  EXPECT_EQ(facts.countries(1), "FR");
  EXPECT_EQ(facts.ttl_seconds(), 0u);
  EXPECT_EQ(facts.trust_group(), ksn::v1::TRUST_GROUP_LOW_RESTRICTED);
  EXPECT_EQ(facts.signature(), ksn::v1::SIGNATURE_VALID);
}

TEST(KsnEntry, beyond_the_limits_is_refused_with_the_reason) {
  const auto why = [](auto change) {
    Entry entry{1, {}, {}, {}, {}, 0, 0, {}};
    change(entry);
    const auto result = check_entry(entry);
    return result ? std::string("accepted") : result.error().message;
  };
  EXPECT_EQ(why([](Entry&) {}), "accepted");
  EXPECT_EQ(why([](Entry& e) { e.verdict = 0; }), "a verdict is trusted, abusable or untrusted");
  EXPECT_EQ(why([](Entry& e) { e.verdict = 4; }), "a verdict is trusted, abusable or untrusted");
  EXPECT_EQ(why([](Entry& e) { e.threat = std::string(257, 't'); }), "a text of 257 bytes, at most 256");
  EXPECT_EQ(why([](Entry& e) { e.category = "\xff"; }), "a text that is not UTF-8");
  EXPECT_EQ(why([](Entry& e) { e.first_seen = -1; }), "first seen before 1970");
  EXPECT_EQ(why([](Entry& e) { e.countries = {"de"}; }), "'de' is no country: two capital letters");
  EXPECT_EQ(why([](Entry& e) { e.countries = std::vector<std::string>(11, "DE"); }), "more than 10 countries");
  EXPECT_EQ(why([](Entry& e) { e.trust_group = 5; }), "no trust group");
  EXPECT_EQ(why([](Entry& e) { e.signature = -1; }), "no state of a signature");
}

TEST(RedisSlot, is_as_the_cluster_specification_says) {
  EXPECT_EQ(slot_of("123456789"), 0x31c3 % 16384);  // the specification's own vector
  EXPECT_EQ(slot_of("foo"), 12182);
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("{user1000}.followers"));
  EXPECT_EQ(slot_of("foo{}{bar}"), slot_of("foo{}{bar}"));
  EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar"));
  EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
  EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
}

TEST(OpenStore, names_what_is_wrong_with_a_setting) {
  EXPECT_EQ(open_store("redis:").error().code, Code::invalid);
  for (const std::string node : {"host", "host:", ":1", "host:0", "host:65536", "host:1x", "//host:1"}) {
    const auto opened = open_store("redis:" + node);
    ASSERT_FALSE(opened) << node;
    EXPECT_NE(opened.error().message.find("'" + node + "' is not HOST:PORT"), std::string::npos) << opened.error().message;
  }
  EXPECT_NE(open_store("redis:a:1;auth=/nonexistent/file").error().message.find("/nonexistent/file"), std::string::npos);
}

}  // namespace
}  // namespace picket::ksn_store
