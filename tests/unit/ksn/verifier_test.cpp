#include <gtest/gtest.h>

#include <functional>

#include "ksn/answers.hpp"
#include "ksn/limits.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace picket::ksn {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

class KsnVerifier : public testing::Test {
 protected:
  trust::PrivateKey key_ = trust::PrivateKey::generate("ed25519").value();
  trust::PrivateKey stranger_ = trust::PrivateKey::generate("ed25519").value();
  Verifier verifier_{{stranger_.public_key(), key_.public_key()}, "example", true};

  static v1::Record record(int n) {
    v1::Record out;
    out.set_kind(v1::OBJECT_FILE);
    out.set_asked(std::string(31, 'd') + static_cast<char>(n));
    out.mutable_facts()->set_verdict(n % 2 ? v1::VERDICT_UNTRUSTED : v1::VERDICT_TRUSTED);
    out.mutable_facts()->set_threat("threat " + std::to_string(n));
    out.mutable_facts()->set_ttl_seconds(60);
    return out;
  }
  static v1::Head head() {
    v1::Head out;
    out.set_issued(kNow);
    out.set_ksn("example");
    out.set_private_ksn(true);
    return out;
  }
  // As a service answers: one head, all leaves, no paths unless wanted.
  v1::AskReply reply(int count, bool paths = false, v1::Head of = head(), std::function<void(v1::Record&)> change = {}) const {
    v1::AskReply out;
    std::vector<std::string> texts;
    for (int i = 0; i < count; ++i) {
      auto one = record(i);
      if (change) change(one);
      texts.push_back(one.SerializeAsString());
    }
    const std::vector<std::string_view> records(texts.begin(), texts.end());
    of.set_root(merkle_root(records));
    if (of.leaves() == 0) of.set_leaves(records.size());
    *out.add_heads() = sign_head(of, key_).value();
    const auto proofs = merkle_paths(records);
    for (int i = 0; i < count; ++i) {
      auto* answer = out.add_answers();
      answer->set_record(texts[static_cast<std::size_t>(i)]);
      if (!paths) continue;
      answer->set_leaf(static_cast<std::uint64_t>(i));
      answer->set_path(proofs[static_cast<std::size_t>(i)]);
    }
    return out;
  }
  Code refused(const v1::AskReply& reply, std::string_view text) {
    const auto result = verifier_.verify(reply, kNow);
    if (result) {
      ADD_FAILURE() << "was accepted, expected: " << text;
      return Code::internal;
    }
    EXPECT_NE(result.error().message.find(text), std::string::npos) << result.error().message;
    return result.error().code;
  }
};

TEST_F(KsnVerifier, accepts_a_batch_and_gives_each_answer_its_proof) {
  for (const int count : {1, 2, 3, 100, 1000}) {
    const auto sent = reply(count);
    const auto proven = verifier_.verify(sent, kNow);
    ASSERT_TRUE(proven) << proven.error().message;
    ASSERT_EQ(proven->size(), static_cast<std::size_t>(count));
    v1::Head signed_head;
    ASSERT_TRUE(signed_head.ParseFromString(sent.heads(0).head()));
    for (std::size_t i = 0; i < proven->size(); ++i) {
      EXPECT_EQ((*proven)[i].record, sent.answers(static_cast<int>(i)).record());
      EXPECT_EQ(merkle_root_of((*proven)[i].record, (*proven)[i].leaf, signed_head.leaves(), (*proven)[i].path).value(), signed_head.root());
    }
  }
}

TEST_F(KsnVerifier, accepts_what_a_proxy_repeats_from_several_batches) {
  const auto one = reply(10), two = reply(7, true);
  const auto kept = verifier_.verify(one, kNow).value();
  v1::AskReply mixed;
  *mixed.add_heads() = one.heads(0);
  *mixed.add_heads() = two.heads(0);
  for (const int i : {9, 3}) {
    auto* answer = mixed.add_answers();
    const auto& from = kept[static_cast<std::size_t>(i)];
    answer->set_record(from.record), answer->set_path(from.path), answer->set_leaf(from.leaf);
    *mixed.add_answers() = two.answers(i == 9 ? 0 : 6);
    mixed.mutable_answers(mixed.answers_size() - 1)->set_head(1);
  }
  const auto proven = verifier_.verify(mixed, kNow);
  ASSERT_TRUE(proven) << proven.error().message;
  EXPECT_EQ((*proven)[0].record, one.answers(9).record());
  EXPECT_EQ((*proven)[3].head, 1u);
  EXPECT_TRUE(verifier_.verify(v1::AskReply(), kNow).value().empty());
}

TEST_F(KsnVerifier, refuses_a_changed_record) {
  for (const bool paths : {false, true}) {
    auto sent = reply(5, paths);
    auto forged = record(3);
    forged.mutable_facts()->set_verdict(v1::VERDICT_TRUSTED);
    sent.mutable_answers(3)->set_record(forged.SerializeAsString());
    EXPECT_EQ(refused(sent, "vouch"), Code::untrusted);
  }
}

TEST_F(KsnVerifier, refuses_a_left_out_a_doubled_and_an_exchanged_answer) {
  auto sent = reply(5);
  sent.mutable_answers()->RemoveLast();
  EXPECT_EQ(refused(sent, "5 answers, 4 came"), Code::untrusted);
  sent = reply(5);
  *sent.add_answers() = sent.answers(4);
  EXPECT_EQ(refused(sent, "5 answers, 6 came"), Code::untrusted);
  sent = reply(5);
  sent.mutable_answers()->SwapElements(1, 2);
  EXPECT_EQ(refused(sent, "does not vouch"), Code::untrusted);
}

TEST_F(KsnVerifier, refuses_a_changed_path_and_a_changed_leaf) {
  auto sent = reply(5, true);
  (*sent.mutable_answers(2)->mutable_path())[40] ^= 1;
  EXPECT_EQ(refused(sent, "answer 2 is not what its head vouches for"), Code::untrusted);
  sent = reply(5, true);
  sent.mutable_answers(2)->set_leaf(3);
  EXPECT_EQ(refused(sent, "answer 2 is not"), Code::untrusted);
  sent = reply(5, true);
  sent.mutable_answers(2)->mutable_path()->resize(64);
  EXPECT_EQ(refused(sent, "answer 2: an inclusion proof of 64 bytes"), Code::invalid);
  sent = reply(5);
  sent.mutable_answers(2)->set_leaf(4);
  EXPECT_EQ(refused(sent, "is said to be leaf 4, but is 2"), Code::invalid);
}

TEST_F(KsnVerifier, refuses_a_changed_head_signature_or_key) {
  auto sent = reply(5);
  v1::Head changed;
  ASSERT_TRUE(changed.ParseFromString(sent.heads(0).head()));
  changed.set_issued(kNow + 1);
  sent.mutable_heads(0)->set_head(changed.SerializeAsString());
  EXPECT_EQ(refused(sent, "head 0: has a wrong signature"), Code::untrusted);
  sent = reply(5);
  ASSERT_TRUE(verifier_.verify(sent, kNow));  // also when the true one was seen before
  (*sent.mutable_heads(0)->mutable_signature())[10] ^= 1;
  EXPECT_EQ(refused(sent, "wrong signature"), Code::untrusted);
  sent = reply(5);
  sent.mutable_heads(0)->set_keyid(stranger_.public_key().key_id());
  EXPECT_EQ(refused(sent, "wrong signature"), Code::untrusted);
  sent.mutable_heads(0)->set_keyid("0123456789abcdef0123");
  EXPECT_EQ(refused(sent, "key 0123456789abcdef, which is none of the provider's"), Code::untrusted);
  sent.mutable_heads(0)->set_head("\xff");
  EXPECT_EQ(refused(sent, "head 0 is malformed"), Code::invalid);
}

TEST_F(KsnVerifier, refuses_another_ksn_and_a_head_from_the_future) {
  auto other = head();
  other.set_ksn("other");
  EXPECT_EQ(refused(reply(2, false, other), "private KSN \"other\", not of \"example\""), Code::untrusted);
  other = head();
  other.set_private_ksn(false);
  EXPECT_EQ(refused(reply(2, false, other), "global KSN"), Code::untrusted);
  other = head();
  other.set_issued(kNow + kClockSkewSeconds);
  EXPECT_TRUE(verifier_.verify(reply(2, false, other), kNow));
  other.set_issued(kNow + kClockSkewSeconds + 1);
  EXPECT_EQ(refused(reply(2, false, other), "301 seconds in the future"), Code::untrusted);
}

TEST_F(KsnVerifier, refuses_a_root_of_the_wrong_size_and_absurd_numbers) {
  auto sent = reply(2);
  v1::Head bad = head();
  bad.set_root("short"), bad.set_leaves(2);
  *sent.mutable_heads(0) = sign_head(bad, key_).value();
  EXPECT_EQ(refused(sent, "no usable root"), Code::invalid);
  bad.set_root(std::string(32, 'r')), bad.set_leaves(~std::uint64_t{0});
  *sent.mutable_heads(0) = sign_head(bad, key_).value();
  EXPECT_EQ(refused(sent, "no usable root"), Code::invalid);
  sent = reply(2);
  sent.mutable_answers(1)->set_head(1);
  EXPECT_EQ(refused(sent, "answer 1 names head 1 of 1"), Code::invalid);
}

TEST_F(KsnVerifier, keeps_the_limits) {
  EXPECT_EQ(refused(reply(1001), "1001 answers"), Code::too_large);
  v1::AskReply heads = reply(1);
  for (int i = 0; i < 1000; ++i) *heads.add_heads() = heads.heads(0);
  EXPECT_EQ(refused(heads, "1001 heads"), Code::too_large);
  const auto with = [&](auto change) { return reply(1, false, head(), change); };
  EXPECT_EQ(refused(with([](v1::Record& r) { r.mutable_facts()->set_threat(std::string(257, 't')); }), "256 bytes"), Code::too_large);
  EXPECT_EQ(refused(with([](v1::Record& r) { r.set_asked("abc"); }), "a digest of 3 bytes"), Code::invalid);
  EXPECT_EQ(refused(with([](v1::Record& r) { r.set_asked(std::string(33, 'a')); }), "a digest of 33 bytes"), Code::invalid);
  EXPECT_EQ(refused(with([](v1::Record& r) { r.set_kind(static_cast<v1::ObjectKind>(9)); }), "kind 9"), Code::invalid);
  EXPECT_EQ(refused(with([](v1::Record& r) { r.mutable_facts()->set_verdict(static_cast<v1::Verdict>(7)); }), "verdict 7"), Code::invalid);
  EXPECT_EQ(refused(with([](v1::Record& r) { for (int i = 0; i < 11; ++i) r.mutable_facts()->add_countries("DE"); }), "10 countries"), Code::too_large);
  EXPECT_EQ(refused(with([](v1::Record& r) { r.mutable_facts()->add_countries("Germany"); }), "two letters"), Code::invalid);
  EXPECT_EQ(refused(with([](v1::Record& r) { r.add_found()->set_digest(r.asked()); }), "full digest"), Code::invalid);
  EXPECT_EQ(refused(with([](v1::Record& r) { r.set_asked("abcd"), r.add_found()->set_digest(std::string(32, 'x')); }), "not under its prefix"), Code::invalid);
  EXPECT_EQ(refused(with([](v1::Record& r) {
              r.set_asked("xxxx");
              for (int i = 0; i < 1001; ++i) r.add_found()->set_digest(std::string(32, 'x'));
            }),
            "more than 1000 objects"),
            Code::too_large);
  auto garbled = reply(1);
  garbled.mutable_answers(0)->set_record("\xff\xff");
  EXPECT_EQ(refused(garbled, "answer 0 holds no record"), Code::invalid);
}

TEST_F(KsnVerifier, remembers_a_bounded_number_of_heads) {
  for (int i = 0; i < 1100; ++i) {  // more than it remembers, twice round
    auto of = head();
    of.set_issued(kNow - i);
    const auto sent = reply(1, false, of);
    ASSERT_TRUE(verifier_.verify(sent, kNow));
    ASSERT_TRUE(verifier_.verify(sent, kNow));
  }
}

TEST(KsnFreshness, ends_after_the_records_own_time_to_live) {
  v1::Record record;
  record.set_asked(std::string(32, 'a'));
  record.mutable_facts()->set_ttl_seconds(60);
  record.set_ttl_seconds(7);
  EXPECT_EQ(fresh_until(record, 1000), 1060);
  record.set_asked("abcd");
  EXPECT_EQ(fresh_until(record, 1000), 1007);
  record.set_ttl_seconds(~0u);
  EXPECT_EQ(fresh_until(record, 1000), 1000 + std::int64_t{kMostTtlSeconds});
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(fresh_until(record, most), most);
}

TEST(KsnFreshness, lets_nobody_repeat_an_answer_that_has_no_time_to_live) {
  v1::Record record;
  record.set_asked(std::string(32, 'a'));
  record.set_ttl_seconds(7);  // counts for prefixes only
  EXPECT_EQ(fresh_until(record, 1000), 1000);
  EXPECT_EQ(repeatable_until(record, 1000), 0);
  record.mutable_facts()->set_ttl_seconds(60);
  EXPECT_EQ(repeatable_until(record, 1000), 1060);
  record.set_asked("abcd");
  EXPECT_EQ(repeatable_until(record, 1000), 1007);
  record.set_ttl_seconds(0);
  EXPECT_EQ(repeatable_until(record, 1000), 0);
}

}  // namespace
}  // namespace picket::ksn
