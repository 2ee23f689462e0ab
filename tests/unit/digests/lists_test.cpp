// What is read from lists as they are found in the world.
#include <gmock/gmock.h>

#include <set>

#include "digests/lists.hpp"
#include "unit/digests/digests_fixture.hpp"

namespace picket::digests {
namespace {

using ::testing::HasSubstr;

class Lists : public DigestsTest {
 protected:
  static std::string hex(std::uint64_t number) { return hex_of(digest_of(number)); }
  ListReport taken(std::string_view name, std::string_view bytes, Verdict verdict = Verdict::untrusted) {
    const auto report = read_list(write(name, bytes), verdict, collection_);
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(ListReport{});
  }
  Error refused(std::string_view name, std::string_view bytes) {
    const auto report = read_list(write(name, bytes), Verdict::untrusted, collection_);
    EXPECT_FALSE(report);
    return report ? Error{} : report.error();
  }
  Known known(std::uint64_t number) {
    if (!database_) {
      EXPECT_TRUE(collection_.write_full(file("all.full")));
      database_ = *Database::open(file("all.full"));
    }
    return database_->find(digest_of(number));
  }
  Collection collection_;
  std::shared_ptr<const Database> database_;
};

const std::string kMd5(32, 'a'), kSha1(40, 'b'), kSha512(128, 'c');

TEST_F(Lists, digest_and_comment_as_signature_base_has_them) {
  const auto report = taken("hash-iocs.txt", cat("#\n# LOKI CUSTOM EVIL HASHES\n# MD5;COMMENT\n\n", hex(1), ";Dark Caracal - Zip archive data\r\n", kMd5, ";DEEP PANDA\n", kSha1, ";x\n", hex(2), "; Zxshell http://x.y/z;a\nwhat is this\n", hex(3)));
  EXPECT_EQ(report.sha256, 3u);
  EXPECT_EQ(report.md5, 1u);
  EXPECT_EQ(report.sha1, 1u);
  EXPECT_EQ(report.unreadable, 1u);
  EXPECT_EQ(to_text("x/hash-iocs.txt", report), "hash-iocs.txt: 3 SHA-256; not used: 1 MD5, 1 SHA-1; 1 not understood, the first is line 9: does not begin with a digest");
  EXPECT_EQ(known(1).name, "Dark Caracal - Zip archive data");
  EXPECT_EQ(known(2).name, "Zxshell http://x.y/z;a");
  EXPECT_EQ(known(3).verdict, Verdict::untrusted);
}

TEST_F(Lists, plain_lists_and_the_output_of_sha256sum) {
  std::string upper = hex(1);
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(taken("plain.txt", cat(upper, "\n", hex(2), "  evil file.exe\n", hex(3), " *evil.bin\n")).sha256, 3u);
  EXPECT_EQ(known(1).verdict, Verdict::untrusted);
  EXPECT_EQ(known(2).name, "evil file.exe");
  EXPECT_EQ(known(3).name, "evil.bin");
}

TEST_F(Lists, csv_with_a_header) {
  const auto report = taken("threats.csv", cat("\xEF\xBB\xBFid,SHA256,Name,Type,Verdict\n1,", hex(1), ",\"Trojan, \"\"A\"\"\",trojan,untrusted\n2,", hex(2),
                                               ",Office,,trusted\n3,,nothing,,\n4,", kMd5, ",x,,\n5,zzz,x,,\n6,", hex(3), ",x,,perhaps\n7,", hex(4), ",,,\n"));
  EXPECT_EQ(report.sha256, 3u);
  EXPECT_EQ(report.md5, 1u);
  EXPECT_EQ(report.unreadable, 2u);
  EXPECT_EQ(report.first_unreadable, "line 6: no digest in the column of SHA-256");
  EXPECT_EQ(known(1).name, "Trojan, \"A\"");
  EXPECT_EQ(known(1).category, "trojan");
  EXPECT_EQ(known(2).verdict, Verdict::trusted);
  EXPECT_EQ(known(3).verdict, Verdict::unknown);
  EXPECT_EQ(known(4).verdict, Verdict::untrusted);
}

TEST_F(Lists, csv_with_its_header_in_a_comment) {
  EXPECT_EQ(taken("full.csv", cat("################\n# Terms of use\n################\n# \"first_seen_utc\",\"sha256_hash\",\"md5_hash\",\"signature\"\n\"2025-01-01\", \"", hex(1), "\", \"", kMd5, "\", \"AgentTesla\"\n")).sha256, 1u);
  EXPECT_EQ(known(1).name, "AgentTesla");
}

TEST_F(Lists, csv_without_a_header) {
  EXPECT_EQ(taken("a.csv", cat("\"", hex(1), "\",\"One, two\"\n", hex(2), ",Three\n")).sha256, 2u);
  EXPECT_EQ(known(1).name, "One, two");
  EXPECT_EQ(known(2).name, "Three");
  EXPECT_EQ(taken("b.csv", cat("7,", hex(3), ",Four\n8,", hex(4), "\n")).sha256, 2u) << "in any column";
}

TEST_F(Lists, misp_warninglists) {
  const auto report = taken("list.json", cat(R"({"name":"Known good","type":"string","matching_attributes":["sha256"],"list":[")", hex(1), "\",\"", kMd5, "\",7,\"", hex(2), "\"]}"), Verdict::trusted);
  EXPECT_EQ(report.sha256, 2u);
  EXPECT_EQ(report.md5, 1u);
  EXPECT_EQ(report.first_unreadable, "entry 3: is no string");
  EXPECT_EQ(known(1).verdict, Verdict::trusted);
  EXPECT_EQ(known(1).category, "Known good");
}

TEST_F(Lists, raw_digests) {
  std::set<std::string> sorted;
  for (std::uint64_t i = 0; i < 20'000; ++i) sorted.emplace(reinterpret_cast<const char*>(digest_of(i).data()), 32);
  std::string bytes;
  for (const auto& digest : sorted) bytes += digest;
  EXPECT_EQ(taken("set.bin", bytes).sha256, 20'000u);
  EXPECT_EQ(known(19'999).verdict, Verdict::untrusted);
}

TEST_F(Lists, that_are_none_are_refused_with_the_reason) {
  EXPECT_THAT(refused("a.txt", "").message, HasSubstr("no SHA-256 in it"));
  EXPECT_THAT(refused("a.txt", kMd5 + "\n").message, HasSubstr("no SHA-256 in it, only other digests"));
  EXPECT_THAT(refused("a.txt", kSha512 + "\n").message, HasSubstr("only other digests"));
  EXPECT_THAT(refused("a.txt", "hello\n").message, HasSubstr("line 1: does not begin with a digest"));
  EXPECT_THAT(refused("a.json", "{\"list\": [").message, HasSubstr("is no JSON"));
  EXPECT_THAT(refused("a.json", "{}").message, HasSubstr("without a \"list\""));
  EXPECT_THAT(refused("a.json", "[{\"md5\":\"x\"}]").message, HasSubstr("entry 1: is no string"));
  EXPECT_THAT(refused("a.bin", std::string(33, 'x')).message, HasSubstr("no multiple of 32"));
  // Any file whose size is right, like one that a download put there, would else be a list.
  EXPECT_THAT(refused("a.bin", std::string(32, 'b') + std::string(32, 'c') + std::string(32, 'a')).message, HasSubstr("no sorted set of 32-byte digests: digest 3 is not above"));
  EXPECT_THAT(refused("a.txt", std::string(700'000, 'x')).message, HasSubstr("line 1 is longer than"));
  EXPECT_EQ(read_list(file("gone"), Verdict::trusted, collection_).error().code, Code::not_found);
  EXPECT_THAT(read_list(folder_, Verdict::trusted, collection_).error().message, HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace picket::digests
