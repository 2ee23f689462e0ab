// 5.2, 5.3: from a trusted root to the newest.
#include <algorithm>

#include <boost/json/array.hpp>

#include "support/tuf_client_fixture.hpp"

namespace picket::trust {
namespace {

namespace json = boost::json;
using ClientRoot = support::TufClientTest;
using support::TufRepo;
using Requests = std::vector<std::string>;

TEST_F(ClientRoot, init_stores_the_bytes_as_given_and_asks_nobody) {
  const auto bytes = repo_.first_root() + "\n ";
  ASSERT_OK(open()->init(bytes));
  EXPECT_EQ(stored("root.json"), bytes);
  EXPECT_TRUE(repo_.requests.empty());
}

TEST_F(ClientRoot, init_refuses_what_does_not_sign_itself_and_stores_nothing) {
  repo_.signers["root"] = {TufRepo::new_key()};
  repo_.publish({"root"});
  EXPECT_FAILS(open()->init(repo_.files.at("2.root.json")), Code::untrusted, "root");
  EXPECT_FAILS(open()->init("{}"), Code::invalid, "signed");
  EXPECT_FAILS(open()->init(std::string(600'000, ' ')), Code::too_large, "512000");
  EXPECT_EQ(stored("root.json"), "");
}

TEST_F(ClientRoot, init_does_not_mind_that_the_root_is_expired) {
  now_ += 365 * TufRepo::day;
  EXPECT_OK(init());
}

TEST_F(ClientRoot, refresh_without_or_with_a_bad_local_root_asks_nobody) {
  EXPECT_FAILS(refresh(), Code::not_found, "init");
  ASSERT_OK(init());
  auto broken = stored("root.json");
  broken.replace(broken.find("\"version\":1"), 11, "\"version\":7");
  store("root.json", broken);
  EXPECT_FAILS(refresh(), Code::untrusted, "stored root");
  EXPECT_TRUE(repo_.requests.empty());
}

TEST_F(ClientRoot, first_refresh_asks_for_four_files_and_stores_them_as_served) {
  ASSERT_OK(init_and_refresh());
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"}));
  for (const char* name : {"timestamp.json", "snapshot.json", "targets.json"}) EXPECT_EQ(stored(name), repo_.files.at(name));
  ASSERT_OK(refresh());
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "timestamp.json"}));
}

TEST_F(ClientRoot, without_consistent_snapshots_names_have_no_version) {
  repo_ = TufRepo(false);
  ASSERT_OK(init_and_refresh());
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "timestamp.json", "snapshot.json", "targets.json"}));
}

TEST_F(ClientRoot, consistency_is_what_the_newest_root_says) {
  ASSERT_OK(init());
  repo_.root()["consistent_snapshot"] = false;
  repo_.publish({"root"});
  ASSERT_OK(refresh());
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "3.root.json", "timestamp.json", "snapshot.json", "targets.json"}));
}

TEST_F(ClientRoot, every_version_is_walked_even_after_keys_changed) {
  ASSERT_OK(init());
  for (int i = 0; i < 5; ++i) {
    repo_.rotate("root");
    repo_.publish({"root"});
    repo_.signers["root"].erase(repo_.signers["root"].begin());  // the old key is not needed any more
  }
  ASSERT_OK(refresh());
  EXPECT_EQ(version("root"), 6);
}

// Keys and signers of version 1 and of version 2 of root, each by number, and whether version 2 may follow.
struct Rotation {
  const char* name;
  std::vector<int> keys, signers;
  int threshold;
  std::vector<int> next_keys, next_signers;
  int next_threshold;
  bool accepted;
};
class RootRotation : public ClientRoot, public testing::WithParamInterface<Rotation> {};

TEST_P(RootRotation, needs_the_thresholds_of_the_old_and_of_the_new_keys) {
  const auto& rotation = GetParam();
  std::vector<PrivateKey> keys;
  for (int i = 0; i < 8; ++i) keys.push_back(TufRepo::new_key());
  const auto use = [&](const std::vector<int>& listed, const std::vector<int>& signing, int threshold) {
    repo_.role_keys("root")["keyids"].as_array().clear();
    repo_.signers["root"].clear();
    for (const int i : listed) repo_.add_key("root", keys[static_cast<std::size_t>(i)]);
    repo_.signers["root"].clear();
    for (const int i : signing) repo_.signers["root"].push_back(keys[static_cast<std::size_t>(i)]);
    repo_.role_keys("root")["threshold"] = threshold;
  };
  use(rotation.keys, rotation.signers, rotation.threshold);
  repo_.publish_as_is("root");
  ASSERT_OK(init());
  use(rotation.next_keys, rotation.next_signers, rotation.next_threshold);
  repo_.publish({"root"});
  const auto done = refresh();
  EXPECT_EQ(done.has_value(), rotation.accepted) << support::why(done);
  EXPECT_EQ(version("root"), rotation.accepted ? 2 : 1);
  if (!rotation.accepted) {
    EXPECT_EQ(repo_.requests, Requests{"2.root.json"}) << "nothing may be asked after a refused root";
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RootRotation,
    testing::Values(Rotation{"one_of_one", {1}, {1}, 1, {2}, {2, 1}, 1, true}, Rotation{"unused_signatures", {1}, {3, 1, 4}, 1, {2}, {3, 2, 1, 4}, 1, true},
                    Rotation{"other_three_of_five", {0, 1, 2, 3, 4}, {0, 2, 4}, 3, {0, 1, 2, 3, 4}, {0, 1, 3}, 3, true},
                    Rotation{"one_of_five_replaced", {0, 1, 2, 3, 4}, {0, 2, 4}, 3, {0, 1, 3, 4, 5}, {0, 4, 1}, 3, true},
                    Rotation{"threshold_up", {1, 2, 3}, {1}, 1, {1, 2, 3}, {1, 2}, 2, true}, Rotation{"threshold_down", {1, 2, 3}, {1, 2}, 2, {1, 2, 3}, {1, 2}, 1, true},
                    Rotation{"not_by_old", {1}, {1}, 1, {2}, {2, 3}, 1, false}, Rotation{"not_by_new", {1}, {1}, 1, {2}, {1, 3}, 1, false},
                    Rotation{"too_few_new", {0, 1, 2, 3, 4}, {0, 2, 4}, 3, {0, 1, 3, 4, 5}, {0, 2, 4}, 3, false},
                    Rotation{"too_few_old", {0, 1, 2, 3, 4}, {0, 2, 4}, 3, {0, 1, 3, 4, 5}, {0, 4, 5}, 3, false},
                    Rotation{"new_threshold_not_met", {1, 2, 3}, {1}, 1, {1, 2, 3}, {2}, 2, false},
                    Rotation{"old_threshold_not_met", {1, 2, 3}, {1, 2}, 2, {1, 2, 3}, {1}, 1, false}),
    [](const testing::TestParamInfo<Rotation>& rotation) { return std::string(rotation.param.name); });

TEST_F(ClientRoot, only_not_found_means_newest_any_other_failure_is_one) {
  ASSERT_OK(init());
  repo_.tamper = [](std::string_view path, Result<std::string> answer) -> Result<std::string> {
    if (path == "2.root.json") return fail(Code::unavailable, "HTTP status 503");
    return answer;
  };
  EXPECT_FAILS(refresh(), Code::unavailable, "2.root.json");
  EXPECT_EQ(repo_.requests, Requests{"2.root.json"});
}

TEST_F(ClientRoot, an_intermediate_root_may_be_expired_the_newest_may_not) {
  ASSERT_OK(init());
  repo_.root()["expires"] = format_time(now_ - 1);
  repo_.publish({"root"});
  EXPECT_FAILS(refresh(), Code::expired, "root version 2 expired");
  EXPECT_EQ(version("root"), 2) << "it is stored: the next one starts from it";
  EXPECT_EQ(repo_.requests.back(), "3.root.json") << "and nothing else is asked";
  repo_.root()["expires"] = format_time(now_ + 100);
  repo_.publish({"root"});
  EXPECT_OK(refresh());
  EXPECT_EQ(version("root"), 3);
}

TEST_F(ClientRoot, is_valid_until_the_second_before_it_expires) {
  ASSERT_OK(init());
  now_ += 30 * TufRepo::day - 1;
  EXPECT_OK(refresh());
  now_ += 1;
  EXPECT_FAILS(refresh(), Code::expired, "root");
}

TEST_F(ClientRoot, walks_no_more_versions_than_the_limit_and_goes_on_from_there) {
  limits_.root_rotations = 3;
  ASSERT_OK(init());
  for (int i = 0; i < 5; ++i) repo_.publish({"root"});
  ASSERT_OK(refresh());
  EXPECT_EQ(version("root"), 4);
  ASSERT_OK(refresh());
  EXPECT_EQ(version("root"), 6);
}

TEST_F(ClientRoot, longer_than_the_limit_is_refused) {
  ASSERT_OK(init());
  repo_.root()["padding"] = std::string(512'000, 'x');
  repo_.publish({"root"});
  EXPECT_FAILS(refresh(), Code::too_large, "2.root.json");
}

TEST_F(ClientRoot, unknown_members_roles_and_key_types_do_not_disturb) {
  ASSERT_OK(init());
  repo_.root()["custom-field"] = "\xc3\xa9\n\"\\/";
  repo_.root()["roles"].as_object()["mirrors"] = json::object{{"keyids", json::array{}}, {"threshold", 1}};
  repo_.root()["keys"].as_object()["future"] = json::object{{"keytype", "ml-dsa"}, {"scheme", "ml-dsa-65"}, {"keyval", json::object{{"public", "zz"}}}};
  repo_.role_keys("timestamp")["keyids"].as_array().emplace_back("future");
  repo_.role_keys("timestamp")["another"] = 1;
  repo_.publish({"root"});
  EXPECT_OK(refresh());
  EXPECT_EQ(version("root"), 2);
  EXPECT_TRUE(told("cannot be used"));
}

TEST_F(ClientRoot, a_clock_before_the_program_existed_is_an_error_of_its_own) {
  ASSERT_OK(init());
  now_ = 1'000'000'000;
  EXPECT_FAILS(refresh(), Code::conflict, "clock");
}

// --- A root that is published between the question for it and the next one

struct RootMeanwhile : ClientRoot {
  // Who asks for root 2 is told that there is none, until the timestamp has been asked for.
  void serve_root_late() {
    repo_.tamper = [this](std::string_view path, Result<std::string> answer) -> Result<std::string> {
      const bool is_early = std::find(repo_.requests.begin(), repo_.requests.end(), "timestamp.json") == repo_.requests.end();
      if (path == "2.root.json" && is_early) return fail(Code::not_found, "not yet there");
      return answer;
    };
  }
};
struct RotatedMeanwhile : RootMeanwhile, testing::WithParamInterface<const char*> {};

TEST_P(RotatedMeanwhile, is_found_when_what_its_key_signed_comes) {
  keep_marks_ = true;
  ASSERT_OK(init_and_refresh());
  repo_.rotate(GetParam());
  repo_.publish({"root", "targets", "snapshot", "timestamp"});
  serve_root_late();
  EXPECT_OK(refresh());
  for (const char* role : {"root", "timestamp", "snapshot", "targets"}) EXPECT_EQ(version(role), 2) << role;
  EXPECT_EQ(std::count(repo_.requests.begin(), repo_.requests.end(), "2.root.json"), 2);
  repo_.tamper = {};
  EXPECT_OK(refresh());
  EXPECT_EQ(repo_.requests, (Requests{"3.root.json", "timestamp.json"}));
}

INSTANTIATE_TEST_SUITE_P(Roles, RotatedMeanwhile, testing::Values("timestamp", "snapshot", "targets"),
                         [](const testing::TestParamInfo<const char*>& role) { return std::string(role.param); });

TEST_F(RootMeanwhile, is_looked_for_once_and_its_keys_count) {
  ASSERT_OK(init_and_refresh());
  repo_.signers["timestamp"] = {TufRepo::new_key()};
  repo_.publish({"timestamp"});
  EXPECT_FAILS(refresh(), Code::untrusted, "timestamp is signed by 0 of its keys");
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "timestamp.json", "2.root.json"}));
  repo_.publish({"root"});
  serve_root_late();
  EXPECT_FAILS(refresh(), Code::untrusted, "timestamp is signed by 0 of its keys");
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "timestamp.json", "2.root.json", "3.root.json", "timestamp.json"})) << "and that was it";
  EXPECT_EQ(version("root"), 2);
  EXPECT_EQ(version("timestamp"), 1);
}

// --- 5.3.11

TEST_F(ClientRoot, new_timestamp_keys_forgive_a_timestamp_pushed_far_ahead) {
  repo_.document("timestamp")["version"] = 100'000;
  repo_.publish_as_is("timestamp");
  keep_marks_ = true;
  ASSERT_OK(init_and_refresh());
  repo_.document("timestamp")["version"] = 1;
  repo_.rotate("timestamp");
  repo_.publish({"root", "timestamp"});
  EXPECT_OK(refresh());
  EXPECT_EQ(version("timestamp"), 2);
}

TEST_F(ClientRoot, new_snapshot_keys_forgive_versions_in_snapshot_pushed_far_ahead) {
  keep_marks_ = true;
  repo_.document("snapshot")["version"] = 99'999;
  repo_.document("targets")["version"] = 77'777;
  repo_.publish_as_is("targets");
  repo_.publish_as_is("snapshot");
  repo_.publish({"timestamp"});
  ASSERT_OK(init_and_refresh());
  EXPECT_EQ(version("targets"), 77'777);
  repo_.document("snapshot")["version"] = 1;
  repo_.document("targets")["version"] = 1;
  repo_.rotate("snapshot");
  repo_.publish({"root", "targets", "snapshot", "timestamp"});
  EXPECT_OK(refresh());
  EXPECT_EQ(version("snapshot"), 2);
  EXPECT_EQ(version("targets"), 2);
}

TEST_F(ClientRoot, a_key_that_is_only_added_keeps_the_rollback_check) {
  repo_.publish({"timestamp", "timestamp"});
  ASSERT_OK(init_and_refresh());
  repo_.add_key("timestamp", TufRepo::new_key());
  repo_.publish({"root"});
  repo_.document("timestamp")["version"] = 1;
  repo_.publish({"timestamp"});
  EXPECT_FAILS(refresh(), Code::untrusted, "timestamp version fell from 3 to 2");
  EXPECT_EQ(version("timestamp"), 3);
}

// --- A root that came with the program

TEST_F(ClientRoot, a_pinned_root_needs_no_init_and_refuses_one) {
  pinned_root_ = repo_.first_root();
  repo_.publish({"root"});
  EXPECT_OK(refresh());
  EXPECT_EQ(version("root"), 2);
  EXPECT_FAILS(init(), Code::conflict, "pinned");
}

TEST_F(ClientRoot, a_pinned_root_heals_a_lost_torn_or_planted_root) {
  pinned_root_ = repo_.first_root();
  repo_.rotate("root");
  repo_.publish({"root"});
  ASSERT_OK(refresh());
  const auto good = stored("root.json");
  TufRepo strange;
  for (const auto& bad : {std::string(), good.substr(0, good.size() / 2), strange.first_root()}) {
    events_.clear();
    std::filesystem::remove(folder_ / "metadata/root.json");
    if (!bad.empty()) store("root.json", bad);
    EXPECT_OK(refresh());
    EXPECT_EQ(stored("root.json"), good);
    EXPECT_EQ(repo_.requests.front(), "3.root.json") << "the chain between was kept: no second download";
  }
}

TEST_F(ClientRoot, a_planted_root_of_the_same_version_is_told) {
  pinned_root_ = repo_.first_root();
  ASSERT_OK(refresh());
  store("root.json", TufRepo().first_root());
  EXPECT_OK(refresh());
  EXPECT_TRUE(told("not the one that the pinned root leads to"));
}

TEST_F(ClientRoot, a_damaged_chain_is_fetched_again) {
  pinned_root_ = repo_.first_root();
  repo_.publish({"root", "root"});
  ASSERT_OK(refresh());
  ASSERT_TRUE(write_file_atomic(folder_ / "metadata/roots/2", "{}"));
  EXPECT_OK(refresh());
  EXPECT_EQ(version("root"), 3);
  EXPECT_TRUE(told("stored root 2 is damaged"));
}

TEST_F(ClientRoot, does_not_go_back_when_the_server_holds_newer_ones_back_from_a_healed_client) {
  pinned_root_ = repo_.first_root();
  keep_marks_ = true;
  repo_.publish({"root", "root"});
  ASSERT_OK(refresh());
  std::filesystem::remove_all(folder_ / "metadata");
  repo_.files.erase("3.root.json");
  EXPECT_FAILS(refresh(), Code::untrusted, "root version fell from 3 to 2");
}

}  // namespace
}  // namespace picket::trust
