// Archives that a hostile or careless publisher signed.
#include "update/unpack.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/update_repository.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;
using support::Member;
using ::testing::HasSubstr;

class Unpack : public ::testing::Test {
 protected:
  static std::string content_of(const std::string& archive) {
    std::string out(ZSTD_getFrameContentSize(archive.data(), archive.size()), '\0');
    ZSTD_decompress(out.data(), out.size(), archive.data(), archive.size());
    return out;
  }
  // What an honest description of these bytes would be.
  static Expected describe(const std::string& archive, std::uint64_t files, std::uint64_t bytes) {
    const auto content = content_of(archive);
    return {content.size(), sha256_hex(content), files, bytes};
  }
  std::string why(const std::string& archive, const Expected& expected) {
    std::ofstream(root_ / "archive", std::ios::binary | std::ios::trunc) << archive;
    fs::remove_all(root_ / "out");
    fs::create_directory(root_ / "out");
    const auto done = unpack(root_ / "archive", root_ / "out", expected, Steps(), {});
    EXPECT_FALSE(fs::exists(root_ / "evil")) << "written outside of the folder";
    return done ? "ok" : std::string(to_string(done.error().code)) + ": " + done.error().message;
  }
  std::string why(const std::vector<Member>& members, std::uint64_t files, std::uint64_t bytes) {
    const auto archive = support::make_archive(members);
    return why(archive, describe(archive, files, bytes));
  }
  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
};

TEST_F(Unpack, makes_files_and_folders) {
  EXPECT_EQ(why({{"a", "one"}, {"sub", "", 'd', {}}, {"sub/deep/b", "three"}, {"empty", ""}}, 3, 8), "ok");
  EXPECT_EQ(read_file(root_ / "out/sub/deep/b", 100).value(), "three");
  EXPECT_EQ(read_file(root_ / "out/empty", 100).value(), "");
  EXPECT_EQ(fs::status(root_ / "out/a").permissions(), fs::perms(0444));
}

TEST_F(Unpack, takes_names_beyond_ascii_whatever_the_locale) {
  EXPECT_EQ(why({{"r\xc3\xa8gles/\xe8\xa6\x8f\xe5\x89\x87.yar", "x"}}, 1, 1), "ok");
  EXPECT_TRUE(fs::exists(root_ / "out/r\xc3\xa8gles/\xe8\xa6\x8f\xe5\x89\x87.yar"));
}

TEST_F(Unpack, refuses_paths_that_lead_out) {
  EXPECT_THAT(why({{"../evil", "x"}}, 1, 1), HasSubstr("has the part \"..\""));
  EXPECT_THAT(why({{"a/../../evil", "x"}}, 1, 1), HasSubstr("has the part \"..\""));
  EXPECT_THAT(why({{"/tmp/evil", "x"}}, 1, 1), HasSubstr("is absolute"));
  EXPECT_THAT(why({{"a//b", "x"}}, 1, 1), HasSubstr("has the part \"\""));
  EXPECT_THAT(why({{"a\\b", "x"}}, 1, 1), HasSubstr("character"));
  EXPECT_THAT(why({{"a\nb", "x"}}, 1, 1), HasSubstr("character"));
  EXPECT_THAT(why({{std::string(300, 'n'), "x"}}, 1, 1), HasSubstr("too long"));
  std::string deep = "d";
  for (int i = 0; i < 20; ++i) deep += "/d";
  EXPECT_THAT(why({{deep, "x"}}, 1, 1), HasSubstr("too deep"));
}

TEST_F(Unpack, refuses_names_that_no_message_can_tell_and_says_so_in_one_that_can) {
  const auto refused = check_member_path("caf\xe9\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "name \"caf? \" is not UTF-8");
}

TEST_F(Unpack, refuses_links_devices_and_pipes) {
  EXPECT_THAT(why({{"l", "", 'l', "../evil"}, {"l/x", "x"}}, 2, 1), HasSubstr("member l: is a link"));
  EXPECT_THAT(why({{"a", "x"}, {"h", "", 'h', "a"}}, 2, 1), HasSubstr("member h: is a link"));
  EXPECT_THAT(why({{"p", "", 'p', {}}}, 1, 0), HasSubstr("neither a file nor a folder"));
  EXPECT_THAT(why({{"c", "", 'c', {}}}, 1, 0), HasSubstr("neither a file nor a folder"));
}

TEST_F(Unpack, refuses_more_or_less_than_was_signed) {
  const std::vector<Member> members{{"a", "12345"}, {"b", "67890"}};
  EXPECT_EQ(why(members, 2, 10), "ok");
  EXPECT_THAT(why(members, 1, 10), HasSubstr("more than the 1 files"));
  EXPECT_THAT(why(members, 2, 9), HasSubstr("more than the 9 bytes"));
  EXPECT_THAT(why(members, 3, 10), HasSubstr("signed were 3 files"));
  EXPECT_THAT(why(members, 2, 11), HasSubstr("signed were 2 files with 11 bytes"));
}

TEST_F(Unpack, refuses_a_name_that_stands_there_twice) { EXPECT_THAT(why({{"a", "x"}, {"a", "y"}}, 2, 2), HasSubstr("stands there twice")); }
TEST_F(Unpack, refuses_a_file_in_the_place_of_a_folder) { EXPECT_THAT(why({{"a", "x"}, {"a/b", "y"}}, 2, 2), HasSubstr("a/b")); }

TEST_F(Unpack, refuses_other_content_than_was_signed) {
  const auto archive = support::make_archive({{"a", "x"}});
  auto expected = describe(archive, 1, 1);
  expected.content_sha256 = sha256_hex("something else");
  EXPECT_THAT(why(archive, expected), HasSubstr("digest is not the one"));
  expected = describe(archive, 1, 1);
  expected.content_length -= 1;
  EXPECT_THAT(why(archive, expected), HasSubstr("more than the"));
  expected.content_length += 2;
  EXPECT_THAT(why(archive, expected), HasSubstr("bytes of content, signed were"));
}

TEST_F(Unpack, refuses_a_bomb_before_it_goes_off) {
  const auto archive = support::make_archive({{"a", std::string(50u << 20, '\0')}});
  EXPECT_LT(archive.size(), 100'000u);
  EXPECT_THAT(why(archive, {20'480, std::string(64, '0'), 1, 1000}), HasSubstr("more than the 20480 bytes that were signed"));
  std::uint64_t written = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "out"))
    if (entry.is_regular_file()) written += entry.file_size();
  EXPECT_LE(written, 1000u);
}

TEST_F(Unpack, a_cut_or_damaged_archive_is_an_error_at_every_place) {
  std::string noise(3000, '\0');
  unsigned state = 1;
  for (auto& c : noise) state = state * 1664525 + 1013904223, c = static_cast<char>(state >> 24);
  const auto archive = support::make_archive({{"a", noise}, {"b", "x"}});
  const auto expected = describe(archive, 2, noise.size() + 1);
  ASSERT_EQ(why(archive, expected), "ok");
  for (std::size_t cut = 0; cut < archive.size(); cut += 7) EXPECT_NE(why(archive.substr(0, cut), expected), "ok") << cut;
  for (std::size_t at = 0; at < archive.size(); at += 5) {
    auto bad = archive;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    // The frame's descriptor holds bits that mean nothing; what comes out must then be what was signed.
    const bool harmless = why(bad, expected) == "ok";
    EXPECT_TRUE(!harmless || read_file(root_ / "out/a", 4000).value() == noise) << at;
  }
}

TEST_F(Unpack, refuses_a_window_that_would_take_too_much_memory) {
  auto* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
  const std::string content(1u << 20, 'x');
  std::string out(ZSTD_compressBound(content.size()), '\0');
  ZSTD_inBuffer in{content.data(), 1000, 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (ZSTD_compressStream2(context, &to, &in, ZSTD_e_flush) != 0) {}  // before the size is known, so that the window stays as asked for
  in.size = content.size();
  while (ZSTD_compressStream2(context, &to, &in, ZSTD_e_end) != 0) {}
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  EXPECT_THAT(why(out, {content.size(), sha256_hex(content), 1, 1}), HasSubstr("damaged compressed data"));
}

}  // namespace
}  // namespace picket::update
