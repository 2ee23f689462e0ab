// What waits to be sent: statistics, for whom it is, and what is thrown away when.
#include <boost/json.hpp>

#include "gate.hpp"
#include "outbox_rig.hpp"

namespace ksn_client {
namespace {

namespace json = boost::json;

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

TEST_F(KsnOutbox, keeps_what_waits_while_its_record_cannot_be_read) {
  auto before = make();
  before->belong_to({"a"});
  before->counted({{"files", 1}}, kToday + 86400);
  ASSERT_EQ(before->waiting(), 1U);
  before.reset();
  const auto record = kept["outbox"];
  bool fails = true;
  const auto load = keep.load;
  keep.load = [&](std::string_view key) -> Result<std::string> {
    if (fails) return fail(Code::io, "input/output error");
    return load(key);
  };
  Outbox outbox(keep, told);
  EXPECT_EQ(told, "what waits to be sent to KSN cannot be read: input/output error: it is tried again");
  outbox.belong_to({"b"});
  outbox.counted({{"files", 2}}, kToday + 2 * 86400);
  outbox.keep_counted({{"files", 3}});
  EXPECT_FALSE(outbox.read(told));
  EXPECT_FALSE(outbox.is_read());
  EXPECT_EQ(kept["outbox"], record);
  fails = false;
  ASSERT_TRUE(outbox.read(told));
  EXPECT_EQ(outbox.waiting(), 0U) << "it waits for another KSN";
  outbox.belong_to({"a"});
  EXPECT_EQ(outbox.waiting(), 1U);

  fails = true;
  Outbox(keep, told).clear();
  fails = false;
  EXPECT_EQ(make()->waiting(), 0U) << "who throws it away need not have read it";
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

TEST_F(KsnOutbox, what_waits_for_each_of_several_ksns_stays_until_another_has_taken_something) {
  auto now = kToday;
  std::unique_ptr<Outbox> outbox;
  const auto set = [&](const char* key) {  // over a restart
    outbox = make(now);
    outbox->belong_to({key});
    outbox->use(limits(), {}, now);
    return outbox->waiting();
  };
  for (const auto& [key, files] : {std::pair("key 1", 1U), std::pair("key 2", 2U), std::pair("key 3", 3U)}) {
    EXPECT_EQ(set(key), 0U);
    outbox->counted({{"files", files}}, now += 86400);
    EXPECT_EQ(outbox->waiting(), 1U);
  }
  set("key 4");  // a mistake
  for (const auto& [key, files] : {std::pair("key 1", 1U), std::pair("key 3", 3U), std::pair("key 2", 2U)}) {
    EXPECT_EQ(set(key), 1U) << key;
    const auto message = outbox->next(true, true, now);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->statistics.counters().at("files"), files);
  }
  EXPECT_TRUE(warnings.empty());
  outbox->sent(*outbox->next(true, true, now), nullptr, now);
  EXPECT_EQ(warnings, std::vector<std::string>{"another KSN has taken what came since: what waited for those before is given up (statistics and files: 2)"});
  EXPECT_EQ(set("key 1"), 0U);
  EXPECT_EQ(set("key 3"), 0U);
  EXPECT_EQ(warnings.size(), 1U);
}

TEST_F(KsnOutbox, what_waits_for_several_ksns_shares_the_room_and_what_was_left_first_gives_way) {
  const std::string path = "/" + std::string(3000, 'p');
  const auto fill = [&](Outbox& outbox, char ksn) {
    outbox.belong_to({std::string(1, ksn)});
    outbox.use(limits(), {}, kToday);
    for (unsigned i = 0; i < Outbox::kMostWishes; ++i) {
      std::string digest(32, ksn);
      digest[0] = static_cast<char>(i);
      outbox.seen(digest, path);
      ASSERT_TRUE(outbox.wish(wish_for(digest)));
    }
  };
  auto outbox = make();
  const std::size_t each = Outbox::kMostWishes * path.size();  // and a little
  const auto fit = Outbox::kMostAsideBytes / each;
  ASSERT_GE(fit, 1U);
  for (unsigned i = 0; i <= fit; ++i) {
    EXPECT_TRUE(warnings.empty());
    fill(*outbox, static_cast<char>('a' + i));
  }
  outbox->belong_to({"another"});
  EXPECT_EQ(warnings, std::vector<std::string>{
                          "there is no room for all that waits for KSNs that were set before: what was left first is given up (statistics and files: 256)"});
  EXPECT_LT(kept["outbox"].size(), Outbox::kMostAsideBytes * 11 / 10) << "of the 4 MB that the plugin may keep";
  outbox = make();
  outbox->belong_to({"b"});
  EXPECT_EQ(outbox->waiting(), Outbox::kMostWishes);
  outbox->belong_to({"a"});
  EXPECT_EQ(outbox->waiting(), 0U) << "it was left first";
}

// What the plugin may keep, but for its other records: the directives, as large as they may be, and little ones.
constexpr std::size_t kMostKept = (4u << 20) - (80u << 10);

// JSON makes six bytes of a control character, two of a quotation mark, and twice as much of that in a record that is put aside.
TEST_F(KsnOutbox, a_full_outbox_can_be_stored_whatever_its_paths_are) {
  const auto store = keep.store;
  bool refused = false;
  keep.store = [&](std::string_view key, std::string_view value) {
    refused = refused || value.size() > kMostKept;
    return value.size() <= kMostKept && store(key, value);
  };
  std::string done;
  for (unsigned i = 0; i < Outbox::kMostDone; ++i) done += cat(i == 0 ? "\"" : ",\"", std::string(64, 'd'), ":18446744073709551615:18446744073709551615\"");
  kept["outbox"] = cat(R"({"statistics":[],"wishes":[],"done":[)", done, R"(],"counted":{},"ksn":[],"aside":[],"period_began":0,"day":0,"day_bytes":0})");
  const std::string paths[] = {"/" + std::string(4095, '\1'), "/" + std::string(4095, '"')};
  std::unique_ptr<Outbox> outbox;
  for (const auto* ksn : {"a", "b"}) {
    const auto digest = [&](unsigned i) { return std::string(1, static_cast<char>(i)) + std::string(31, ksn[0]); };
    const auto open = [&] {
      outbox = make();
      outbox->belong_to({ksn});
      outbox->use(limits(), {}, kToday);
    };
    const auto add = [&](unsigned i) {
      auto wish = wish_for(digest(i));
      wish.set_type("executable");
      wish.set_first(UINT64_MAX - 1);
      wish.set_bytes(UINT64_MAX);
      outbox->seen(wish.digest(), paths[i % 2]);
      return outbox->wish(wish);
    };
    open();
    ASSERT_TRUE(add(0) && add(1));
    // Each of them stores all of the record: those up to the last are written into it.
    auto record = json::parse(kept["outbox"]).as_object();
    auto& wishes = record["wishes"].as_array();
    for (unsigned i = 2; i + 1 < Outbox::kMostWishes; ++i) {
      auto wish = wishes[i % 2].as_object();
      wish["digest"] = picket::to_hex(digest(i));
      wishes.push_back(std::move(wish));
    }
    kept["outbox"] = json::serialize(record);
    open();
    EXPECT_EQ(outbox->waiting(), Outbox::kMostWishes - 1);
    ASSERT_TRUE(add(Outbox::kMostWishes - 1));
    EXPECT_FALSE(refused) << ksn << ": the record has " << kept["outbox"].size() << " bytes, and the next one too many";
  }
  outbox = make();
  EXPECT_EQ(outbox->waiting(), Outbox::kMostWishes);
  EXPECT_EQ(outbox->belong_to({"a"}), Outbox::kMostWishes);
  EXPECT_EQ(outbox->waiting(), Outbox::kMostWishes);
  EXPECT_TRUE(warnings.empty()) << "nothing is given up";
}

TEST_F(KsnOutbox, a_kind_of_file_that_is_none_is_not_kept) {
  auto outbox = make();
  auto wish = wish_for(std::string(32, 'd'));
  wish.set_type(std::string(1 << 20, 'x'));
  outbox->seen(wish.digest(), "/program");
  EXPECT_FALSE(outbox->wish(wish));
  wish.set_type("script");
  EXPECT_TRUE(outbox->wish(wish));
}

TEST_F(KsnOutbox, what_is_put_aside_is_cleared_with_the_rest) {
  auto outbox = make();
  outbox->belong_to({"key 1"});
  outbox->counted({{"files", 5}}, kToday + 86400);
  EXPECT_EQ(outbox->belong_to({"key 2"}), 1U);
  EXPECT_EQ(outbox->clear(), 1U);
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

TEST_F(KsnOutbox, a_record_that_cannot_be_read_is_dropped_with_one_line) {
  for (const char* bad : {"", "{", "[]", "{}", R"({"statistics":1})", R"({"statistics":[],"wishes":[{"digest":5}],"done":[]})"}) {
    kept["outbox"] = bad;
    told.clear();
    EXPECT_EQ(make()->waiting(), 0U);
    EXPECT_FALSE(told.empty()) << bad;
    EXPECT_EQ(told.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace ksn_client
