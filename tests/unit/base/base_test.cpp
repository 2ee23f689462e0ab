#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "support/temporary_folder.hpp"

namespace picket {
namespace {

TEST(Bytes, hex_goes_both_ways_and_refuses_what_is_not_hex) {
  EXPECT_EQ(to_hex(std::string("\x00\xff\x1a", 3)), "00ff1a");
  EXPECT_EQ(from_hex("00FF1a"), std::string("\x00\xff\x1a", 3));
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
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

TEST_F(Files, reading_stops_at_the_limit_and_never_opens_folders) {
  ASSERT_TRUE(write_file_atomic(folder_ / "a", "12345"));
  EXPECT_EQ(read_file(folder_ / "a", 5).value(), "12345");
  EXPECT_EQ(read_file(folder_ / "a", 4).error().code, Code::too_large);
  EXPECT_EQ(read_file(folder_ / "none", 4).error().code, Code::not_found);
  EXPECT_EQ(read_file(folder_, 4).error().code, Code::invalid);
}

}  // namespace
}  // namespace picket
