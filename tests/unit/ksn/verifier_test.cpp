#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <limits>

#include "base/bytes.hpp"
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
  std::deque<std::string> digests_;
  std::vector<Question> asked_;  // of the last reply

  static v1::Facts facts(int n) {
    v1::Facts out;
    out.set_verdict(n % 2 ? v1::VERDICT_UNTRUSTED : v1::VERDICT_TRUSTED);
    out.set_threat("threat " + std::to_string(n));
    out.set_ttl_seconds(60);
    return out;
  }
  void asks(std::string asked, v1::ObjectKind kind = v1::OBJECT_FILE) { asked_.push_back({kind, digests_.emplace_back(std::move(asked))}); }
  v1::AskReply sealed(v1::AskReply reply, bool each = false, std::int64_t issued = kNow, std::string_view ksn = "example", bool private_ksn = true) const {
    EXPECT_TRUE(seal(reply, asked_, ksn, private_ksn, issued, key_, each));
    return reply;
  }
  v1::AskReply unsealed(int count) {
    asked_.clear();
    v1::AskReply out;
    for (int i = 0; i < count; ++i) {
      asks(std::string(30, 'd') + static_cast<char>(i >> 8) + static_cast<char>(i));
      out.add_answers()->set_said(facts(i).SerializeAsString());
    }
    return out;
  }
  // As a service answers who asks for itself.
  v1::AskReply whole(int count) { return sealed(unsealed(count)); }
  // As a proxy hands them on.
  v1::AskReply each(int count) {
    auto out = sealed(unsealed(count), true);
    out.clear_seal();
    return out;
  }
  Code refused(const v1::AskReply& reply, std::string_view text) {
    const auto result = verifier_.verify(reply, asked_, kNow);
    if (result) {
      ADD_FAILURE() << "was accepted, expected: " << text;
      return Code::internal;
    }
    EXPECT_NE(result.error().message.find(text), std::string::npos) << result.error().message;
    return result.error().code;
  }
};

TEST_F(KsnVerifier, accepts_a_reply_sealed_as_a_whole_and_each_answer_by_itself) {
  for (const int count : {1, 2, 100, 1000}) {
    for (const auto& sent : {whole(count), each(count), sealed(unsealed(count), true)}) {
      const auto proven = verifier_.verify(sent, asked_, kNow);
      ASSERT_TRUE(proven) << proven.error().message;
      ASSERT_EQ(proven->size(), static_cast<std::size_t>(count));
      for (std::size_t i = 0; i < proven->size(); ++i) {
        EXPECT_EQ((*proven)[i].said, sent.answers(static_cast<int>(i)).said());
        EXPECT_EQ((*proven)[i].signer, 1u);  // of the verifier's keys
        EXPECT_EQ((*proven)[i].issued, kNow);
        EXPECT_EQ((*proven)[i].repeatable_until, kNow + 60);
      }
    }
  }
  asked_.clear();
  EXPECT_TRUE(verifier_.verify(v1::AskReply(), asked_, kNow).value().empty());
}

TEST_F(KsnVerifier, accepts_what_a_proxy_repeats_of_several_replies_and_keys) {
  auto mixed = each(3);
  auto asked = asked_;
  asked_ = {asked[1]};
  v1::AskReply other;
  *other.add_answers() = mixed.answers(1);
  ASSERT_TRUE(seal(other, asked_, "example", true, kNow - 30, stranger_, true));
  *mixed.mutable_answers(1) = other.answers(0);
  *mixed.add_signers() = other.signers(0);
  mixed.mutable_answers(1)->mutable_seal()->set_signer(1);
  asked_ = asked;
  const auto proven = verifier_.verify(mixed, asked_, kNow);
  ASSERT_TRUE(proven) << proven.error().message;
  EXPECT_EQ((*proven)[0].signer, 1u);
  EXPECT_EQ((*proven)[1].signer, 0u);
  EXPECT_EQ((*proven)[1].issued, kNow - 30);
}

TEST_F(KsnVerifier, names_its_signers_as_replies_do) {
  const auto sent = whole(1);
  ASSERT_EQ(verifier_.signers().size(), 2u);
  EXPECT_EQ(verifier_.signers()[1].SerializeAsString(), sent.signers(0).SerializeAsString());
}

TEST_F(KsnVerifier, refuses_a_changed_answer) {
  auto sent = whole(5);
  sent.mutable_answers(3)->set_said(facts(4).SerializeAsString());
  EXPECT_EQ(refused(sent, "reply: has a wrong signature"), Code::untrusted);
  sent = each(5);
  sent.mutable_answers(3)->set_said(facts(4).SerializeAsString());
  EXPECT_EQ(refused(sent, "answer 3 has a wrong signature"), Code::untrusted);
}

TEST_F(KsnVerifier, refuses_an_honest_answer_to_another_question) {
  for (const bool by_itself : {false, true}) {
    const auto sent = by_itself ? each(5) : whole(5);
    asked_[2].kind = v1::OBJECT_SOFTWARE;
    EXPECT_EQ(refused(sent, "wrong signature"), Code::untrusted);
    asked_[2] = {v1::OBJECT_FILE, asked_[3].asked};
    EXPECT_EQ(refused(sent, "wrong signature"), Code::untrusted);
    auto swapped = by_itself ? each(5) : whole(5);
    swapped.mutable_answers()->SwapElements(1, 3);  // both say "untrusted"
    EXPECT_EQ(refused(swapped, "wrong signature"), Code::untrusted);
  }
  // What is said of a prefix does not count for another one that begins alike.
  asked_.clear();
  asks("abcde");
  v1::AskReply reply;
  reply.add_answers();
  const auto sent = sealed(reply, true);
  asked_[0].asked = asked_[0].asked.substr(0, 4);
  EXPECT_EQ(refused(sent, "wrong signature"), Code::untrusted);
}

TEST_F(KsnVerifier, refuses_a_left_out_and_a_doubled_answer) {
  for (const bool by_itself : {false, true}) {
    auto sent = by_itself ? each(5) : whole(5);
    sent.mutable_answers()->RemoveLast();
    EXPECT_EQ(refused(sent, "4 answers to 5 questions"), Code::untrusted);
    asked_.pop_back();
    if (!by_itself) EXPECT_EQ(refused(sent, "wrong signature"), Code::untrusted);
    *sent.add_answers() = sent.answers(0);
    EXPECT_EQ(refused(sent, "5 answers to 4 questions"), Code::untrusted);
  }
}

TEST_F(KsnVerifier, refuses_a_changed_seal) {
  for (const bool by_itself : {false, true}) {
    const auto good = by_itself ? each(5) : whole(5);
    const auto with = [&](std::function<void(v1::Seal&)> change) {
      auto out = good;
      change(by_itself ? *out.mutable_answers(2)->mutable_seal() : *out.mutable_seal());
      return out;
    };
    const std::string where = by_itself ? "answer 2" : "reply";
    EXPECT_EQ(refused(with([](auto& seal) { seal.set_issued(kNow + 1); }), "wrong signature"), Code::untrusted);
    EXPECT_EQ(refused(with([](auto& seal) { (*seal.mutable_signature())[10] ^= 1; }), "wrong signature"), Code::untrusted);
    EXPECT_EQ(refused(with([](auto& seal) { seal.clear_signature(); }), "wrong signature"), Code::untrusted);
    EXPECT_EQ(refused(with([](auto& seal) { seal.set_signature(std::string(1025, 's')); }), "more than 1024 bytes"), Code::too_large);
    EXPECT_EQ(refused(with([](auto& seal) { seal.set_signer(1); }), "is sealed by signer 1 of 1"), Code::invalid);
    auto key = good;
    key.mutable_signers(0)->set_keyid(stranger_.public_key().key_id());
    EXPECT_EQ(refused(key, "wrong signature"), Code::untrusted);
    key.mutable_signers(0)->set_keyid("0123456789abcdef0123");
    EXPECT_EQ(refused(key, "key 0123456789abcdef, which is none of the provider's"), Code::untrusted);
  }
}

TEST_F(KsnVerifier, takes_no_seal_for_another_kind_of_seal) {
  // The reply's signature as the only answer's, and the other way round.
  auto sent = sealed(unsealed(1), true);
  const auto of_answer = sent.answers(0).seal(), of_reply = sent.seal();
  auto by_itself = sent;
  by_itself.clear_seal();
  *by_itself.mutable_answers(0)->mutable_seal() = of_reply;
  EXPECT_EQ(refused(by_itself, "wrong signature"), Code::untrusted);
  *sent.mutable_seal() = of_answer;
  EXPECT_EQ(refused(sent, "wrong signature"), Code::untrusted);
}

TEST_F(KsnVerifier, lets_the_seal_of_a_reply_vouch_for_those_of_its_answers) {
  // Who hands answers on need not check each seal: the reply's covers them.
  const auto good = sealed(unsealed(3), true);
  auto sent = good;
  (*sent.mutable_answers(1)->mutable_seal()->mutable_signature())[5] ^= 1;
  EXPECT_EQ(refused(sent, "reply: has a wrong signature"), Code::untrusted);
  sent = good;
  sent.mutable_answers(1)->clear_seal();
  EXPECT_EQ(refused(sent, "reply: has a wrong signature"), Code::untrusted);
  sent = good;
  sent.mutable_answers(1)->mutable_seal()->set_issued(kNow - 1);
  EXPECT_EQ(refused(sent, "answer 1 has a seal of its own by another signer or of another time"), Code::invalid);
  sent = good;
  *sent.add_signers() = sent.signers(0);
  sent.mutable_answers(1)->mutable_seal()->set_signer(1);
  EXPECT_EQ(refused(sent, "another signer"), Code::invalid);
}

// A liar without the key lets the KSN answer questions of its own choice: the first one that it is asked, others, and a digest in which stands what it
// would say to the second one. What lies between, 65536 bytes, is then the "signature" of the first answer.
TEST_F(KsnVerifier, takes_honest_answers_in_no_other_cut) {
  using namespace std::string_literals;
  const std::string first(32, 'q'), prefix = "pppp";
  const std::string nothing_is_there = "\x01\x04"s + prefix + "\0\0\0\0"s;  // kind, length, what is asked, length of `said`
  const auto answer = [](std::size_t bytes) {
    v1::Facts out;
    out.set_verdict(v1::VERDICT_TRUSTED);
    out.set_threat(std::string(bytes - 4, 't'));
    return out.SerializeAsString();
  };
  v1::AskReply honest;
  asks(first);
  *honest.add_answers()->mutable_said() = answer(60);
  for (int i = 0; i < 434; ++i) {  // 151 bytes each, of which 40 are not said; two more begin the last one
    asks(std::string(32, 'd'));
    *honest.add_answers()->mutable_said() = answer(111);
  }
  const std::string rest = std::string(20, 'r') + "\0\0\0\x3c"s + answer(60) + "\0\0"s;
  asks(nothing_is_there + "\0"s + static_cast<char>(rest.size()) + rest.substr(0, 20));
  *honest.add_answers()->mutable_said() = answer(60);
  honest = sealed(honest);
  ASSERT_TRUE(verifier_.verify(honest, asked_, kNow));

  std::string between;
  for (int i = 1; i <= 434; ++i) between += cat("\x01\x20", asked_[static_cast<std::size_t>(i)].asked, "\0\0\0\x6f"s, honest.answers(i).said(), "\0\0"s);
  between += "\x01\x20";
  ASSERT_EQ(between.size(), 65536u);
  v1::AskReply lie;
  *lie.mutable_signers() = honest.signers();
  *lie.mutable_seal() = honest.seal();
  *lie.add_answers() = honest.answers(0);
  lie.mutable_answers(0)->mutable_seal()->set_signature(between);
  lie.add_answers()->mutable_seal()->set_signature(rest);
  for (auto& one : *lie.mutable_answers()) one.mutable_seal()->set_issued(kNow);
  asked_.clear();
  asks(first);
  asks(prefix);
  EXPECT_EQ(refused(lie, "answer 0 has a signature of more than 1024 bytes"), Code::too_large);
}

TEST_F(KsnVerifier, refuses_an_answer_without_a_seal) {
  auto sent = each(3);
  sent.mutable_answers(2)->clear_seal();
  EXPECT_EQ(refused(sent, "answer 2 is not sealed"), Code::untrusted);
  EXPECT_EQ(refused(unsealed(1), "answer 0 is not sealed"), Code::untrusted);
}

TEST_F(KsnVerifier, refuses_another_ksn_and_answers_of_another_time) {
  for (const bool by_itself : {false, true}) {
    const auto of = [&](std::int64_t issued, std::string_view ksn = "example", bool private_ksn = true) {
      auto out = sealed(unsealed(2), by_itself, issued, ksn, private_ksn);
      if (by_itself) out.clear_seal();
      return out;
    };
    EXPECT_EQ(refused(of(kNow, "other"), "private KSN \"other\", not of \"example\""), Code::untrusted);
    EXPECT_EQ(refused(of(kNow, "example", false), "global KSN"), Code::untrusted);
    // Another name put over it is signed as well.
    auto renamed = of(kNow, "other");
    renamed.mutable_signers(0)->set_ksn("example");
    EXPECT_EQ(refused(renamed, "wrong signature"), Code::untrusted);
    EXPECT_TRUE(verifier_.verify(of(kNow + kClockSkewSeconds), asked_, kNow));
    EXPECT_EQ(refused(of(kNow + kClockSkewSeconds + 1), "301 seconds in the future"), Code::untrusted);
    EXPECT_TRUE(verifier_.verify(of(kNow - 60 - kClockSkewSeconds), asked_, kNow));
    EXPECT_EQ(refused(of(kNow - 60 - kClockSkewSeconds - 1), "answer 0 is out of date by 301 s"), Code::expired);
    EXPECT_EQ(refused(of(std::numeric_limits<std::int64_t>::min()), "answer 0 is out of date by 1800000000 s"), Code::expired);
    EXPECT_EQ(refused(of(std::numeric_limits<std::int64_t>::max()), "seconds in the future"), Code::untrusted);
  }
}

TEST_F(KsnVerifier, keeps_the_limits) {
  EXPECT_EQ(refused(whole(1001), "1001 answers"), Code::too_large);
  auto signers = whole(1);
  for (std::size_t i = 0; i < kMostSigners; ++i) *signers.add_signers() = signers.signers(0);
  EXPECT_EQ(refused(signers, "17 signers"), Code::too_large);
  const auto with = [&](auto change) {
    asked_.clear();
    asks(std::string(32, 'd'));
    auto one = facts(1);
    change(one);
    v1::AskReply reply;
    reply.add_answers()->set_said(one.SerializeAsString());
    return sealed(reply);
  };
  EXPECT_EQ(refused(with([](v1::Facts& facts) { facts.set_threat(std::string(257, 't')); }), "256 bytes"), Code::too_large);
  EXPECT_EQ(refused(with([](v1::Facts& facts) { facts.set_verdict(static_cast<v1::Verdict>(7)); }), "verdict 7"), Code::invalid);
  EXPECT_EQ(refused(with([](v1::Facts& facts) { for (int i = 0; i < 11; ++i) facts.add_countries("DE"); }), "10 countries"), Code::too_large);
  EXPECT_EQ(refused(with([](v1::Facts& facts) { facts.add_countries("Germany"); }), "two letters"), Code::invalid);
  const auto under = [&](std::string prefix, int count, char of) {
    asked_.clear();
    asks(std::move(prefix));
    v1::UnderPrefix list;
    for (int i = 0; i < count; ++i) list.add_found()->set_digest(std::string(32, of));
    v1::AskReply reply;
    reply.add_answers()->set_said(list.SerializeAsString());
    return sealed(reply);
  };
  EXPECT_EQ(refused(under("abcd", 1, 'x'), "not under its prefix"), Code::invalid);
  EXPECT_EQ(refused(under("xxxx", 1001, 'x'), "more than 1000 objects"), Code::too_large);
  EXPECT_TRUE(verifier_.verify(under("xxxx", 1000, 'x'), asked_, kNow));
  for (const std::size_t length : {std::size_t{32}, std::size_t{4}}) {
    asked_.clear();
    asks(std::string(length, 'd'));
    v1::AskReply reply;
    reply.add_answers()->set_said("\xff\xff");
    EXPECT_EQ(refused(sealed(reply), length == 32 ? "answer 0: holds no facts" : "answer 0: holds no list"), Code::invalid);
  }
}

TEST(KsnQuestions, are_those_of_the_request_in_order_without_what_is_cut_off) {
  v1::AskRequest request;
  const auto add = [&](v1::ObjectKind kind, std::uint32_t length, std::string digests) {
    auto& group = *request.add_questions();
    group.set_kind(kind);
    group.set_length(length);
    group.set_digests(std::move(digests));
  };
  add(v1::OBJECT_ADDRESS, 4, "aaaabbbbcc");
  add(v1::OBJECT_FILE, 0, "dddd");
  add(v1::OBJECT_FILE, 32, std::string(32, 'e'));
  const auto questions = questions_of(request);
  ASSERT_EQ(questions.size(), 3u);
  EXPECT_EQ(questions[1].asked, "bbbb");
  EXPECT_EQ(questions[1].kind, v1::OBJECT_ADDRESS);
  EXPECT_EQ(questions[2].asked, std::string(32, 'e'));
}

// What answers.hpp says is signed: another implementation must come to the same bytes.
TEST(KsnStatement, is_these_bytes) {
  using namespace std::string_literals;
  Statement statement("KSN", true, 0x0102030405060708);
  const auto who = "\x01\x02\x03\x04\x05\x06\x07\x08"s + "\x01"s + "\x00\x03"s + "KSN";
  EXPECT_EQ(statement.of_answer({v1::OBJECT_SOFTWARE, "abcd"}, "said"), "picket-ksn-answer-v1\n" + who + "\x03\x04" + "abcd" + "said");
  EXPECT_EQ(statement.of_reply("digest"), "picket-ksn-reply-v1\n" + who + "digest");
}

TEST(KsnFreshness, ends_after_the_time_to_live) {
  EXPECT_EQ(fresh_until(60, 1000), 1060);
  EXPECT_EQ(fresh_until(~0u, 1000), 1000 + std::int64_t{kMostTtlSeconds});
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(fresh_until(60, most), most);
}

TEST(KsnFreshness, lets_nobody_repeat_an_answer_that_has_no_time_to_live) {
  EXPECT_EQ(fresh_until(0, 1000), 1000);
  EXPECT_EQ(repeatable_until(0, 1000), 0);
  EXPECT_EQ(repeatable_until(60, 1000), 1060);
}

}  // namespace
}  // namespace picket::ksn
