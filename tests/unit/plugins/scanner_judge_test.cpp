// The rule of decision, over everything that can be known of a file.
#include "judge.hpp"

#include <gtest/gtest.h>

using namespace scanner;
using picket::digests::Verdict;

namespace {

constexpr Ksn kAll[] = {Ksn::not_asked, Ksn::unanswered, Ksn::unknown, Ksn::trusted, Ksn::abusable, Ksn::untrusted};

TEST(Judge, trusts_the_databases_word_without_asking) {
  for (const bool rules : {false, true})
    for (const auto ksn : kAll) {
      const auto trusted = judge({rules, Verdict::trusted, false, ksn});
      EXPECT_EQ(trusted.cleared, By::database);
      EXPECT_FALSE(trusted.rules || trusted.suspected || trusted.alarm != By::nobody);
      const auto untrusted = judge({rules, Verdict::untrusted, false, ksn});
      EXPECT_EQ(untrusted.alarm, By::database);
      EXPECT_EQ(untrusted.rules, rules);
      EXPECT_FALSE(is_question({rules, Verdict::trusted, false, ksn}));
      EXPECT_FALSE(is_question({rules, Verdict::untrusted, false, ksn}));
    }
}

TEST(Judge, asks_ksn_only_about_what_alarms_or_may_alarm) {
  EXPECT_FALSE(is_question({}));
  EXPECT_FALSE(is_question({false, Verdict::abusable, false, Ksn::not_asked}));
  EXPECT_TRUE(is_question({true, Verdict::unknown, false, Ksn::not_asked}));
  EXPECT_TRUE(is_question({true, Verdict::abusable, false, Ksn::not_asked}));
  EXPECT_TRUE(is_question({false, Verdict::unknown, true, Ksn::not_asked}));
}

TEST(Judge, lets_ksn_clear_and_alarm) {
  for (const bool rules : {false, true})
    for (const bool filter : {false, true}) {
      if (!rules && !filter) continue;
      const auto trusted = judge({rules, Verdict::unknown, filter, Ksn::trusted});
      EXPECT_EQ(trusted.cleared, By::ksn);
      EXPECT_FALSE(trusted.rules || trusted.suspected || trusted.alarm != By::nobody);
      const auto untrusted = judge({rules, Verdict::unknown, filter, Ksn::untrusted});
      EXPECT_EQ(untrusted.alarm, By::ksn);
      EXPECT_EQ(untrusted.rules, rules);
      EXPECT_FALSE(untrusted.suspected);
    }
}

TEST(Judge, takes_a_hit_that_ksn_denies_for_nothing_and_lets_a_rule_stand) {
  for (const auto ksn : {Ksn::unknown, Ksn::abusable}) {
    const auto hit = judge({false, Verdict::unknown, true, ksn});
    EXPECT_FALSE(hit.rules || hit.suspected || hit.alarm != By::nobody || hit.cleared != By::nobody);
    EXPECT_TRUE(judge({true, Verdict::unknown, true, ksn}).rules);
    EXPECT_FALSE(judge({true, Verdict::unknown, true, ksn}).suspected);
  }
}

TEST(Judge, only_suspects_what_nobody_confirms) {
  for (const auto ksn : {Ksn::not_asked, Ksn::unanswered}) {
    const auto hit = judge({false, Verdict::unknown, true, ksn});
    EXPECT_TRUE(hit.suspected);
    EXPECT_EQ(hit.alarm, By::nobody);
    const auto with_rule = judge({true, Verdict::unknown, true, ksn});
    EXPECT_TRUE(with_rule.rules);
    EXPECT_FALSE(with_rule.suspected) << "the rule's alarm says it already";
    EXPECT_FALSE(judge({false, Verdict::unknown, false, ksn}).suspected);
  }
}

}  // namespace
