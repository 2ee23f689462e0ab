#include <gtest/gtest.h>

#include <map>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "ksn/lists.hpp"
#include "ksn/software.hpp"
#include "picket/ksn/v1/reputation.pb.h"

namespace picket::ksn_tool {
namespace {

using ksn::v1::Facts;

const std::string kOne(64, 'a'), kTwo(64, 'b');

std::string address(std::string_view expression) { return *from_hex(sha256_hex(expression)); }

class KsnLists : public testing::Test {
 protected:
  // What a list says of each object, by kind and digest.
  ListResult read(std::string_view text, int verdict = 3, lists::Format format = lists::Format::automatic, int kind = 0) {
    rows_.clear();
    ListOptions options;
    options.format = format;
    options.kind = kind;
    options.entry.verdict = verdict;
    auto result = read_list(text, options, [&](int of, ksn_store::Row row) -> Result<> {
      std::string bytes;
      ksn_store::append_facts(row.verdict, row.facts_texts, row.popularity, row.first_seen, bytes);
      Facts facts;
      EXPECT_TRUE(facts.ParseFromString(bytes));
      EXPECT_EQ(row.digest.size(), 32u);
      rows_[{of, row.digest}] = facts;
      return {};
    });
    EXPECT_TRUE(result) << result.error().message;
    return result ? *result : ListResult();
  }
  const Facts& file(const std::string& hex) { return rows_.at({1, *from_hex(hex)}); }
  const Facts& at(std::string_view expression) { return rows_.at({2, address(expression)}); }

  std::map<std::pair<int, std::string>, Facts> rows_;
};

TEST_F(KsnLists, plain_digests_and_domains) {
  const auto result = read("# comment\n\n" + kOne + "\r\n  Evil.Example.COM  \nhttp://a.example/path/x?q=1\n1.2.3.4\n.suffix.example\n*.wild.example\n");
  EXPECT_EQ(result.rows, 6u);
  EXPECT_EQ(result.files, 1u);
  EXPECT_EQ(result.addresses, 5u);
  EXPECT_EQ(result.not_understood, 0u) << result.first;
  EXPECT_EQ(file(kOne).verdict(), ksn::v1::VERDICT_UNTRUSTED);
  for (const auto* expression : {"evil.example.com/", "a.example/path/x?q=1", "1.2.3.4/", "suffix.example/", "wild.example/"}) EXPECT_TRUE(rows_.contains({2, address(expression)})) << expression;
}

TEST_F(KsnLists, signature_base_files_name_the_threat_behind_a_semicolon) {
  const auto result = read("# Hash IOCs\n" + kOne + ";Dark Caracal - PE32 executable\n0c2674c3a97c53082187d930efb645c2;MD5 only\n192.119.99.42;65\nc2.example;APT; more\n");
  EXPECT_EQ(result.rows, 3u);
  EXPECT_EQ(result.other_digests, 1u);
  EXPECT_EQ(result.not_understood, 0u) << result.first;
  EXPECT_EQ(file(kOne).threat(), "Dark Caracal - PE32 executable");
  EXPECT_EQ(at("192.119.99.42/").threat(), "");  // a score is no name
  EXPECT_EQ(at("c2.example/").threat(), "APT; more");
}

TEST_F(KsnLists, sha256sum_names_a_file_and_of_its_standard_input_nothing) {
  const auto result = read(kOne + "  -\n" + kTwo + " *tools/evil.exe\n");
  EXPECT_EQ(result.rows, 2u) << result.first;
  EXPECT_EQ(file(kOne).threat(), "");
  EXPECT_EQ(file(kTwo).threat(), "tools/evil.exe");
}

TEST_F(KsnLists, a_table_says_trust_group_and_signature) {
  auto result = read("sha256,publisher,trust_group,signature_state\n" + kOne + ",Acme,Low-Restricted,none\n", 1);
  EXPECT_EQ(result.rows, 1u) << result.first;
  EXPECT_EQ(file(kOne).trust_group(), ksn::v1::TRUST_GROUP_LOW_RESTRICTED);
  EXPECT_EQ(file(kOne).signature(), ksn::v1::SIGNATURE_NONE);
  result = read("sha256,trust_group,signature_state\n" + kOne + ",,\n" + kOne + ",great,\n" + kOne + ",,yes\n", 1);
  EXPECT_EQ(result.rows, 1u);
  EXPECT_EQ(file(kOne).trust_group(), ksn::v1::TRUST_GROUP_NOT_KNOWN);
  EXPECT_EQ(result.not_understood, 2u);
  EXPECT_NE(result.first.find("a trust group is trusted, low-restricted, high-restricted or untrusted"), std::string::npos) << result.first;
  result = read("publisher,product,trust_group\nAcme,Tool,high-restricted\n", 1);
  EXPECT_EQ(result.software, 1u);
  EXPECT_EQ(rows_.begin()->second.trust_group(), ksn::v1::TRUST_GROUP_HIGH_RESTRICTED);
}

TEST_F(KsnLists, maltrail_files_may_comment_each_line) {
  const auto result = read("# Copyright\nevil.example\nother.example # Family\n/gate.php\n1.2.3.4:8080\n(regex|pattern)\n");
  EXPECT_EQ(result.rows, 3u);
  EXPECT_EQ(result.not_understood, 2u);
  EXPECT_EQ(result.first, "line 4: '/gate.php': a path without a host");
  EXPECT_EQ(at("other.example/").threat(), "Family");
  EXPECT_TRUE(rows_.contains({2, address("1.2.3.4/")}));
}

TEST_F(KsnLists, hosts_files_name_one_address_or_more_a_line_and_the_computers_own) {
  const auto result = read("# Title: hosts\n127.0.0.1 localhost\n127.0.0.1 localhost.localdomain\n255.255.255.255 broadcasthost\n::1 ip6-localhost ip6-loopback\nfe80::1%lo0 localhost\n"
                           "ff02::1 ip6-allnodes\n0.0.0.0 0.0.0.0\n0.0.0.0 Bad.example\n0.0.0.0\tworse.example  worst.example # Family, large\n:: sixth.example\n");
  EXPECT_EQ(result.not_understood, 0u) << result.first;
  EXPECT_EQ(result.addresses, 4u);
  for (const auto* expression : {"bad.example/", "worse.example/", "worst.example/", "sixth.example/"}) EXPECT_TRUE(rows_.contains({2, address(expression)})) << expression;
  EXPECT_EQ(at("worst.example/").threat(), "Family, large");
  EXPECT_EQ(read("0.0.0.0 bad.example # a, b\n0.0.0.0 worse.example\n").addresses, 2u) << "a comma in a comment is no CSV";
  EXPECT_EQ(read("0.0.0.0 not/a.host\n").not_understood, 1u);
}

TEST_F(KsnLists, reads_an_international_name_as_dns_has_it) {
  const auto result = read("b\xc3\xbc"
                           "cher.example\nhttp://a.example/b\xc3\xbc"
                           "cher\n\xe2\x98\x83.example\n");
  EXPECT_EQ(result.rows, 2u);
  EXPECT_TRUE(rows_.contains({2, address("xn--bcher-kva.example/")}));
  EXPECT_EQ(result.not_understood, 1u) << "a snowman is no name";
}

TEST_F(KsnLists, misp_warninglists_are_trusted_unless_told) {
  const auto text = R"({"name":"Top sites","type":"hostname","version":3,"list":["example.com",".example.org",7,"not a host"]})";
  const auto result = read(text, 0);
  EXPECT_EQ(result.rows, 2u);
  EXPECT_EQ(result.not_understood, 2u);
  EXPECT_EQ(result.first, "entry 3: '': is no string");
  EXPECT_EQ(at("example.com/").verdict(), ksn::v1::VERDICT_TRUSTED);
  EXPECT_EQ(at("example.org/").product(), "Top sites");
  EXPECT_EQ(at("example.org/").category(), "warninglist");
  const auto ranges = read(R"({"name":"n","type":"cidr","list":["192.0.2.1/32","198.51.100.0/24","203.0.113.9","2001:DB8::1"]})", 0);
  EXPECT_EQ(ranges.rows, 3u);
  EXPECT_TRUE(rows_.contains({2, address("[2001:db8::1]/")}));
  EXPECT_EQ(ranges.first, "entry 2: '198.51.100.0/24': a range of addresses has no digest");
  const auto refused = [](std::string_view list) { return read_list(list, {}, [](int, ksn_store::Row) { return Result<>(); }).error().message; };
  EXPECT_EQ(refused(R"({"type":"regex","list":["a"]})"), "a warninglist of type regex cannot be looked up by digest");
  EXPECT_EQ(refused(R"({"name":"Second level TLDs as known by Mozilla Foundation","type":"string","list":["co.uk"]})"), "a warninglist of top-level domains would decide for all sites under them");
  EXPECT_EQ(refused(R"({"type":"hostname"})"), "is JSON without a \"list\"");
  EXPECT_NE(refused("{").find("is no JSON"), std::string::npos);
  EXPECT_EQ(read(R"({"list":["example.com"]})", 0).first, "entry 1: 'example.com': no verdict") << "not what it is, as MISP says it";
}

TEST_F(KsnLists, csv_by_its_header) {
  const auto result = read("SHA256,verdict,Category,threat,publisher,product,popularity,first_seen,countries,unused\n" + kOne +
                               ",untrusted,malware,\"Name, with comma\",Someone,Tool,1200,2026-01-02,DE FR,x\n" + kTwo + ",abusable,,\"two\nlines \"\"quoted\"\"\",,,,1700000000,,\n" + kOne.substr(1) + "c,maybe,,,,,,,,\n" +
                               kOne.substr(1) + "d,trusted,,,,,many,,,\n",
                           0);
  EXPECT_EQ(result.rows, 2u);
  EXPECT_EQ(result.not_understood, 2u);
  EXPECT_NE(result.first.find("line 5"), std::string::npos) << result.first;
  EXPECT_NE(result.first.find("a verdict is trusted, abusable or untrusted"), std::string::npos);
  const auto& one = file(kOne);
  EXPECT_EQ(one.threat(), "Name, with comma");
  EXPECT_EQ(one.publisher(), "Someone");
  EXPECT_EQ(one.popularity(), 1200u);
  EXPECT_EQ(one.first_seen(), 1767312000);
  EXPECT_EQ(one.countries_size(), 2);
  EXPECT_EQ(file(kTwo).threat(), "two\nlines \"quoted\"");
  EXPECT_EQ(file(kTwo).verdict(), ksn::v1::VERDICT_ABUSABLE);
}

TEST_F(KsnLists, csv_of_software_and_csv_without_a_header) {
  EXPECT_EQ(read("publisher,product,verdict\nExample GmbH,Editor,trusted\nExample GmbH,,abusable\n,Nothing,trusted\n", 0).software, 2u);
  EXPECT_EQ(rows_.at({3, ksn::software_digest("Example GmbH", "Editor")}).verdict(), ksn::v1::VERDICT_TRUSTED);
  EXPECT_EQ(rows_.at({3, ksn::software_digest("example gmbh", "")}).verdict(), ksn::v1::VERDICT_ABUSABLE);
  EXPECT_EQ(read("1,first.example\n2,second.example\n", 1).addresses, 2u);
  // As abuse.ch writes them: comments, the header one of them.
  EXPECT_EQ(read("# Feed\n#\n# \"first_seen_utc\",\"sha256_hash\",\"signature\"\n\"2026-01-02 03:04:05\", \"" + kOne + "\", \"Family\"\n# END\n").rows, 1u);
  EXPECT_EQ(file(kOne).threat(), "Family");
  EXPECT_EQ(file(kOne).first_seen(), 1767323045);
}

TEST_F(KsnLists, the_output_of_sha256sum) {
  EXPECT_EQ(read(kOne + "  evil, bad.exe\n" + kTwo + " *evil.bin\n").files, 2u);
  EXPECT_EQ(file(kOne).threat(), "evil, bad.exe");
  EXPECT_EQ(file(kTwo).threat(), "evil.bin");
}

TEST_F(KsnLists, a_quote_without_an_end_costs_its_own_lines_and_says_so) {
  const auto result = read("sha256,threat\n" + kOne + ",\"never ends\n" + kTwo + ",x\n");
  EXPECT_EQ(result.rows, 0u);
  EXPECT_EQ(result.not_understood, 2u);
  EXPECT_NE(result.first.find("line 2: "), std::string::npos) << result.first;
  EXPECT_NE(result.first.find("a quote has no end"), std::string::npos);
}

TEST_F(KsnLists, keeps_to_the_kind_that_was_asked_for) {
  EXPECT_EQ(read(kOne + "\nexample.com\n", 3, lists::Format::plain, ksn::v1::OBJECT_FILE).rows, 1u);
  EXPECT_EQ(read(kOne + ".example\nexample.com\n", 3, lists::Format::plain, ksn::v1::OBJECT_ADDRESS).rows, 2u);
}

TEST_F(KsnLists, without_a_verdict_nothing_is_taken) {
  const auto result = read("example.com\n", 0);
  EXPECT_EQ(result.rows, 0u);
  EXPECT_EQ(result.first, "line 1: 'example.com': no verdict");
}

TEST_F(KsnLists, an_error_of_the_store_ends_the_reading) {
  ListOptions options;
  options.entry.verdict = 3;
  int calls = 0;
  const auto result = read_list("a.example\nb.example\n", options, [&](int, ksn_store::Row) -> Result<> { return ++calls, fail(Code::no_space, "full"); });
  EXPECT_EQ(result.error().message, "full");
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace picket::ksn_tool
