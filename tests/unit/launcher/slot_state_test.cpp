#include "launcher/slot_state.hpp"

#include <gtest/gtest.h>

namespace picket::launcher {
namespace {

SlotState with_trial() {
  SlotState state;
  EXPECT_TRUE(begin_trial(state, Slot::a, "1-full-0123abcd", "0.2.0"));
  return state;
}

TEST(SlotState, begins_with_the_installed_package) {
  const SlotState state;
  EXPECT_EQ(state.next(), Slot::package);
  EXPECT_EQ(state.free(), Slot::a);
}

TEST(SlotState, a_trial_that_is_confirmed_counts) {
  auto state = with_trial();
  EXPECT_EQ(state.next(), Slot::a);
  EXPECT_EQ(state.confirmed, Slot::package);
  EXPECT_TRUE(count_attempt(state, 3));
  confirm(state);
  EXPECT_EQ(state.next(), Slot::a);
  EXPECT_FALSE(state.trial);
  EXPECT_TRUE(state.of(Slot::a).is_good);
  EXPECT_EQ(state.free(), Slot::b);
}

TEST(SlotState, a_trial_has_its_attempts_and_no_more) {
  auto state = with_trial();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(count_attempt(state, 3));
  EXPECT_FALSE(count_attempt(state, 3));
}

TEST(SlotState, what_is_taken_back_leaves_the_one_before_and_the_reason) {
  auto state = with_trial();
  confirm(state);
  ASSERT_TRUE(begin_trial(state, Slot::b, "2-full-89abcdef", "0.3.0"));
  take_back(state, "it ended\nwith status 3", 1234);
  EXPECT_EQ(state.next(), Slot::a);
  ASSERT_TRUE(state.taken_back);
  EXPECT_EQ(state.taken_back->slot, Slot::b);
  EXPECT_EQ(state.taken_back->set, "2-full-89abcdef");
  EXPECT_EQ(state.taken_back->why, "it ended with status 3");
  EXPECT_FALSE(state.of(Slot::b).is_good);
  // The next trial is about something else.
  ASSERT_TRUE(begin_trial(state, Slot::b, "3-full-00000000", "0.4.0"));
  EXPECT_FALSE(state.taken_back);
}

TEST(SlotState, the_slot_that_counts_is_not_written_nor_tried) {
  auto state = with_trial();
  confirm(state);
  EXPECT_EQ(begin_trial(state, Slot::a, "2-full-89abcdef", "0.3.0").error().code, Code::conflict);
  EXPECT_EQ(begin_trial(state, Slot::package, "2", "0.3.0").error().code, Code::invalid);
  EXPECT_FALSE(state.trial);
}

TEST(SlotState, names_that_do_not_fit_the_file_are_refused) {
  SlotState state;
  for (const char* name : {"", "-", "two words", "new\nline"}) EXPECT_EQ(begin_trial(state, Slot::a, name, "0.2.0").error().code, Code::invalid) << name;
  EXPECT_FALSE(begin_trial(state, Slot::a, "set", std::string(300, 'v')));
  EXPECT_FALSE(state.trial);
}

TEST(SlotState, crashes_count_on_probation_only) {
  auto state = with_trial();
  EXPECT_FALSE(count_crash(state, 1, 100));  // a trial has its attempts
  confirm(state, 1000);
  EXPECT_FALSE(count_crash(state, 3, 100));
  EXPECT_FALSE(count_crash(state, 3, 200));
  const auto again = parse_slots(to_text(state));
  ASSERT_TRUE(again) << again.error().message;
  state = *again;
  EXPECT_EQ(state.probation->crashes, 2u);
  EXPECT_TRUE(count_crash(state, 3, 999));
  state.probation = Probation{1000, 2};
  EXPECT_FALSE(count_crash(state, 3, 1000));
  EXPECT_FALSE(state.probation);
}

TEST(SlotState, what_comes_back_is_on_probation_no_more) {
  auto state = with_trial();
  confirm(state);
  ASSERT_TRUE(begin_trial(state, Slot::b, "2-full-89abcdef", "0.3.0"));
  confirm(state, 1000);
  fall_back(state, "it crashes", 5);
  EXPECT_EQ(state.next(), Slot::a);
  EXPECT_FALSE(state.probation);
  EXPECT_EQ(state.taken_back->set, "2-full-89abcdef");
}

TEST(SlotState, falls_back_to_what_was_good) {
  auto state = with_trial();
  confirm(state);
  ASSERT_TRUE(begin_trial(state, Slot::b, "2-full-89abcdef", "0.3.0"));
  confirm(state);
  fall_back(state, "no such file", 5);
  EXPECT_EQ(state.next(), Slot::a);
  fall_back(state, "no such file", 6);
  EXPECT_EQ(state.next(), Slot::package);
  fall_back(state, "no such file", 7);
  EXPECT_EQ(state.next(), Slot::package);
}

TEST(SlotState, another_package_counts_as_soon_as_it_is_installed) {
  SlotState state;
  EXPECT_FALSE(see_package(state, "100-1"));
  EXPECT_FALSE(see_package(state, "200-2"));  // it counted anyway
  ASSERT_TRUE(begin_trial(state, Slot::a, "1-full-0123abcd", "0.2.0"));
  confirm(state);
  EXPECT_FALSE(see_package(state, "200-2"));
  EXPECT_EQ(state.next(), Slot::a);
  EXPECT_TRUE(see_package(state, "300-3"));
  EXPECT_EQ(state.next(), Slot::package);
}

TEST(SlotState, is_read_as_it_was_written) {
  auto state = with_trial();
  confirm(state, 123456);
  state.package = "100-1.5";
  ASSERT_TRUE(begin_trial(state, Slot::b, "2-full-89abcdef", "0.3.0"));
  ASSERT_TRUE(count_attempt(state, 3));
  const auto text = to_text(state);
  auto again = parse_slots(text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_text(*again), text);
  EXPECT_EQ(again->next(), Slot::b);
  EXPECT_EQ(again->trial->attempts, 1u);
  take_back(*again, "why not", 99);
  const auto back = parse_slots(to_text(*again));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->taken_back->why, "why not");
  EXPECT_EQ(back->taken_back->at, 99);
  EXPECT_EQ(back->next(), Slot::a);
}

TEST(SlotState, every_flipped_bit_and_every_cut_is_found) {
  auto state = with_trial();
  confirm(state);
  ASSERT_TRUE(begin_trial(state, Slot::b, "2-full-89abcdef", "0.3.0"));
  const auto text = to_text(state);
  for (std::size_t at = 0; at < text.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = text;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      EXPECT_FALSE(parse_slots(damaged)) << at << " " << bit;
    }
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_slots(std::string_view(text).substr(0, size))) << size;
  EXPECT_FALSE(parse_slots(text + "x"));
  EXPECT_EQ(parse_slots(std::string(kMaxSlotFile + 1, 'x')).error().code, Code::too_large);
}

}  // namespace
}  // namespace picket::launcher
