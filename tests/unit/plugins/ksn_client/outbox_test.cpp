#include "outbox.hpp"

#include <gmock/gmock.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "gate.hpp"
#include "support/server_process.hpp"

namespace ksn_client {
namespace {

constexpr std::int64_t kToday = 1'800'000'000;

struct KsnOutbox : testing::Test {
  std::map<std::string, std::string, std::less<>> kept;
  Keep keep{[this](std::string_view key) -> std::optional<std::string> {
              const auto found = kept.find(key);
              return found == kept.end() ? std::nullopt : std::optional(found->second);
            },
            [this](std::string_view key, std::string_view value) {
              kept[std::string(key)] = value;
              return true;
            }};
  std::string told;
  picket::support::ServerFolder folder;
  static Outbox::Limits limits() { return {true, std::chrono::hours(24), {"executable"}, 1 << 20, 8 << 20}; }
  std::unique_ptr<Outbox> make(std::int64_t now = kToday) {
    auto out = std::make_unique<Outbox>(keep, told);
    out->use(limits(), {}, now);
    return out;
  }
  std::string write(const std::string& name, const std::string& bytes) {
    EXPECT_TRUE(picket::write_file_atomic(folder / name, bytes));
    return *picket::from_hex(picket::sha256_hex(bytes));
  }
  static v1::Wish wish_for(const std::string& digest) {
    v1::Wish wish;
    wish.set_digest(digest);
    return wish;
  }
};

TEST_F(KsnOutbox, statistics_are_differences_and_the_same_message_until_it_was_taken) {
  auto outbox = make();
  outbox->counted({{"files", 5}}, kToday + 3600);
  EXPECT_FALSE(outbox->next(true, true, kToday + 3600)) << "not yet time";
  outbox->counted({{"files", 10}}, kToday + 86400);
  outbox->counted({{"files", 10}}, kToday + 2 * 86400);  // nothing happened: nothing to say
  outbox->counted({{"files", 12}, {"software", 1}}, kToday + 3 * 86400);
  const auto first = outbox->next(true, true, kToday);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->statistics.counters().at("files"), 10U);
  EXPECT_EQ(first->statistics.from(), kToday);
  EXPECT_EQ(first->statistics.to(), kToday + 86400);
  EXPECT_EQ(outbox->next(true, true, kToday)->statistics.id(), first->statistics.id());
  outbox = make(kToday + 3 * 86400);
  EXPECT_EQ(outbox->next(true, true, kToday)->statistics.id(), first->statistics.id()) << "over a restart too";
  EXPECT_FALSE(outbox->next(false, true, kToday)) << "directives";
  outbox->sent(*first, nullptr, kToday);
  const auto second = outbox->next(true, true, kToday);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->statistics.counters().at("files"), 2U);
  outbox->given_up(*second);
  EXPECT_FALSE(outbox->next(true, true, kToday));
}

TEST_F(KsnOutbox, what_was_counted_before_a_restart_belongs_to_the_period) {
  auto outbox = make();
  outbox->keep_counted({{"files", 5}});
  outbox = make(kToday + 3600);
  outbox->keep_counted({{"files", 2}, {"software", 1}});
  outbox = make(kToday + 86400);
  outbox->counted({}, kToday + 86400);  // it was off when the period ended
  const auto message = outbox->next(true, true, kToday + 86400);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->statistics.counters().at("files"), 7U);
  EXPECT_EQ(message->statistics.counters().at("software"), 1U);
  outbox->sent(*message, nullptr, kToday + 86400);
  outbox = make(kToday + 2 * 86400);
  outbox->counted({}, kToday + 2 * 86400);
  EXPECT_FALSE(outbox->next(true, true, kToday + 2 * 86400)) << "never twice";
  outbox->keep_counted({{"files", 3}});
  outbox->clear();
  EXPECT_EQ(kept["outbox"].find("files"), std::string::npos) << "thrown away with the rest";
  auto basic = limits();
  basic.extended = false;
  outbox->use(basic, {}, kToday);
  outbox->keep_counted({{"files", 9}});
  EXPECT_EQ(kept["outbox"].find("files"), std::string::npos) << "basic mode counts for nobody";
}

TEST_F(KsnOutbox, what_was_counted_outside_of_extended_mode_is_in_no_statistics) {
  auto outbox = std::make_unique<Outbox>(keep, told);
  outbox->keep_counted({{"files", 3}});
  outbox->use(limits(), {{"files", 5}}, kToday);
  outbox->counted({{"files", 7}}, kToday + 3600);
  EXPECT_EQ(outbox->clear(), 0U) << "nothing waited to be sent, but what was counted is gone as well";
  outbox->counted({{"files", 90}}, kToday + 9 * 86400);
  EXPECT_FALSE(outbox->next(true, true, kToday + 9 * 86400));
  outbox->use(limits(), {{"files", 100}}, kToday + 10 * 86400);
  outbox->counted({{"files", 101}}, kToday + 11 * 86400);
  const auto message = outbox->next(true, true, kToday + 11 * 86400);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->statistics.counters().at("files"), 1U);
  EXPECT_EQ(message->statistics.from(), kToday + 10 * 86400);
  auto basic = limits();
  basic.extended = false;
  outbox->use(basic, {{"files", 102}}, kToday + 11 * 86400);
  EXPECT_EQ(outbox->waiting(), 0U);
  EXPECT_EQ(make(kToday + 12 * 86400)->waiting(), 0U) << "not on the disk either";
}

TEST_F(KsnOutbox, a_record_of_counts_without_consent_is_thrown_away) {
  make()->keep_counted({{"files", 5}});
  ASSERT_NE(kept["outbox"].find("files"), std::string::npos);
  Outbox outbox(keep, told);
  auto off = limits();
  off.extended = false;
  outbox.use(off, {}, kToday);
  EXPECT_EQ(kept["outbox"].find("files"), std::string::npos);
}

TEST_F(KsnOutbox, a_crash_loses_what_was_counted_in_ten_minutes_at_most) {
  auto outbox = make();
  outbox->counted({{"files", 4}}, kToday + Outbox::kKeepSeconds - 1);
  EXPECT_EQ(kept.count("outbox"), 0U) << "the disk is not written all the time";
  EXPECT_EQ(outbox->counts_at(), kToday + Outbox::kKeepSeconds);
  outbox->counted({{"files", 5}}, kToday + Outbox::kKeepSeconds);
  outbox->counted({{"files", 9}}, kToday + Outbox::kKeepSeconds + 1);
  const auto after_crash = kept;
  outbox.reset();
  kept = after_crash;
  outbox = make(kToday + 86400);
  outbox->counted({{"files", 1}}, kToday + 86400);
  const auto message = outbox->next(true, true, kToday + 86400);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->statistics.counters().at("files"), 6U) << "five before the crash, one after it";
  EXPECT_EQ(message->statistics.from(), kToday);
  EXPECT_EQ(outbox->counts_at(), kToday + 86400 + Outbox::kKeepSeconds);
}

TEST_F(KsnOutbox, goes_on_counting_when_the_clock_is_set_back) {
  auto outbox = make(kToday + 10 * 86400);
  outbox->counted({{"files", 1}}, kToday);
  EXPECT_NE(kept["outbox"].find("files"), std::string::npos);
  outbox->counted({{"files", 2}}, kToday + 86400);
  ASSERT_TRUE(outbox->next(true, true, kToday + 86400));
}

TEST_F(KsnOutbox, what_could_not_be_cleared_on_disk_is_cleared_later) {
  bool full = false;
  const auto store = keep.store;
  keep.store = [&](std::string_view key, std::string_view value) { return !full && store(key, value); };
  auto outbox = make();
  outbox->counted({{"files", 1}}, kToday + 86400);
  full = true;
  EXPECT_EQ(outbox->clear(), 1U);
  full = false;
  outbox->use(limits(), {{"files", 1}}, kToday + 86400);
  outbox->counted({{"files", 1}}, kToday + 86400 + Outbox::kKeepSeconds);
  EXPECT_EQ(make(kToday + 2 * 86400)->waiting(), 0U);
}

TEST_F(KsnOutbox, is_bounded) {
  auto outbox = make();
  for (unsigned i = 1; i <= 100; ++i) outbox->counted({{"files", i}}, kToday + i * 86400);
  EXPECT_EQ(outbox->waiting(), Outbox::kMostStatistics);
  for (unsigned i = 0; i < 1000; ++i) {
    std::string digest(32, 'd');
    digest[0] = static_cast<char>(i);
    digest[1] = static_cast<char>(i >> 8);
    outbox->seen(digest, "/some/path");
    (void)outbox->wish(wish_for(digest));
  }
  EXPECT_EQ(outbox->waiting(), Outbox::kMostStatistics + Outbox::kMostWishes);
  for (unsigned i = 0; i < 20'000; ++i) {
    std::string digest(32, 'e');
    digest[0] = static_cast<char>(i);
    digest[1] = static_cast<char>(i >> 8);
    outbox->seen(digest, "/some/path");
  }
  EXPECT_EQ(outbox->clear(), Outbox::kMostStatistics + Outbox::kMostWishes);
  EXPECT_EQ(outbox->waiting(), 0U);
  EXPECT_EQ(make()->waiting(), 0U);
}

TEST_F(KsnOutbox, what_waits_for_one_ksn_goes_to_no_other) {
  const auto digest = write("program", "\x7f" "ELF program");
  auto outbox = make();
  EXPECT_EQ(outbox->belong_to({"key 1"}), 0U);
  outbox->counted({{"files", 5}}, kToday + 86400);
  outbox->seen(digest, (folder / "program").native());
  ASSERT_TRUE(outbox->wish(wish_for(digest)));
  EXPECT_EQ(outbox->belong_to({"key 1", "key 2"}), 0U) << "a new key for the same KSN";
  outbox = make();
  EXPECT_EQ(outbox->belong_to({"key 2"}), 0U);
  ASSERT_EQ(outbox->waiting(), 2U);
  outbox = make();
  EXPECT_EQ(outbox->belong_to({"key 3"}), 2U) << "it was changed while the client was stopped";
  EXPECT_EQ(outbox->waiting(), 0U);
  EXPECT_FALSE(outbox->wish(wish_for(digest))) << "and is not in use yet";
  outbox->use(limits(), {}, kToday + 86400);
  EXPECT_FALSE(outbox->next(true, true, kToday + 86400));
  EXPECT_FALSE(outbox->wish(wish_for(digest))) << "this one was not asked about it";
  outbox->seen(digest, (folder / "program").native());
  EXPECT_TRUE(outbox->wish(wish_for(digest)));
}

TEST_F(KsnOutbox, what_waits_for_one_ksn_waits_until_another_has_taken_something) {
  const auto digest = write("program", "\x7f" "ELF program");
  auto outbox = make();
  outbox->belong_to({"key 1"});
  outbox->counted({{"files", 5}}, kToday + 86400);
  outbox->seen(digest, (folder / "program").native());
  ASSERT_TRUE(outbox->wish(wish_for(digest)));
  EXPECT_EQ(outbox->belong_to({"key 2"}, {{"files", 7}}), 2U);
  outbox->use(limits(), {{"files", 8}}, kToday + 86400);
  EXPECT_FALSE(outbox->next(true, true, kToday + 86400));
  outbox = make(kToday + 86400);
  EXPECT_EQ(outbox->belong_to({"key 1"}), 0U) << "the settings go back";
  outbox->use(limits(), {}, kToday + 86400);
  EXPECT_EQ(outbox->waiting(), 2U);
  outbox->counted({}, kToday + 2 * 86400);
  const auto first = outbox->next(true, true, kToday + 2 * 86400);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->statistics.counters().at("files"), 5U);
  outbox->sent(*first, nullptr, kToday + 2 * 86400);
  auto second = outbox->next(true, true, kToday + 2 * 86400);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->statistics.counters().at("files"), 2U) << "what was counted for it, and not for the other";

  EXPECT_EQ(outbox->belong_to({"key 3"}), 2U);
  outbox->use(limits(), {}, kToday + 2 * 86400);
  outbox->counted({{"files", 1}}, kToday + 3 * 86400);
  second = outbox->next(true, true, kToday + 3 * 86400);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->statistics.counters().at("files"), 1U);
  outbox->sent(*second, nullptr, kToday + 3 * 86400);
  EXPECT_EQ(outbox->belong_to({"key 1"}), 0U);
  EXPECT_EQ(outbox->waiting(), 0U) << "the other one was in use";
}

TEST_F(KsnOutbox, what_is_put_aside_stays_while_settings_are_tried_that_nothing_comes_of) {
  auto outbox = make();
  outbox->belong_to({"key 1"});
  outbox->counted({{"files", 5}}, kToday + 86400);
  for (const char* tried : {"key 2", "key 3"}) {
    outbox->belong_to({tried});
    outbox->use(limits(), {}, kToday + 86400);
  }
  outbox->belong_to({"key 1"});
  EXPECT_EQ(outbox->waiting(), 1U);
}

TEST_F(KsnOutbox, what_is_put_aside_is_cleared_with_the_rest) {
  auto outbox = make();
  outbox->belong_to({"key 1"});
  outbox->counted({{"files", 5}}, kToday + 86400);
  EXPECT_EQ(outbox->belong_to({"key 2"}), 1U);
  outbox->clear();
  EXPECT_EQ(kept["outbox"].find("key 1"), std::string::npos);
  outbox->belong_to({"key 1"});
  EXPECT_EQ(outbox->waiting(), 0U);
}

TEST_F(KsnOutbox, what_was_on_its_way_when_another_ksn_came_is_void) {
  const auto digest = write("program", "\x7f" "ELF program");
  auto outbox = make();
  const auto wished = [&] {
    outbox->seen(digest, (folder / "program").native());
    return outbox->wish(wish_for(digest));
  };
  outbox->belong_to({"key 1"});
  ASSERT_TRUE(wished());
  const auto message = outbox->next(true, true, kToday);
  ASSERT_TRUE(message);
  EXPECT_FALSE(outbox->is_void(*message));
  EXPECT_EQ(outbox->belong_to({"key 2"}), 1U);
  EXPECT_TRUE(outbox->is_void(*message));
  outbox->use(limits(), {}, kToday);
  ASSERT_TRUE(wished());
  v1::ContentReply has_all;
  has_all.set_complete(true);
  outbox->sent(*message, &has_all, kToday);  // an answer that comes late
  outbox->given_up(*message);
  EXPECT_EQ(outbox->waiting(), 1U) << "what the other one has, this one has not";
}

TEST_F(KsnOutbox, new_settings_count_for_a_file_that_is_being_looked_at) {
  const auto digest = write("program", "\x7f" "ELF" + std::string(100, 'p'));
  std::unique_ptr<Outbox> outbox;
  outbox = std::make_unique<Outbox>(keep, told, [&](std::string_view) { outbox->use(limits(), {}, kToday); });  // said in the middle
  auto small = limits();
  small.most_bytes = 50;
  outbox->use(small, {}, kToday);
  outbox->seen(digest, (folder / "program").native());
  ASSERT_TRUE(outbox->wish(wish_for(digest)));
  const auto message = outbox->next(true, true, kToday);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->content.digest(), digest);
}

TEST(KsnGate, lets_nothing_pass_that_was_thrown_away_on_its_way) {
  auto channel = ksn_channel::Channel::start();
  ASSERT_TRUE(channel);
  Line line(**channel, {});
  Gate gate(line, [](std::string_view) { return std::string(); });
  bool is_void = false;
  const auto post = [&] {
    Result<> result;
    gate.post("statistics", "/ksn/v1/statistics", v1::StatisticsRequest(), std::chrono::seconds(1), {}, [&](Result<> done) { result = std::move(done); }, [&] { return is_void; });
    return result.error();
  };
  EXPECT_EQ(post().code, Code::unavailable) << "no road is named";
  is_void = true;
  EXPECT_EQ(post().code, Code::denied);
}

TEST_F(KsnOutbox, a_wish_is_for_what_was_asked_about_and_is_still_the_same) {
  auto outbox = make();
  const auto digest = write("program", "\x7f""ELF and more");
  EXPECT_FALSE(outbox->wish(wish_for(digest))) << "nobody asked about it";
  outbox->seen(digest, (folder / "program").native());
  EXPECT_TRUE(outbox->wish(wish_for(digest)));
  EXPECT_FALSE(outbox->wish(wish_for(digest))) << "once";
  (void)write("program", "\x7f""ELF but another");
  EXPECT_FALSE(outbox->next(true, true, kToday)) << "it was replaced";
  EXPECT_FALSE(outbox->wish(wish_for(digest))) << "and is not looked at again";
}

TEST_F(KsnOutbox, content_goes_in_parts_from_where_the_other_side_is) {
  auto outbox = make();
  const std::string bytes = "\x7f""ELF" + std::string(1000, 'x');
  const auto digest = write("program", bytes);
  outbox->seen(digest, (folder / "program").native());
  ASSERT_TRUE(outbox->wish(wish_for(digest)));
  auto question = outbox->next(true, true, kToday);
  ASSERT_TRUE(question && question->is_content());
  EXPECT_EQ(question->content.part(), "") << "an empty part asks how much is there";
  v1::ContentReply held;
  held.set_held(600);
  outbox->sent(*question, &held, kToday);
  const auto part = outbox->next(true, true, kToday);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->content.offset(), 600U);
  EXPECT_EQ(part->content.part(), bytes.substr(600));
  outbox->sent(*part, &held, kToday);  // it took nothing
  EXPECT_FALSE(outbox->next(true, true, kToday)) << "never twice the same";
  EXPECT_FALSE(outbox->wish(wish_for(digest)));
}

TEST_F(KsnOutbox, what_goes_next_is_looked_at_without_a_files_bytes) {
  auto outbox = make();
  EXPECT_FALSE(outbox->look(true, true, kToday));
  const std::string bytes = "\x7f""ELF" + std::string(1000, 'x');
  const auto digest = write("program", bytes), gone = write("gone", "\x7f""ELF gone");
  ASSERT_TRUE(picket::remove_file(folder / "gone"));
  for (const auto& [which, name] : {std::pair(gone, "gone"), std::pair(digest, "program")}) {
    outbox->seen(which, (folder / name).native());
    ASSERT_TRUE(outbox->wish(wish_for(which)));
  }
  EXPECT_FALSE(outbox->look(true, false, kToday)) << "not permitted";
  auto shown = outbox->look(true, true, kToday);
  ASSERT_TRUE(shown && shown->is_content());
  EXPECT_EQ(outbox->waiting(), 2U) << "nothing changes";
  auto goes = outbox->next(true, true, kToday);
  ASSERT_TRUE(goes);
  EXPECT_EQ(shown->content.SerializeAsString(), goes->content.SerializeAsString()) << "the question how much is there";
  v1::ContentReply held;
  held.set_held(600);
  outbox->sent(*goes, &held, kToday);
  shown = outbox->look(true, true, kToday);
  goes = outbox->next(true, true, kToday);
  ASSERT_TRUE(shown && goes);
  EXPECT_EQ(shown->content.part(), std::string(bytes.size() - 600, '\0'));
  shown->content.set_part(goes->content.part());
  EXPECT_EQ(shown->content.SerializeAsString(), goes->content.SerializeAsString()) << "but for the bytes it is the same";
}

TEST_F(KsnOutbox, says_why_a_part_of_a_file_that_is_too_large_is_not_sent) {
  std::vector<std::string> warnings;
  Outbox outbox(keep, told, [&](std::string_view text) { warnings.emplace_back(text); });
  auto few = limits();
  few.most_bytes = 64;
  outbox.use(few, {}, kToday);
  const auto wish_for_part = [&](const std::string& name, std::size_t size, std::uint64_t bytes) {
    const auto digest = write(name, "\x7f""ELF" + std::string(size - 4, 'x'));
    outbox.seen(digest, (folder / name).native());
    auto wish = wish_for(digest);
    wish.set_bytes(bytes);
    return outbox.wish(wish) && outbox.look(true, true, kToday).has_value() == outbox.next(true, true, kToday).has_value();
  };
  ASSERT_TRUE(wish_for_part("too_large", 16 * 64 + 64, 10));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], testing::AllOf(testing::HasSubstr("10 bytes of "), testing::HasSubstr("/too_large, which has 1088: "), testing::HasSubstr("content_mb")));
  ASSERT_TRUE(wish_for_part("too_much", 100, 65));
  EXPECT_EQ(warnings.size(), 2U);
  EXPECT_EQ(outbox.waiting(), 0U);
  ASSERT_TRUE(wish_for_part("right", 16 * 64, 64));
  EXPECT_EQ(warnings.size(), 2U);
  EXPECT_EQ(outbox.waiting(), 1U);
}

TEST_F(KsnOutbox, a_part_of_what_was_sent_is_not_sent_again) {
  auto outbox = make();
  const std::string bytes = "\x7f""ELF" + std::string(1000, 'x');
  const auto digest = write("program", bytes);
  outbox->seen(digest, (folder / "program").native());
  const auto send = [&](std::uint64_t first, std::uint64_t count) {
    auto wish = wish_for(digest);
    wish.set_first(first);
    wish.set_bytes(count);
    if (!outbox->wish(wish)) return false;
    v1::ContentReply held;
    const auto question = outbox->next(true, true, kToday);
    outbox->sent(*question, &held, kToday);
    const auto part = outbox->next(true, true, kToday);
    held.set_held(part->content.part().size());
    held.set_complete(true);
    outbox->sent(*part, &held, kToday);
    return true;
  };
  EXPECT_TRUE(send(100, 200));
  EXPECT_FALSE(send(100, 200));
  EXPECT_FALSE(send(150, 150));
  EXPECT_TRUE(send(0, bytes.size())) << "more than before";
  EXPECT_FALSE(send(0, 0)) << "which was all of it";
  EXPECT_FALSE(send(500, 0));
  outbox = make();
  outbox->seen(digest, (folder / "program").native());
  EXPECT_FALSE(send(500, 0)) << "over a restart too";
}

TEST_F(KsnOutbox, a_file_that_changes_while_it_is_sent_is_sent_no_further) {
  auto outbox = make();
  const std::string bytes = "\x7f""ELF" + std::string(3 << 18, 'x');
  const auto digest = write("program", bytes);
  outbox->seen(digest, (folder / "program").native());
  ASSERT_TRUE(outbox->wish(wish_for(digest)));
  auto message = outbox->next(true, true, kToday);
  ASSERT_TRUE(message);
  v1::ContentReply held;
  outbox->sent(*message, &held, kToday);
  (void)write("program", "\x7f""ELF" + std::string(3 << 18, 's'));  // of the same size
  EXPECT_FALSE(outbox->next(true, true, kToday)) << "nobody asked for this one";
}

TEST_F(KsnOutbox, policy_may_change_its_mind) {
  auto outbox = make();
  const auto script = write("script", "#! a script");
  outbox->seen(script, (folder / "script").native());
  ASSERT_TRUE(outbox->wish(wish_for(script)));
  EXPECT_FALSE(outbox->next(true, true, kToday));
  EXPECT_FALSE(outbox->wish(wish_for(script))) << "not looked at again with each wish";
  auto more = limits();
  more.kinds.emplace_back("script");
  outbox->use(more, {}, kToday);
  ASSERT_TRUE(outbox->wish(wish_for(script)));
  const auto message = outbox->next(true, true, kToday);
  ASSERT_TRUE(message);
  v1::ContentReply held;
  outbox->sent(*message, &held, kToday);
  outbox->use(limits(), {}, kToday);
  EXPECT_FALSE(outbox->next(true, true, kToday)) << "allowed no more, in the middle";
}

TEST_F(KsnOutbox, policy_says_which_kinds_and_how_much) {
  auto outbox = make();
  const std::vector<std::string> refused{"#! a script", std::string(100, '\0'), "\x7f""ELF" + std::string((1 << 20) + 1, 'x')};
  for (const auto& bytes : refused) {
    const auto digest = write("file", bytes);
    outbox->seen(digest, (folder / "file").native());
    ASSERT_TRUE(outbox->wish(wish_for(digest)));
    EXPECT_FALSE(outbox->next(true, true, kToday)) << bytes.size();
  }
  auto wish = wish_for(write("file", "\x7f""ELF is no document"));
  wish.set_type("document");
  outbox->seen(wish.digest(), (folder / "file").native());
  ASSERT_TRUE(outbox->wish(wish));
  EXPECT_FALSE(outbox->next(true, true, kToday)) << "KSN wanted another kind";
}

TEST_F(KsnOutbox, a_record_that_cannot_be_read_is_dropped_with_one_line) {
  for (const char* bad : {"", "{", "[]", "{}", R"({"statistics":1})", R"({"statistics":[],"wishes":[{"digest":5}],"done":[]})"}) {
    kept["outbox"] = bad;
    told.clear();
    EXPECT_EQ(make()->waiting(), 0U);
    EXPECT_FALSE(told.empty()) << bad;
    EXPECT_EQ(told.find('\n'), std::string::npos);
  }
}

TEST(KsnContentKind, goes_by_the_first_bytes) {
  using namespace std::string_view_literals;
  EXPECT_EQ(kind_of_content("\x7f""ELF"), "executable");
  EXPECT_EQ(kind_of_content("MZ"), "executable");
  EXPECT_EQ(kind_of_content("#!/bin/sh"), "script");
  EXPECT_EQ(kind_of_content("%PDF-1.7"), "document");
  EXPECT_EQ(kind_of_content("PK\3\4 anything"sv), "archive");
  EXPECT_EQ(kind_of_content("PK\3\4 ... [Content_Types].xml"sv), "document");
  EXPECT_EQ(kind_of_content("\x1f\x8b"), "archive");
  EXPECT_EQ(kind_of_content("plain text"), "");
  EXPECT_EQ(kind_of_content(""), "");
}

}  // namespace
}  // namespace ksn_client
