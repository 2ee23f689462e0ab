// Shapes, names, times and patterns: everything that is decided before a signature is.
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "base/digest.hpp"
#include "support/tuf_client_fixture.hpp"
#include "trust/json.hpp"
#include "trust/metadata.hpp"

namespace picket::trust {
namespace {

namespace json = boost::json;
using support::TufRepo;

// --- Time

TEST(MetadataTime, both_ways) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z").value(), 0);
  EXPECT_EQ(parse_time("2000-02-29T23:59:59Z").value(), 951868799);
  EXPECT_EQ(parse_time("2030-01-01T00:00:00Z").value(), 1893456000);
  EXPECT_EQ(parse_time("9999-12-31T23:59:59Z").value(), 253402300799);
  for (const UnixTime time : {0LL, 68169599LL, 68169600LL, 951782400LL, 951868799LL, 951868800LL, 1893456000LL, 4107542400LL, 253402300799LL})
    EXPECT_EQ(parse_time(format_time(time)).value(), time) << format_time(time);
  EXPECT_EQ(format_time(1893456000), "2030-01-01T00:00:00Z");
}

TEST(MetadataTime, takes_a_fraction_and_never_an_offset) {
  EXPECT_EQ(parse_time("2030-01-01T00:00:00.9Z").value(), 1893456000);
  EXPECT_EQ(parse_time("2030-01-01T00:00:00.123456789Z").value(), 1893456000);
  for (const char* bad : {"", "Z", "2030-01-01", "2030-01-01T00:00:00", "2030-01-01 00:00:00Z", "2030-01-01T00:00:00+00:00", "2030-01-01T00:00:00.9-06:00", "2030-01-01T00:00:00.Z",
                          "2030-01-01T00:00:00.1234567890Z", "2030-01-01T00:00:00ZZ", "2030-13-01T00:00:00Z", "2030-00-01T00:00:00Z", "2030-02-29T00:00:00Z", "2030-04-31T00:00:00Z",
                          "2100-02-29T00:00:00Z", "2030-01-01T24:00:00Z", "2030-01-01T00:60:00Z", "2030-01-01T00:00:60Z", "1969-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "-030-01-01T00:00:00Z",
                          "2030-1-01T00:00:00Z", "2030-01-01T00:00: 1Z", "+030-01-01T00:00:00Z"})
    EXPECT_FALSE(parse_time(bad)) << bad;
}

// --- Paths of delegations

bool matches(const char* pattern, const char* path) { return DelegatedRole{"r", {}, false, {pattern}, {}}.matches(path); }

TEST(DelegationPaths, star_and_question_mark_stay_within_one_part) {
  EXPECT_TRUE(matches("*", "file"));
  EXPECT_FALSE(matches("*", "dir/file"));
  EXPECT_TRUE(matches("*/*", "dir/file"));
  EXPECT_FALSE(matches("*/*", "file"));
  EXPECT_FALSE(matches("dir/*", "dir"));
  EXPECT_TRUE(matches("dir/*.zip", "dir/a.zip"));
  EXPECT_FALSE(matches("dir/*.zip", "dir/sub/a.zip"));
  EXPECT_TRUE(matches("f?o-*-b*r", "fxo-anything-bar"));
  EXPECT_FALSE(matches("f?o", "fo"));
  EXPECT_FALSE(matches("a?b", "a/b"));
  EXPECT_TRUE(matches("a*b*c", "aXbbYc"));
  EXPECT_FALSE(matches("a*b*c", "aXbbY"));
  EXPECT_TRUE(matches("**", ""));
  EXPECT_FALSE(matches("", "a"));
}

TEST(DelegationPaths, no_character_is_special_but_these_two) {
  EXPECT_TRUE(matches("*", ".hidden"));
  EXPECT_TRUE(matches("?hidden", ".hidden"));
  EXPECT_TRUE(matches("[ab]", "[ab]"));
  EXPECT_FALSE(matches("[ab]", "a"));
  EXPECT_TRUE(matches("{a,b}", "{a,b}"));
  EXPECT_FALSE(matches("\\*", "*"));
  EXPECT_TRUE(matches("\\*", "\\x"));
  EXPECT_TRUE(matches("dir/*", "dir/")) << "a star matches the empty part";
}

TEST(DelegationPaths, a_question_mark_is_one_code_point) {
  EXPECT_TRUE(matches("?", "\xc3\xa9"));
  EXPECT_TRUE(matches("x?y", "x\xf0\x9f\x94\x92y"));
  EXPECT_FALSE(matches("??", "\xc3\xa9"));
  EXPECT_TRUE(matches("*?", "\xc3\xa9"));
}

TEST(DelegationPaths, hostile_patterns_end_soon) {
  const std::string stars = [] {
    std::string out;
    for (int i = 0; i < 1000; ++i) out += "a*";
    return out + "b";
  }();
  EXPECT_FALSE(matches(stars.c_str(), std::string(20'000, 'a').c_str()));
}

// --- TAP 15

TEST(SuccinctRoles, bins_are_the_first_bits_of_the_hash) {
  const auto hash = sha256_hex("path");  // a0af9f86...
  ASSERT_EQ(hash.substr(0, 8), "a0af9f86") << hash;
  EXPECT_EQ((SuccinctRoles{{}, 1, "b"}.bin_of("path")), "b-1");
  EXPECT_EQ((SuccinctRoles{{}, 4, "b"}.bin_of("path")), "b-a");
  EXPECT_EQ((SuccinctRoles{{}, 5, "b"}.bin_of("path")), "b-14");
  EXPECT_EQ((SuccinctRoles{{}, 8, ""}.bin_of("path")), "-a0");
  EXPECT_EQ((SuccinctRoles{{}, 16, "b"}.bin_of("path")), "b-a0af");
  EXPECT_EQ((SuccinctRoles{{}, 32, "b"}.bin_of("path")), "b-a0af9f86");
}

TEST(SuccinctRoles, knows_its_bins) {
  const SuccinctRoles five{{}, 5, "b"};
  for (const char* good : {"b-00", "b-0a", "b-1f"}) EXPECT_TRUE(five.is_bin(good)) << good;
  for (const char* bad : {"b-20", "b-ff", "b-0", "b-000", "b-1F", "c-00", "b_00", "b-", "b", "", "b-0x", "bb-00"}) EXPECT_FALSE(five.is_bin(bad)) << bad;
  EXPECT_TRUE((SuccinctRoles{{}, 32, "b"}.is_bin("b-ffffffff")));
}

// --- Names

TEST(Names, encoded_roles_are_one_plain_file_name_and_come_back) {
  for (const std::string role : {"a", "A.b-c_d~e", "../x", "/", ".", "..", "a b", "%", "%41", "\xc3\xa9\xe2\x82\xac", "CON:", "x\ny", "*?<>|\"'`$"}) {
    const auto encoded = encode_role(role);
    EXPECT_EQ(encoded.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%"), std::string::npos) << encoded;
    EXPECT_NE(encoded, ".");
    EXPECT_NE(encoded, "..");
    EXPECT_EQ(decode_role(encoded), role);
  }
  EXPECT_NE(encode_role("a"), encode_role("A"));
  EXPECT_EQ(decode_role("%"), "%");
  EXPECT_EQ(decode_role("%4"), "%4");
  EXPECT_EQ(decode_role("%zz"), "%zz");
}

TEST(Names, consistent_paths_have_the_hash_before_the_last_part) {
  EXPECT_EQ(consistent_target_path("file", "aa"), "aa.file");
  EXPECT_EQ(consistent_target_path("d/e/file.x", "aa"), "d/e/aa.file.x");
}

TEST(Names, ordinary_target_paths_are_accepted) {
  for (const char* path : {"a", "a/b", ".hidden", "..x", "a..b/...", "a b", "\xc3\xa9", "a?b#c%", "a:b*c"}) EXPECT_OK(check_target_path(path));
}

// --- Length and hashes

TEST(VerifyFile, checks_the_length_and_every_known_hash) {
  const auto sha256 = sha256_hex("data");
  EXPECT_OK(verify_file("f", "data", {}));
  EXPECT_OK(verify_file("f", "data", {1, 4, {{"sha256", sha256}, {"blake3", "anything"}}}));
  EXPECT_FAILS(verify_file("f", "data", {1, 3, {}}), Code::untrusted, "4 bytes, 3 were promised");
  EXPECT_FAILS(verify_file("f", "data", {1, 4, {{"sha256", sha256}, {"sha512", sha256}}}), Code::untrusted, "sha512");
  EXPECT_FAILS(verify_file("f", "data", {1, {}, {{"sha256", sha256.substr(0, 63)}}}), Code::untrusted, "sha256");
  auto upper = sha256;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_FAILS(verify_file("f", "data", {1, {}, {{"sha256", upper}}}), Code::untrusted, "sha256");
  EXPECT_FAILS(verify_file("f", "data", {1, {}, {{"blake3", "anything"}}}), Code::untrusted, "unknown algorithms");
}

// --- Shapes

std::string document_of(const json::value& signed_part) { return json::serialize(json::object{{"signed", signed_part}, {"signatures", json::array{}}}); }

// Valid documents that use every member there is.
json::object full_targets() {
  TufRepo repo;
  repo.delegate("targets", "A", {{"a/*", "b"}});
  repo.delegate("targets", "B", {.hash_prefixes = {"00"}});
  repo.add_target("targets", "x", "content");
  repo.document("targets")["targets"].as_object()["x"].as_object()["custom"] = json::object{{"k", 1}};
  return repo.document("targets");
}
json::object succinct_targets() {
  auto out = TufRepo::new_targets();
  out["delegations"] = json::object{{"keys", json::object{}},
                                    {"succinct_roles", json::object{{"keyids", json::array{"k"}}, {"threshold", 1}, {"bit_length", 8}, {"name_prefix", "bin"}}}};
  return out;
}
json::object full_snapshot() {
  TufRepo repo;
  repo.meta_hashes = true;
  repo.publish_all();
  return repo.document("snapshot");
}

// Parses as everything; must neither crash nor throw, and answers whether `Body` took it.
template <class Body>
bool parses(const json::value& signed_part) {
  const auto text = document_of(signed_part);
  (void)Metadata<Root>::parse(text);
  (void)Metadata<Timestamp>::parse(text);
  (void)Metadata<Snapshot>::parse(text);
  (void)Metadata<Targets>::parse(text);
  return Metadata<Body>::parse(text).has_value();
}

// Calls `use` with each variant of `whole` in which one value, at any depth, is replaced or removed. `path` says where.
void for_each_mutation(json::value& whole, json::value& here, const std::string& path, const std::function<void(const std::string&)>& use) {
  const json::value wrong[] = {nullptr, json::array{}, json::object{}, "", -1, 1.5, true, json::array{nullptr}};
  const json::value good = here;
  for (const auto& value : wrong) {
    if (value.kind() == good.kind() && value.kind() != json::kind::int64) continue;
    here = value;
    use(cat(path, " = ", json::serialize(value)));
  }
  here = good;
  if (auto* object = here.if_object()) {
    std::vector<std::string> names;
    for (const auto& member : *object) names.emplace_back(member.key());
    for (const auto& name : names) {
      for_each_mutation(whole, (*object)[name], cat(path, ".", name), use);
      const json::value kept = (*object)[name];
      object->erase(name);
      use(cat(path, ".", name, " removed"));
      (*object)[name] = kept;
    }
  } else if (auto* array = here.if_array()) {
    for (std::size_t i = 0; i < array->size(); ++i) for_each_mutation(whole, (*array)[i], cat(path, "[", std::to_string(i), "]"), use);
  }
}

template <class Body>
void expect_every_mutation_refused(json::object document, const std::vector<std::string>& may_be_wrong) {
  json::value whole = std::move(document);
  ASSERT_TRUE(parses<Body>(whole));
  for_each_mutation(whole, whole, "", [&](const std::string& what) {
    const bool harmless = std::any_of(may_be_wrong.begin(), may_be_wrong.end(), [&](const std::string& prefix) { return what.find(prefix) != std::string::npos; });
    if (!harmless) {
      EXPECT_FALSE(parses<Body>(whole)) << what;
    } else {
      (void)parses<Body>(whole);
    }
  });
}

TEST(MetadataShape, no_member_of_root_may_be_of_another_kind) {
  // Which key is meant, and what it is, decide only what can be verified; consistent_snapshot may be absent.
  expect_every_mutation_refused<Root>(TufRepo().root(), {".keyval.public", ".keytype", ".scheme", ".consistent_snapshot removed", ".keys.", ".keys = {}"});
}
TEST(MetadataShape, no_member_of_timestamp_may_be_of_another_kind) {
  TufRepo repo;
  repo.meta_hashes = true;
  repo.publish_all();
  expect_every_mutation_refused<Timestamp>(repo.document("timestamp"), {".length removed", ".hashes removed", ".sha256 removed", ".length = "});
}
TEST(MetadataShape, no_member_of_snapshot_may_be_of_another_kind) {
  expect_every_mutation_refused<Snapshot>(full_snapshot(), {".length removed", ".hashes removed", ".sha256 removed", "targets.json removed"});
}
TEST(MetadataShape, no_member_of_targets_may_be_of_another_kind) {
  expect_every_mutation_refused<Targets>(full_targets(), {".keyval.public", ".keytype", ".scheme", ".keys.", ".custom.k", ".custom removed", ".delegations removed", ".sha256 removed", ".targets.x removed"});
  expect_every_mutation_refused<Targets>(succinct_targets(), {".delegations removed"});
}

TEST(MetadataShape, errors_name_the_member) {
  auto root = TufRepo().root();
  root["roles"].as_object()["snapshot"].as_object()["threshold"] = 0;
  EXPECT_FAILS(Metadata<Root>::parse(document_of(root)), Code::invalid, "signed.roles.snapshot.threshold must be an integer of at least 1");
  auto targets = full_targets();
  targets["targets"].as_object()["x"].as_object().erase("length");
  EXPECT_FAILS(Metadata<Targets>::parse(document_of(targets)), Code::invalid, "signed.targets.x.length is missing");
  auto timestamp = TufRepo().document("timestamp");
  timestamp["expires"] = "tomorrow";
  EXPECT_FAILS(Metadata<Timestamp>::parse(document_of(timestamp)), Code::invalid, "signed.expires");
}

TEST(MetadataShape, specification_versions_of_major_1_are_known) {
  auto targets = TufRepo::new_targets();
  for (const char* good : {"1.0.34", "1.0", "1.0.0", "1.99.7"}) {
    targets["spec_version"] = good;
    EXPECT_TRUE(parses<Targets>(targets)) << good;
  }
  for (const char* bad : {"", "1", "1.", "2.0.0", "10.0", "1.0.", "1.x", "1.0.0.0", "1.0-rc", " 1.0"}) {
    targets["spec_version"] = bad;
    EXPECT_FALSE(parses<Targets>(targets)) << bad;
  }
}

TEST(MetadataShape, delegations_have_exactly_one_kind_of_roles_and_of_paths) {
  auto both = full_targets();
  both["delegations"].as_object()["succinct_roles"] = succinct_targets()["delegations"].at("succinct_roles");
  EXPECT_FAILS(Metadata<Targets>::parse(document_of(both)), Code::invalid, "exactly one of roles and succinct_roles");
  auto paths = full_targets();
  paths["delegations"].as_object()["roles"].as_array()[0].as_object()["path_hash_prefixes"] = json::array{};
  EXPECT_FAILS(Metadata<Targets>::parse(document_of(paths)), Code::invalid, "exactly one of paths and path_hash_prefixes");
  auto bits = succinct_targets();
  bits["delegations"].at("succinct_roles").as_object()["bit_length"] = 33;
  EXPECT_FAILS(Metadata<Targets>::parse(document_of(bits)), Code::invalid, "at most 32");
}

TEST(MetadataShape, delegated_names_are_unique_not_empty_and_not_top_level) {
  for (const char* bad : {"", "root", "timestamp", "snapshot", "targets"}) {
    auto targets = full_targets();
    targets["delegations"].as_object()["roles"].as_array()[0].as_object()["name"] = bad;
    EXPECT_FAILS(Metadata<Targets>::parse(document_of(targets)), Code::invalid, "name") << bad;
  }
  auto twice = full_targets();
  twice["delegations"].as_object()["roles"].as_array()[1].as_object()["name"] = "A";
  EXPECT_FAILS(Metadata<Targets>::parse(document_of(twice)), Code::invalid, "A is there twice");
}

TEST(MetadataShape, key_ids_of_a_role_are_unique) {
  auto root = TufRepo().root();
  auto& keyids = root["roles"].as_object()["root"].as_object()["keyids"].as_array();
  keyids.push_back(json::value(keyids[0]));
  EXPECT_FAILS(Metadata<Root>::parse(document_of(root)), Code::invalid, "names a key twice");
}

TEST(MetadataShape, what_two_parsers_could_read_differently_is_refused) {
  const auto good = TufRepo().files.at("timestamp.json");
  ASSERT_OK(Metadata<Timestamp>::parse(good));
  EXPECT_OK(Metadata<Timestamp>::parse(good + " \n"));
  EXPECT_FALSE(Metadata<Timestamp>::parse(good + "x"));
  auto twice = good;
  twice.insert(twice.find("\"version\""), "\"version\":9,");
  EXPECT_FALSE(Metadata<Timestamp>::parse(twice));
  auto fraction = good;
  fraction.replace(fraction.find("\"version\":1"), 11, "\"version\":1.0");
  EXPECT_FALSE(Metadata<Timestamp>::parse(fraction));
  auto huge = good;
  huge.replace(huge.find("\"version\":1"), 11, "\"version\":99999999999999999999");
  EXPECT_FALSE(Metadata<Timestamp>::parse(huge));
}

// Strings are walked eight bytes at a time: nothing may hide at any offset of a word.
TEST(MetadataShape, special_bytes_are_seen_at_every_position) {
  for (std::size_t length = 1; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      const auto with = [&](const char* what) { return std::string(at, '!') + what + std::string(length - at - 1, '\x7f'); };
      for (const char* bad : {"\x01", "\x1f", "\x80", "\xff", "\xc3", "\xed\xa0\x80"}) EXPECT_FALSE(parse_strict(cat("\"", with(bad), "\""))) << length << " " << at;
      for (const auto& [escaped, plain] : {std::pair<const char*, const char*>{"\\\"", "\""}, {"\\\\", "\\"}, {"\xc3\xa9", "\xc3\xa9"}, {"\\u00e9", "\xc3\xa9"}, {"\\n", "\n"}}) {
        const auto value = parse_strict(cat("\"", with(escaped), "\""));
        ASSERT_OK(value);
        EXPECT_EQ(std::string(value->as_string()), with(plain));
        const std::string shown = *plain == '"' ? "\\\"" : *plain == '\\' ? "\\\\" : plain;
        EXPECT_EQ(canonical(*value), cat("\"", with(shown.c_str()), "\""));
      }
    }
  }
}

TEST(MetadataShape, signed_bytes_keep_members_that_nobody_knows) {
  auto targets = TufRepo::new_targets();
  targets["zz"] = json::object{{"b", 1}, {"a", "\n\"\\\xc3\xa9"}};
  const auto metadata = Metadata<Targets>::parse(document_of(targets)).value();
  EXPECT_NE(metadata.signed_bytes.find("\"zz\":{\"a\":\"\n\\\"\\\\\xc3\xa9\",\"b\":1}"), std::string::npos) << metadata.signed_bytes;
}

}  // namespace
}  // namespace picket::trust
