// 5.6.7: the search through delegations.
#include <boost/json/array.hpp>

#include "support/tuf_client_fixture.hpp"

namespace picket::trust {
namespace {

namespace json = boost::json;
using support::TufRepo;
using Delegation = support::TufClientTest;
using Requests = std::vector<std::string>;

struct Edge {
  const char* from;
  const char* to;
  TufRepo::Delegation how = {};
};

class DelegationSearch : public support::TufClientTest {
 protected:
  // Publishes the graph, looks for a path that nobody has, and says which delegated roles were asked for, in order.
  std::vector<std::string> visited(const std::vector<Edge>& edges, const char* path = "missing") {
    for (const auto& [from, to, how] : edges) repo_.delegate(from, to, how);
    repo_.publish_all();
    if (auto done = init(); !done) return {support::why(done)};
    const auto found = find(path);
    if (!found) return {support::why(found)};
    std::vector<std::string> out;
    for (const auto& request : repo_.requests) {
      const auto name = request.substr(request.find('.') + 1);
      if (name != "root.json" && name != "json" && name != "snapshot.json" && name != "targets.json") out.push_back(name.substr(0, name.size() - 5));
    }
    return out;
  }
};
using Roles = std::vector<std::string>;
const TufRepo::Delegation terminating{{"*"}, true};
const TufRepo::Delegation only_py{{"*.py"}};

TEST_F(DelegationSearch, is_pre_order_depth_first_in_the_order_of_the_lists) {
  EXPECT_EQ(visited({{"targets", "A"}, {"targets", "B"}, {"A", "C"}, {"A", "D"}}), (Roles{"A", "C", "D", "B"}));
}
TEST_F(DelegationSearch, goes_three_levels_down_before_the_next_sibling) {
  EXPECT_EQ(visited({{"targets", "A"}, {"targets", "B"}, {"A", "C"}, {"C", "D"}}), (Roles{"A", "C", "D", "B"}));
}
TEST_F(DelegationSearch, ends_with_a_terminating_role_and_what_it_delegates) {
  EXPECT_EQ(visited({{"targets", "A"}, {"targets", "B"}, {"A", "C", terminating}, {"A", "D"}, {"C", "E"}}), (Roles{"A", "C", "E"}));
}
TEST_F(DelegationSearch, does_not_end_with_a_terminating_role_whose_paths_do_not_match) {
  EXPECT_EQ(visited({{"targets", "A", {{"*.py"}, true}}, {"targets", "B"}}), (Roles{"B"}));
}
TEST_F(DelegationSearch, leaves_out_branches_that_do_not_match) {
  EXPECT_EQ(visited({{"targets", "A", only_py}, {"targets", "B"}, {"A", "C"}}), (Roles{"B"}));
}
TEST_F(DelegationSearch, visits_each_role_once_even_in_a_cycle) {
  EXPECT_EQ(visited({{"targets", "A"}, {"targets", "B"}, {"B", "C"}, {"C", "D"}, {"D", "B"}, {"D", "D"}}), (Roles{"A", "B", "C", "D"}));
}
TEST_F(DelegationSearch, reaches_a_shared_role_through_the_first_that_delegates) {
  EXPECT_EQ(visited({{"targets", "A"}, {"targets", "B"}, {"B", "C"}, {"A", "C"}}), (Roles{"A", "C", "B"}));
}
TEST_F(DelegationSearch, reaches_a_shared_role_through_the_one_that_matches) {
  EXPECT_EQ(visited({{"targets", "A"}, {"targets", "B"}, {"B", "C"}, {"A", "C", only_py}}), (Roles{"A", "B", "C"}));
}

TEST_F(Delegation, a_target_is_found_only_below_delegations_that_all_match) {
  repo_.delegate("targets", "A", {{"*.doc", "*.md"}});
  repo_.delegate("targets", "B", {{"releases/*/*"}});
  repo_.delegate("B", "C", {{"releases/x/*"}});
  repo_.delegate("B", "D", {{"releases/y/*.zip"}});
  repo_.add_target("targets", "top", "0");
  repo_.add_target("A", "README.md", "1");
  repo_.add_target("C", "releases/x/x_v1", "2");
  repo_.add_target("D", "releases/z/z_v1.zip", "3");
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_EQ(find("top").value()->role, "targets");
  EXPECT_EQ(find("README.md").value()->role, "A");
  EXPECT_EQ(find("releases/x/x_v1").value()->role, "C");
  EXPECT_FALSE(find("releases/z/z_v1.zip").value());
  EXPECT_FALSE(find("releases/x/other").value());
}

TEST_F(Delegation, the_answer_carries_length_hashes_and_custom) {
  repo_.delegate("targets", "A", {{"dir/*"}});
  repo_.add_target("A", "dir/file", "content");
  repo_.document("A")["targets"].as_object()["dir/file"].as_object()["custom"] = json::object{{"picket", json::object{{"release", 7}}}};
  repo_.publish_all();
  ASSERT_OK(init());
  const auto target = find("dir/file").value().value();
  EXPECT_EQ(target.path, "dir/file");
  EXPECT_EQ(target.file.length, 7U);
  EXPECT_EQ(target.file.hashes.at("sha256"), sha256_hex("content"));
  EXPECT_EQ(target.file.custom.at("picket").at("release").as_int64(), 7);
}

TEST_F(Delegation, the_first_role_in_order_that_lists_a_path_wins) {
  repo_.delegate("targets", "A");
  repo_.delegate("targets", "B");
  repo_.add_target("A", "x", "from A");
  repo_.add_target("B", "x", "from B");
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_EQ(find("x").value()->role, "A");
}

TEST_F(Delegation, a_role_that_cannot_be_had_ends_the_search) {
  repo_.delegate("targets", "A");
  repo_.delegate("targets", "B");
  repo_.add_target("B", "x", "from B");
  repo_.publish_all();
  repo_.files.erase("1.A.json");
  ASSERT_OK(init());
  EXPECT_FAILS(find("x"), Code::not_found, "1.A.json");
  EXPECT_EQ(repo_.requests.back(), "1.A.json") << "B may not answer for A";
}

TEST_F(Delegation, a_role_that_cannot_be_verified_ends_the_search_and_is_not_stored) {
  repo_.delegate("targets", "A");
  repo_.delegate("targets", "B");
  repo_.add_target("B", "x", "from B");
  repo_.signers["A"] = {TufRepo::new_key()};
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_FAILS(find("x"), Code::untrusted, "A is signed by 0");
  EXPECT_EQ(repo_.requests.back(), "1.A.json");
  EXPECT_EQ(version("A"), 0);
}

TEST_F(Delegation, a_role_that_snapshot_does_not_list_is_an_error) {
  repo_.delegate("targets", "A");
  repo_.publish({"targets", "snapshot", "timestamp"});
  ASSERT_OK(init());
  EXPECT_FAILS(find("x"), Code::untrusted, "snapshot does not list A.json");
}

TEST_F(Delegation, visits_no_more_roles_than_the_limit) {
  limits_.delegated_roles = 4;
  for (int i = 1; i <= 5; ++i) repo_.delegate(i == 1 ? "targets" : cat("r", std::to_string(i - 1)), cat("r", std::to_string(i)));
  repo_.add_target("r4", "in4", "4");
  repo_.add_target("r5", "in5", "5");
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_TRUE(find("in4").value().has_value());
  EXPECT_FAILS(find("in5"), Code::too_large, "more than 4 delegated roles");
  EXPECT_EQ(repo_.requests.size(), 2U) << "and asks for no role beyond it";
}

TEST_F(Delegation, keys_belong_to_the_delegator) {
  // C is signed by the key that B names for it; A names another: the file that was good for B is not good for A.
  repo_.delegate("targets", "B", {{"b/*"}});
  repo_.delegate("targets", "A", {{"a/*"}});
  repo_.delegate("B", "C");
  repo_.document("B")["delegations"].as_object()["roles"].as_array()[0].as_object()["paths"] = json::array{"b/*"};
  const auto good = repo_.signers["C"];
  repo_.signers["C"] = {TufRepo::new_key()};
  repo_.delegate("A", "C", {{"a/*"}});
  repo_.signers["C"] = good;
  repo_.add_target("C", "b/x", "1");
  repo_.add_target("C", "a/x", "2");
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_FAILS(find("a/x"), Code::untrusted, "C is signed by 0");
  const auto client = open();
  ASSERT_OK(client->refresh());
  EXPECT_TRUE(client->find_target("b/x").value().has_value());
  EXPECT_FAILS(client->find_target("a/x"), Code::untrusted, "C is signed by 0");
}

TEST_F(Delegation, stored_roles_are_not_asked_for_again) {
  repo_.delegate("targets", "A");
  repo_.add_target("A", "x", "1");
  repo_.publish_all();
  ASSERT_OK(init());
  ASSERT_TRUE(find("x").value());
  EXPECT_EQ(stored("A.json"), repo_.files.at("1.A.json"));
  ASSERT_TRUE(find("x").value());
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "timestamp.json"}));
}

TEST_F(Delegation, offline_only_stored_roles_answer) {
  repo_.delegate("targets", "A", {{"a"}});
  repo_.delegate("targets", "B", {{"b"}});
  repo_.add_target("A", "a", "1");
  repo_.add_target("B", "b", "2");
  repo_.publish_all();
  ASSERT_OK(init());
  ASSERT_TRUE(find("a").value());
  repo_.requests.clear();
  const auto client = open();
  ASSERT_OK(client->load_local());
  EXPECT_TRUE(client->find_target("a").value().has_value());
  EXPECT_FAILS(client->find_target("b"), Code::not_found, "B version 1 is not stored");
  EXPECT_FAILS(client->targets_of("B"), Code::conflict, "B version 1 is not stored");
  EXPECT_TRUE(repo_.requests.empty());
}

TEST_F(Delegation, a_source_that_lacks_a_delegated_role_does_not_look_as_if_nobody_delegated_to_it) {
  repo_.delegate("targets", "A");
  repo_.add_target("A", "x", "1");
  repo_.publish_all();
  ASSERT_OK(init());
  const auto client = open();
  ASSERT_OK(client->refresh());
  repo_.tamper = [](std::string_view path, Result<std::string> answer) { return path == "1.A.json" ? Result<std::string>(fail(Code::not_found, "no such file")) : answer; };
  EXPECT_FAILS(client->targets_of("A"), Code::conflict, "targets delegates to A, but get 1.A.json: no such file");
  EXPECT_FAILS(client->targets_of("B"), Code::not_found, "no role called B");
  repo_.tamper = [](std::string_view path, Result<std::string> answer) {
    if (path == "1.A.json") (*answer)[answer->size() / 2] ^= 1;
    return answer;
  };
  EXPECT_FALSE(client->targets_of("A"));
  EXPECT_EQ(stored("A.json"), "");
  repo_.tamper = nullptr;
  EXPECT_EQ(client->targets_of("A").value().size(), 1U) << "without another refresh";
}

TEST_F(Delegation, a_damaged_stored_role_is_fetched_again) {
  repo_.delegate("targets", "A");
  repo_.add_target("A", "x", "1");
  repo_.meta_hashes = true;
  repo_.publish_all();
  repo_.publish({"snapshot", "timestamp"});
  ASSERT_OK(init());
  ASSERT_TRUE(find("x").value());
  auto bad = stored("A.json");
  bad[bad.size() / 2] ^= 1;
  store("A.json", bad);
  EXPECT_TRUE(find("x").value());
  EXPECT_TRUE(told("stored A cannot be used"));
  EXPECT_EQ(stored("A.json"), repo_.files.at("1.A.json"));
}

TEST_F(Delegation, hash_prefixes_choose_by_the_hash_of_the_path) {
  const std::string path = "some/path";
  const auto hash = sha256_hex(path);
  const char other = hash[0] == '0' ? '1' : '0';
  repo_.delegate("targets", "no", {.hash_prefixes = {std::string(1, other), hash + "0"}});
  repo_.delegate("targets", "yes", {.hash_prefixes = {hash.substr(0, 3)}});
  repo_.add_target("no", path, "no");
  repo_.add_target("yes", path, "yes");
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_EQ(find(path).value()->role, "yes");
}

TEST_F(Delegation, succinct_roles_lead_to_one_bin_and_terminate) {
  const auto key = TufRepo::new_key();
  const auto id = key.public_key().key_id();
  repo_.document("targets")["delegations"] =
      json::object{{"keys", json::object{{id, key.public_key().to_json()}}},
                   {"succinct_roles", json::object{{"keyids", json::array{id}}, {"threshold", 1}, {"bit_length", 5}, {"name_prefix", "bin"}}}};
  SuccinctRoles bins{{}, 5, "bin"};
  const auto name = bins.bin_of("file");
  repo_.document(name) = TufRepo::new_targets();
  repo_.signers[name] = {key};
  repo_.add_target(name, "file", "content");
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_EQ(find("file").value()->role, name);
  EXPECT_EQ(repo_.requests.back(), cat("1.", name, ".json"));
  const auto client = open();
  ASSERT_OK(client->refresh());
  EXPECT_EQ(client->targets_of(name).value().size(), 1U);
  EXPECT_FAILS(client->targets_of("bin-ff"), Code::not_found, "bin-ff");
  EXPECT_FAILS(client->delegated_roles(), Code::unsupported, "hash bins");
}

TEST_F(Delegation, targets_of_lists_what_the_delegation_covers_and_nothing_else) {
  repo_.delegate("targets", "yara-rules", {{"yara-rules/*"}});
  repo_.delegate("targets", "other", {{"other/*"}});
  repo_.add_target("yara-rules", "yara-rules/1", "1");
  repo_.add_target("yara-rules", "yara-rules/2", "2");
  repo_.add_target("yara-rules", "other/3", "not theirs");
  repo_.add_target("yara-rules", "yara-rules/..", "no path");
  repo_.publish_all();
  ASSERT_OK(init());
  const auto client = open();
  ASSERT_OK(client->refresh());
  const auto all = client->targets_of("yara-rules").value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].path, "yara-rules/1");
  EXPECT_EQ(all[1].role, "yara-rules");
  EXPECT_TRUE(client->targets_of("other").value().empty());
  EXPECT_FAILS(client->targets_of("nobody"), Code::not_found, "nobody");
  EXPECT_FAILS(client->targets_of("targets"), Code::not_found, "targets");
  EXPECT_EQ(client->delegated_roles().value(), (std::vector<std::string>{"yara-rules", "other"}));
}

TEST_F(Delegation, unusual_role_names_are_one_file_and_one_url_part) {
  const std::pair<const char*, const char*> names[] = {{"?", "%3F"}, {"#", "%23"}, {"/role", "%2Frole"}, {"../role", "..%2Frole"}, {"a b", "a%20b"},
                                                       {"..", "%2E%2E"}, {".", "%2E"}, {"%2e", "%252e"}, {"\xc3\xa9", "%C3%A9"}, {"C:\\x*", "C%3A%5Cx%2A"}};
  for (const auto& [name, encoded] : names) repo_.delegate("targets", name);
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_FALSE(find("nothing").value());
  for (std::size_t i = 0; i < std::size(names); ++i) {
    EXPECT_EQ(repo_.requests[4 + i], cat("1.", names[i].second, ".json"));
    EXPECT_EQ(stored(cat(names[i].second, ".json")), repo_.files.at(cat(names[i].second, ".json")));
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "metadata"), {}), 4 + 10 + 1) << "nothing elsewhere, nothing else but the lock";
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(Delegation, a_role_name_too_long_for_a_file_is_an_error_before_it_is_asked_for) {
  repo_.delegate("targets", std::string(300, 'x'));
  repo_.publish_all();
  ASSERT_OK(init());
  EXPECT_FAILS(find("a"), Code::too_large, "role name of 300 bytes");
  EXPECT_EQ(repo_.requests.size(), 4U);
}

}  // namespace
}  // namespace picket::trust
