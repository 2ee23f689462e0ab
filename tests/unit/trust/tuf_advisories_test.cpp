// One test for each advisory (and each fix without one) that other TUF implementations needed: the same mistake must not be made here.
// CVE-2026-24686 (go-tuf: repository names of TAP 4's map.json climbed out of the folder) does not apply: there is no map.json.
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "support/tuf_client_fixture.hpp"
#include "trust/json.hpp"

namespace picket::trust {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using support::TufRepo;
using Advisory = support::TufClientTest;

// go-tuf: valid JSON of the wrong shape panicked before any signature was checked; 3288aeb: null where an object was expected.
TEST_F(Advisory, CVE_2026_23991_wrong_shapes_are_errors_before_any_signature_is_checked) {
  for (const char* bad : {"null", "[]", "1", "\"\"", "{}", R"({"signed":null,"signatures":[]})", R"({"signed":{},"signatures":null})", R"({"signed":[],"signatures":[]})",
                          R"({"signed":{"_type":null}})", R"({"signed":{"_type":"root"},"signatures":[null]})", R"({"signatures":[{"keyid":null,"sig":null}]})"}) {
    for (const char* file : {"2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"}) {
      fs::remove_all(folder_ / "metadata");
      ASSERT_OK(init());
      repo_.tamper = [&](std::string_view path, Result<std::string> answer) -> Result<std::string> {
        if (path == file) return std::string(bad);
        return answer;
      };
      EXPECT_FAILS(refresh(), Code::invalid, "") << file << " is " << bad;
    }
  }
}

// python-tuf: a threshold of 0 made every signature unnecessary.
TEST_F(Advisory, GHSA_fphv_w9fq_2525_a_threshold_below_one_is_refused) {
  for (const json::value& threshold : std::initializer_list<json::value>{0, -1, "1", nullptr, true, 1.5}) {
    TufRepo repo;
    repo.role_keys("timestamp")["threshold"] = threshold;
    EXPECT_FAILS(Metadata<Root>::parse(json::serialize(json::object{{"signed", repo.root()}, {"signatures", json::array{}}})), Code::invalid, "") << threshold;
    repo = TufRepo();
    repo.delegate("targets", "A");
    repo.document("targets")["delegations"].as_object()["roles"].as_array()[0].as_object()["threshold"] = threshold;
    EXPECT_FAILS(Metadata<Targets>::parse(json::serialize(json::object{{"signed", repo.document("targets")}, {"signatures", json::array{}}})), Code::invalid, "") << threshold;
  }
  EXPECT_FAILS(verify_threshold("x", RoleKeys{{}, 0}, {}, "", {}), Code::untrusted, "") << "not even when the parser was passed by";
}

// go-tuf f5edbde: one ECDSA key under both spellings of its type counted twice.
TEST_F(Advisory, go_tuf_f5edbde_one_key_under_two_key_types_counts_once) {
  const auto key = TufRepo::new_key("ecdsa");
  auto other_spelling = key.public_key().to_json();
  other_spelling["keytype"] = other_spelling.at("keytype").as_string() == "ecdsa" ? "ecdsa-sha2-nistp256" : "ecdsa";
  KeyMap keys;
  keys.emplace("one", key.public_key());
  keys.emplace("two", PublicKey::parse(other_spelling).value());
  ASSERT_TRUE(keys.at("two").can_verify());
  const auto sig = key.sign("message").value();
  EXPECT_OK(verify_threshold("x", RoleKeys{{"one", "two"}, 1}, keys, "message", {{"one", sig}, {"two", sig}}));
  EXPECT_FAILS(verify_threshold("x", RoleKeys{{"one", "two"}, 2}, keys, "message", {{"one", sig}, {"two", sig}}), Code::untrusted, "by 1 of its keys, 2 are needed");
}

// TAP 12: many key ids for one key.
TEST_F(Advisory, tap_12_many_key_ids_of_one_key_count_once) {
  ASSERT_OK(init());
  const auto key = repo_.signers["snapshot"][0];
  auto& role = repo_.role_keys("snapshot");
  for (int i = 0; i < 9; ++i) {
    const auto id = cat("alias", std::to_string(i));
    repo_.root()["keys"].as_object()[id] = key.public_key().to_json();
    role["keyids"].as_array().emplace_back(id);
  }
  role["threshold"] = 2;
  repo_.publish({"root"});
  auto text = json::parse(repo_.files.at("1.snapshot.json"));
  auto& signatures = text.as_object()["signatures"].as_array();
  for (int i = 0; i < 9; ++i) signatures.push_back(json::object{{"keyid", cat("alias", std::to_string(i))}, {"sig", signatures[0].at("sig")}});
  repo_.files["1.snapshot.json"] = json::serialize(text);
  EXPECT_FAILS(refresh(), Code::untrusted, "snapshot is signed by 1 of its keys");
  EXPECT_EQ(version("snapshot"), 0);
}

// tough: the same signature repeated reached the threshold.
TEST_F(Advisory, CVE_2026_6966_repeated_signatures_are_refused) {
  ASSERT_OK(init());
  const auto add_again = [](const std::string& bytes) {
    auto text = json::parse(bytes);
    auto& signatures = text.as_object()["signatures"].as_array();
    signatures.push_back(json::value(signatures[0]));
    return json::serialize(text);
  };
  repo_.files["1.snapshot.json"] = add_again(repo_.files.at("1.snapshot.json"));
  EXPECT_FAILS(refresh(), Code::invalid, "twice");
  EXPECT_EQ(version("snapshot"), 0);
  // And where somebody builds the list otherwise, only the first counts.
  const auto key = TufRepo::new_key(), unused = TufRepo::new_key();
  KeyMap keys;
  keys.emplace("a", key.public_key());
  keys.emplace("b", unused.public_key());
  const Signature sig{"a", key.sign("m").value()};
  EXPECT_FAILS(verify_threshold("x", RoleKeys{{"a", "b"}, 2}, keys, "m", {sig, sig, sig}), Code::untrusted, "by 1");
}

// tough #946, root-signing #1431: key ids that are no hash of the key broke clients that recomputed them.
TEST_F(Advisory, tough_946_key_ids_are_opaque_and_a_mismatch_is_told) {
  const auto key = TufRepo::new_key();
  repo_.root()["keys"].as_object()["any name"] = key.public_key().to_json();
  repo_.role_keys("timestamp")["keyids"] = json::array{"any name"};
  repo_.publish({"root"});
  const auto sig_over = [&](const json::object& document) {
    const auto sig = to_hex(key.sign(canonical(parse_strict(json::serialize(document)).value())).value());
    return json::serialize(json::object{{"signed", document}, {"signatures", json::array{json::object{{"keyid", "any name"}, {"sig", sig}}}}});
  };
  repo_.files["timestamp.json"] = sig_over(repo_.document("timestamp"));
  EXPECT_OK(init_and_refresh());
  EXPECT_TRUE(told("is called any name"));
}

// python-tuf 5.1 refused a whole file for one key of unknown type.
TEST_F(Advisory, python_tuf_5_1_an_unknown_key_type_only_cannot_verify) {
  ASSERT_OK(init());
  repo_.root()["keys"].as_object()["pq"] = json::object{{"keytype", "ml-dsa"}, {"scheme", "ml-dsa-65"}, {"keyval", json::object{{"public", "00"}}}};
  for (const char* role : {"root", "timestamp", "snapshot", "targets"}) repo_.role_keys(role)["keyids"].as_array().emplace_back("pq");
  repo_.publish({"root"});
  EXPECT_OK(refresh());
  repo_.role_keys("timestamp")["threshold"] = 2;
  repo_.publish({"root"});
  EXPECT_FAILS(refresh(), Code::untrusted, "timestamp is signed by 1");
}

// go-tuf 33d359c: lengths of Ed25519 keys and signatures were not checked. A signature that is no hex is no signature, not an error.
TEST_F(Advisory, go_tuf_33d359c_odd_keys_and_signatures_count_as_not_signed) {
  const auto key = TufRepo::new_key();
  const auto good = key.sign("m").value();
  auto short_key = key.public_key().to_json();
  short_key["keyval"].as_object()["public"] = std::string(62, 'a');
  EXPECT_FALSE(PublicKey::parse(short_key).value().can_verify());
  KeyMap keys;
  keys.emplace("k", key.public_key());
  for (const auto& sig : {std::string(), good.substr(0, 63), good + "x", std::string(64, '\0'), std::string(1'000'000, 'x')})
    EXPECT_FAILS(verify_threshold("x", RoleKeys{{"k"}, 1}, keys, "m", {{"k", sig}}), Code::untrusted, "by 0");
  for (const char* hex : {"", "0", "zz", "0x00"}) {
    auto text = json::parse(repo_.files.at("timestamp.json"));
    text.as_object()["signatures"].as_array().push_back(json::object{{"keyid", "other"}, {"sig", hex}});
    EXPECT_OK(Metadata<Timestamp>::parse(json::serialize(text)));
  }
}

// python-tuf on Windows compared paths without regard to case.
TEST_F(Advisory, GHSA_qp9x_wp8f_qgjj_paths_are_case_sensitive) {
  EXPECT_TRUE((DelegatedRole{"r", {}, false, {"Dir/*.TXT"}, {}}.matches("Dir/a.TXT")));
  EXPECT_FALSE((DelegatedRole{"r", {}, false, {"Dir/*.TXT"}, {}}.matches("dir/a.TXT")));
  EXPECT_FALSE((DelegatedRole{"r", {}, false, {"Dir/*.TXT"}, {}}.matches("Dir/a.txt")));
}

// go-tuf compares path_hash_prefixes with base64, so that they never match.
TEST_F(Advisory, go_tuf_path_hash_prefixes_are_hex) {
  const auto hash = sha256_hex("a/b");
  for (const auto& prefix : {hash.substr(0, 1), hash.substr(0, 2), hash.substr(0, 7), hash}) EXPECT_TRUE((DelegatedRole{"r", {}, false, {}, {prefix}}.matches("a/b"))) << prefix;
  EXPECT_FALSE((DelegatedRole{"r", {}, false, {}, {to_base64(*from_hex(hash)).substr(0, 4)}}.matches("a/b")));
}

// python-tuf (role names), tough and sigstore (target names): `../` climbed out of the folder.
TEST_F(Advisory, CVE_2021_41131_role_names_stay_inside_of_the_folder) {
  for (const char* role : {"../../escaped", "/etc/escaped", "..\\escaped", "a/../../escaped"}) repo_.delegate("targets", role);
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_FALSE(find("x").value());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "metadata")) EXPECT_TRUE(entry.is_regular_file()) << entry.path();
  EXPECT_TRUE(fs::exists(folder_ / "metadata/..%2F..%2Fescaped.json"));
}

TEST_F(Advisory, CVE_2026_6968_GHSA_fcv2_xgw5_pqxf_target_names_that_climb_are_refused) {
  repo_.add_target("targets", "../../etc/passwd", "x");
  repo_.publish_all();
  ASSERT_OK(init());
  for (const char* path : {"../../etc/passwd", "/etc/passwd", "a/../b", "a/./b", "a//b", "a/", ".", "..", "", "a\\..\\b", "a\nb", "a\x7f", "\xff"})
    EXPECT_FAILS(find(path), Code::invalid, "target path") << path;
}

// go-tuf and tough stored files before they had checked them; the next run then trusted (or lost) them.
TEST_F(Advisory, CVE_2022_29173_CVE_2025_2888_nothing_is_stored_before_its_checks) {
  ASSERT_OK(init_and_refresh());
  const auto good_timestamp = stored("timestamp.json"), good_snapshot = stored("snapshot.json"), good_targets = stored("targets.json");
  // Rightly signed, but each wrong in the last thing that is looked at: it is expired.
  for (const char* role : {"timestamp", "snapshot", "targets"}) {
    auto& document = repo_.document(role);
    const auto expires = document["expires"];
    document["expires"] = format_time(now_ - 1);
    repo_.publish_all();
    EXPECT_FAILS(refresh(), Code::expired, role);
    document["expires"] = expires;
    EXPECT_EQ(stored("timestamp.json") == good_timestamp, std::string_view(role) == "timestamp");
    EXPECT_EQ(stored("snapshot.json") == good_snapshot, std::string_view(role) != "targets");
    EXPECT_EQ(stored("targets.json"), good_targets);
  }
  repo_.publish_all();
  EXPECT_OK(refresh());
}

// tough: delegated metadata was taken without the checks of top-level metadata.
TEST_F(Advisory, CVE_2026_6967_delegated_roles_get_the_same_checks_expiry) {
  repo_.delegate("targets", "A");
  repo_.document("A")["expires"] = format_time(now_ - 1);
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_FAILS(find("x"), Code::expired, "A version 1 expired");
  EXPECT_EQ(version("A"), 0);
}

TEST_F(Advisory, CVE_2026_6967_delegated_roles_get_the_same_checks_hash_and_length) {
  repo_.meta_hashes = true;
  repo_.delegate("targets", "A");
  repo_.publish({"targets", "A", "snapshot", "timestamp"});
  ASSERT_OK(init());
  const auto good = repo_.files.at("1.A.json");
  repo_.files["1.A.json"] = " " + good.substr(0, good.size() - 1);
  EXPECT_FAILS(find("x"), Code::untrusted, "A does not have the promised sha256");
  repo_.files["1.A.json"] = good + " ";
  EXPECT_FAILS(find("x"), Code::too_large, "1.A.json");
  EXPECT_EQ(version("A"), 0);
}

TEST_F(Advisory, CVE_2026_6967_delegated_roles_get_the_same_checks_version_and_size) {
  repo_.delegate("targets", "A");
  repo_.publish_all();
  ASSERT_OK(init());
  repo_.document("A")["version"] = 2;
  repo_.files["1.A.json"] = TufRepo::sign(repo_.document("A"), repo_.signers["A"]);
  EXPECT_FAILS(find("x"), Code::untrusted, "A has version 2, snapshot says 1");
  repo_.files["1.A.json"] = std::string(5'000'001, ' ');
  EXPECT_FAILS(find("x"), Code::too_large, "1.A.json");
}

// tough: a delegated role could go back to an older version.
TEST_F(Advisory, CVE_2025_2887_delegated_roles_cannot_be_rolled_back) {
  repo_.delegate("targets", "A");
  repo_.publish_all();
  repo_.publish_all();
  ASSERT_OK(init());
  ASSERT_OK(find("x"));
  repo_.document("A")["version"] = 1;
  repo_.publish_as_is("A");
  repo_.publish({"snapshot", "timestamp"});
  EXPECT_FAILS(find("x"), Code::untrusted, "A.json (in snapshot) version fell from 2 to 1");
  EXPECT_EQ(version("A"), 2);
}

// tough: the version of a new root was not looked at.
TEST_F(Advisory, CVE_2025_2885_root_must_have_exactly_the_next_version) {
  ASSERT_OK(init());
  for (const int wrong : {1, 3, 1000}) {
    repo_.root()["version"] = wrong;
    repo_.files["2.root.json"] = TufRepo::sign(repo_.root(), repo_.signers["root"]);
    EXPECT_FAILS(refresh(), Code::untrusted, "where 2 was expected");
    EXPECT_EQ(version("root"), 1);
  }
}

// tough: a terminating delegation did not end the search.
TEST_F(Advisory, CVE_2025_2886_a_terminating_delegation_ends_the_search) {
  repo_.delegate("targets", "A", {{"*"}, true});
  repo_.delegate("targets", "B");
  repo_.add_target("B", "x", "from B");
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_FALSE(find("x").value());
  EXPECT_EQ(repo_.requests.back(), "1.A.json");
}

// go-tuf: roles were not searched in the order that the delegator gave them.
TEST_F(Advisory, CVE_2024_47534_roles_are_searched_in_the_order_of_the_list) {
  // Names and insertion such that neither alphabet nor a hash map gives this order by chance.
  const std::vector<std::string> order = {"m", "z", "a", "k", "b", "y", "c", "x"};
  for (const auto& role : order) {
    repo_.delegate("targets", role);
    repo_.add_target(role, "same", role);
  }
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_EQ(find("same").value()->role, "m");
  for (const auto& role : order) {
    EXPECT_EQ(find("same").value()->role, role);
    repo_.document(role)["targets"].as_object().erase("same");
    repo_.publish_all();
  }
}

// A cycle of delegations must end, also when each name is new.
TEST_F(Advisory, cycles_and_endless_chains_of_delegations_end) {
  repo_.delegate("targets", "A");
  repo_.delegate("A", "B");
  repo_.delegate("B", "A");
  for (int i = 0; i < 60; ++i) repo_.delegate(i == 0 ? "B" : cat("n", std::to_string(i - 1)), cat("n", std::to_string(i)));
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_FAILS(find("x"), Code::too_large, "more than 32 delegated roles");
  EXPECT_EQ(repo_.requests.size(), 4U + 32U);
}

}  // namespace
}  // namespace picket::trust
