// Files that KSN wishes for: in parts, never twice the same, only what policy allows.
#include "content_kind.hpp"
#include "outbox_rig.hpp"

namespace ksn_client {
namespace {

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

TEST_F(KsnOutbox, a_file_is_found_after_a_restart_whatever_its_name_is) {
  for (const std::string name : {"plain", "caf\xc3\xa9", "\1\n\x1f", "\"quoted\\\""}) {
    const auto digest = write(name, "\x7f""ELF of " + name);
    auto outbox = make();
    outbox->seen(digest, (folder / name).native());
    ASSERT_TRUE(outbox->wish(wish_for(digest)));
    outbox = make();
    const auto message = outbox->next(true, true, kToday);
    ASSERT_TRUE(message) << name;
    EXPECT_EQ(message->content.digest(), digest);
    outbox->given_up(*message);
  }
}

// A web server before KSN may stop one file.
TEST_F(KsnOutbox, a_file_that_does_not_pass_stands_in_nobodys_way) {
  auto outbox = make();
  const auto stopped = write("stopped", "\x7f""ELF stopped"), other = write("other", "\x7f""ELF other");
  for (const auto& [digest, name] : {std::pair(stopped, "stopped"), std::pair(other, "other")}) {
    outbox->seen(digest, (folder / name).native());
    ASSERT_TRUE(outbox->wish(wish_for(digest)));
  }
  v1::ContentReply held;
  auto message = outbox->next(true, true, kToday);
  ASSERT_TRUE(message && message->content.digest() == stopped);
  outbox->sent(*message, &held, kToday);
  message = outbox->next(true, true, kToday);
  ASSERT_TRUE(message && message->content.digest() == stopped && !message->content.part().empty());
  outbox->failed(*message);
  message = outbox->next(true, true, kToday);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->content.digest(), other);
  held.set_complete(true);
  outbox->sent(*message, &held, kToday);
  message = outbox->next(true, true, kToday);
  ASSERT_TRUE(message) << "it is tried again";
  EXPECT_EQ(message->content.digest(), stopped);
  EXPECT_FALSE(message->content.part().empty()) << "and goes on where it was";
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
