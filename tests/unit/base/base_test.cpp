#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "support/leftovers.hpp"
#include "support/temporary_folder.hpp"

namespace picket {
namespace {

TEST(Bytes, hex_goes_both_ways_and_refuses_what_is_not_hex) {
  EXPECT_EQ(to_hex(std::string("\x00\xff\x1a", 3)), "00ff1a");
  EXPECT_EQ(from_hex("00FF1a"), std::string("\x00\xff\x1a", 3));
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
}

TEST(Bytes, percent_encoding_leaves_what_is_unreserved_or_named) {
  EXPECT_EQ(percent_encoded("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encoded("a b/%\xc3\xa9"), "a%20b%2F%25%C3%A9");
  EXPECT_EQ(percent_encoded("a b/c:", "/:"), "a%20b/c:");
  EXPECT_EQ(percent_encoded(std::string("\0", 1), "/"), "%00");
}

TEST(Bytes, base64_follows_rfc_4648) {
  for (const auto& [plain, text] : std::initializer_list<std::pair<std::string, std::string>>{
           {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(to_base64(plain), text);
    EXPECT_EQ(from_base64(text), plain);
  }
  for (const char* bad : {"Z", "Zg=", "Zg", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9"}) EXPECT_FALSE(from_base64(bad)) << bad;
}

TEST(Bytes, utf8_refuses_surrogates_and_overlong_forms) {
  EXPECT_TRUE(is_valid_utf8("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x92"));
  for (const char* bad : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff", "\x80"}) EXPECT_FALSE(is_valid_utf8(bad));
}

TEST(Bytes, a_text_is_cut_between_two_characters) {
  const std::string_view text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92z";
  EXPECT_EQ(whole_characters(text, 100), text);
  EXPECT_EQ(whole_characters(text, text.size()), text);
  EXPECT_EQ(whole_characters("", 0), "");
  for (std::size_t most = 0; most < text.size(); ++most) {
    EXPECT_LE(whole_characters(text, most).size(), most);
    EXPECT_GT(whole_characters(text, most).size() + 4, most);
    EXPECT_TRUE(is_valid_utf8(whole_characters(text, most))) << most;
  }
}

TEST(Bytes, a_text_that_was_cut_says_so) {
  EXPECT_EQ(shortened("caf\xc3\xa9", 5), "caf\xc3\xa9");
  EXPECT_EQ(shortened("caf\xc3\xa9", 4), "caf...");
}

TEST(Bytes, a_text_is_made_utf8_whatever_it_was) {
  EXPECT_EQ(as_utf8("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(as_utf8("caf\xe9!"), "caf?!");
  EXPECT_EQ(plain_line("a\nb\x7f caf\xe9", 100), "a b  caf?");
  EXPECT_EQ(plain_line("a\tcaf\xc3\xa9", 6), "a caf");
  EXPECT_EQ(plain_line("a\xc2\x9b" "31m\xc2\x9f\xc2\xa0", 100), "a  31m  \xc2\xa0");
}

TEST(Digest, sha256_of_abc_is_the_standard_one) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

class Files : public testing::Test {
 protected:
  const support::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
};

TEST_F(Files, atomic_write_leaves_one_file_and_no_temporary) {
  ASSERT_TRUE(write_file_atomic(folder_ / "a", "one"));
  ASSERT_TRUE(write_file_atomic(folder_ / "a", "two"));
  EXPECT_EQ(read_file(folder_ / "a", 10).value(), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(Files, a_failed_write_keeps_the_old_file_and_names_it) {
  ASSERT_TRUE(make_folders(folder_ / "a" / "b"));
  const auto result = write_file_atomic(folder_ / "a", "x");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::HasSubstr((folder_ / "a").native()));
  EXPECT_TRUE(std::filesystem::is_directory(folder_ / "a" / "b"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(Files, a_write_that_was_killed_half_way_keeps_the_old_file_and_what_it_left_can_be_removed) {
  ASSERT_TRUE(write_file_atomic(folder_ / "a", "old"));
  const pid_t child = ::fork();
  if (child == 0) {
    // The kernel kills who writes beyond this.
    const rlimit half{50, 50}, none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::setrlimit(RLIMIT_FSIZE, &half);
    std::signal(SIGXFSZ, SIG_DFL);
    (void)write_file_atomic(folder_ / "a", std::string(100, 'n'));
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(read_file(folder_ / "a", 1000).value(), "old");
  ASSERT_NE(support::leftovers_below(folder_), "");
  remove_leftovers(folder_);
  EXPECT_EQ(support::leftovers_below(folder_), "");
  EXPECT_EQ(read_file(folder_ / "a", 1000).value(), "old");
}

TEST_F(Files, leftovers_are_removed_by_their_whole_name_and_nothing_else) {
  const auto mine = support::leave_cut_off_write(folder_ / "a"), made = temporary_beside(folder_ / "b.json");
  std::ofstream(made) << "half";
  const auto names = {"a", ".a", ".a.tmp", "a.0123456789ab.tmp", ".0123456789ab.tmp", "..0123456789ab.tmp", ".a.0123456789a.tmp", ".a.0123456789abc.tmp", ".a.0123456789AB.tmp",
                      ".a.0123456789ab", ".a.0123456789ab.tmp2", ".a_0123456789ab.tmp"};
  for (const auto* name : names) std::ofstream(folder_ / name) << "whole";
  ASSERT_TRUE(make_folders(folder_ / ".folder.0123456789ab.tmp"));
  std::filesystem::create_symlink("a", folder_ / ".link.0123456789ab.tmp");
  const auto below = support::leave_cut_off_write(folder_ / "below" / "a");
  remove_leftovers(folder_);
  EXPECT_FALSE(std::filesystem::exists(mine));
  EXPECT_FALSE(std::filesystem::exists(made));
  for (const auto* name : names) EXPECT_TRUE(std::filesystem::exists(folder_ / name)) << name;
  EXPECT_TRUE(std::filesystem::is_directory(folder_ / ".folder.0123456789ab.tmp"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / ".link.0123456789ab.tmp"));
  EXPECT_TRUE(std::filesystem::exists(below));
  remove_leftovers(folder_ / "none");  // says nothing
  remove_leftovers(folder_ / "a");
}

TEST_F(Files, reading_stops_at_the_limit_and_never_opens_folders) {
  ASSERT_TRUE(write_file_atomic(folder_ / "a", "12345"));
  EXPECT_EQ(read_file(folder_ / "a", 5).value(), "12345");
  EXPECT_EQ(read_file(folder_ / "a", 4).error().code, Code::too_large);
  EXPECT_EQ(read_file(folder_ / "none", 4).error().code, Code::not_found);
  EXPECT_EQ(read_file(folder_, 4).error().code, Code::invalid);
}

}  // namespace
}  // namespace picket
