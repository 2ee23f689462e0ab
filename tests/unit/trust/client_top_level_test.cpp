// 5.4, 5.5 and the top-level part of 5.6.
#include "support/tuf_client_fixture.hpp"

namespace picket::trust {
namespace {

namespace json = boost::json;
using support::TufRepo;
using TopLevel = support::TufClientTest;
using Requests = std::vector<std::string>;

json::object& meta(TufRepo& repo, const char* role, const char* file) { return repo.document(role)["meta"].as_object()[file].as_object(); }

// --- 5.4 timestamp

TEST_F(TopLevel, a_timestamp_of_a_lower_version_is_refused_and_the_stored_one_stays) {
  repo_.publish({"timestamp"});
  ASSERT_OK(init_and_refresh());
  const auto good = stored("timestamp.json");
  repo_.document("timestamp")["version"] = 1;
  repo_.publish_as_is("timestamp");
  EXPECT_FAILS(refresh(), Code::untrusted, "timestamp version fell from 2 to 1");
  EXPECT_EQ(stored("timestamp.json"), good);
  EXPECT_EQ(repo_.requests.back(), "timestamp.json");
}

TEST_F(TopLevel, a_timestamp_of_equal_version_is_no_error_and_does_not_replace_the_stored_one) {
  ASSERT_OK(init_and_refresh());
  const auto good = stored("timestamp.json");
  meta(repo_, "timestamp", "snapshot.json")["version"] = 100;
  repo_.publish_as_is("timestamp");
  EXPECT_OK(refresh());
  EXPECT_EQ(stored("timestamp.json"), good);
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "timestamp.json"}));
}

TEST_F(TopLevel, equal_version_goes_on_to_the_snapshot_that_did_not_arrive_last_time) {
  ASSERT_OK(init());
  const auto snapshot = repo_.files.extract("1.snapshot.json");
  EXPECT_FAILS(refresh(), Code::not_found, "1.snapshot.json");
  EXPECT_EQ(version("timestamp"), 1);
  repo_.files["1.snapshot.json"] = snapshot.mapped();
  EXPECT_OK(refresh());
  EXPECT_EQ(version("targets"), 1);
}

TEST_F(TopLevel, an_equal_timestamp_that_is_badly_signed_is_still_an_error) {
  ASSERT_OK(init_and_refresh());
  repo_.signers["timestamp"] = {TufRepo::new_key()};
  repo_.publish_as_is("timestamp");
  EXPECT_FAILS(refresh(), Code::untrusted, "timestamp is signed by 0 of its keys");
}

TEST_F(TopLevel, the_snapshot_version_in_timestamp_must_not_fall) {
  repo_.publish({"snapshot", "timestamp"});
  ASSERT_OK(init_and_refresh());
  meta(repo_, "timestamp", "snapshot.json")["version"] = 1;
  repo_.publish({"timestamp"});
  EXPECT_FAILS(refresh(), Code::untrusted, "snapshot (in timestamp) version fell from 2 to 1");
  EXPECT_EQ(version("timestamp"), 2);
}

TEST_F(TopLevel, an_expired_timestamp_is_refused_and_not_stored) {
  ASSERT_OK(init_and_refresh());
  repo_.document("timestamp")["expires"] = format_time(now_);
  repo_.publish({"timestamp"});
  EXPECT_FAILS(refresh(), Code::expired, "timestamp version 2 expired");
  EXPECT_EQ(version("timestamp"), 1);
}

TEST_F(TopLevel, a_frozen_repository_is_noticed_when_the_stored_timestamp_expires) {
  repo_.document("timestamp")["expires"] = format_time(now_ + 100);
  repo_.publish({"timestamp"});
  ASSERT_OK(init_and_refresh());
  now_ += 100;
  EXPECT_FAILS(refresh(), Code::expired, "timestamp");
}

TEST_F(TopLevel, an_expired_local_timestamp_still_guards_against_rollback) {
  repo_.document("timestamp")["expires"] = format_time(now_ + 100);
  repo_.publish({"timestamp"});
  ASSERT_OK(init_and_refresh());
  now_ += 1000;
  repo_.document("timestamp")["expires"] = format_time(now_ + 100);
  repo_.document("timestamp")["version"] = 1;
  repo_.publish_as_is("timestamp");
  EXPECT_FAILS(refresh(), Code::untrusted, "fell");
  repo_.document("timestamp")["version"] = 3;
  repo_.publish_as_is("timestamp");
  EXPECT_OK(refresh());
}

TEST_F(TopLevel, the_time_is_taken_once_per_update) {
  ASSERT_OK(init());
  repo_.document("targets")["expires"] = format_time(now_ + 10);
  repo_.publish({"targets", "snapshot", "timestamp"});
  repo_.tamper = [this](std::string_view, Result<std::string> answer) {
    now_ += 5;  // a slow source must not let a file expire on the way
    return answer;
  };
  EXPECT_OK(refresh());
}

TEST_F(TopLevel, a_timestamp_that_is_not_there_or_too_long_is_an_error) {
  ASSERT_OK(init());
  auto timestamp = repo_.files.extract("timestamp.json");
  EXPECT_FAILS(refresh(), Code::not_found, "timestamp.json");
  timestamp.mapped() += std::string(17'000, ' ');
  repo_.files.insert(std::move(timestamp));
  EXPECT_FAILS(refresh(), Code::too_large, "timestamp.json");
}

TEST_F(TopLevel, metadata_of_another_type_is_refused_though_the_key_is_right) {
  ASSERT_OK(init());
  auto& snapshot = repo_.document("snapshot");
  snapshot["meta"] = json::object{{"snapshot.json", json::object{{"version", 1}}}};
  repo_.signers["snapshot"].push_back(repo_.signers["timestamp"][0]);
  repo_.files["timestamp.json"] = TufRepo::sign(snapshot, repo_.signers["snapshot"]);
  EXPECT_FAILS(refresh(), Code::invalid, "signed._type must be 'timestamp'");
  EXPECT_EQ(version("timestamp"), 0);
}

// --- 5.5 snapshot

TEST_F(TopLevel, snapshot_must_have_the_version_that_timestamp_says) {
  ASSERT_OK(init());
  repo_.document("snapshot")["version"] = 2;
  repo_.files["1.snapshot.json"] = TufRepo::sign(repo_.document("snapshot"), repo_.signers["snapshot"]);
  EXPECT_FAILS(refresh(), Code::untrusted, "snapshot has version 2, timestamp says 1");
  EXPECT_EQ(version("snapshot"), 0);
}

TEST_F(TopLevel, snapshot_must_have_the_hash_and_length_that_timestamp_says) {
  repo_.meta_hashes = true;
  repo_.publish_all();
  ASSERT_OK(init());
  const auto good = repo_.files["2.snapshot.json"];
  repo_.files["2.snapshot.json"] = good + " ";
  EXPECT_FAILS(refresh(), Code::too_large, "2.snapshot.json");  // reading stops behind the promised length
  repo_.files["2.snapshot.json"] = good.substr(0, good.size() - 1);
  EXPECT_FAILS(refresh(), Code::untrusted, "were promised");
  repo_.files["2.snapshot.json"] = " " + good.substr(0, good.size() - 1);
  EXPECT_FAILS(refresh(), Code::untrusted, "sha256");
  EXPECT_EQ(version("snapshot"), 0);
  repo_.files["2.snapshot.json"] = good;
  EXPECT_OK(refresh());
}

TEST_F(TopLevel, a_stored_snapshot_of_the_right_version_and_the_wrong_hash_is_fetched_again) {
  repo_.meta_hashes = true;
  repo_.publish_all();
  ASSERT_OK(init_and_refresh());
  repo_.document("snapshot")["extra"] = 1;
  store("snapshot.json", TufRepo::sign(repo_.document("snapshot"), repo_.signers["snapshot"]));
  EXPECT_OK(refresh());
  EXPECT_EQ(stored("snapshot.json"), repo_.files.at("2.snapshot.json"));
}

TEST_F(TopLevel, no_file_in_snapshot_may_fall_or_vanish_with_and_without_hashes) {
  for (const bool hashes : {false, true}) {
    std::filesystem::remove_all(folder_ / "metadata");
    repo_ = TufRepo();
    repo_.meta_hashes = hashes;
    repo_.document("snapshot")["meta"].as_object()["revocation.json"] = json::object{{"version", 5}};  // nobody delegates to it
    repo_.publish({"targets", "snapshot", "timestamp"});
    ASSERT_OK(init_and_refresh());
    meta(repo_, "snapshot", "revocation.json")["version"] = 4;
    repo_.publish({"snapshot", "timestamp"});
    EXPECT_FAILS(refresh(), Code::untrusted, "revocation.json (in snapshot) version fell from 5 to 4");
    repo_.document("snapshot")["meta"].as_object().erase("revocation.json");
    repo_.publish({"snapshot", "timestamp"});
    EXPECT_FAILS(refresh(), Code::untrusted, "revocation.json vanished");
    EXPECT_EQ(version("snapshot"), 2);
  }
}

TEST_F(TopLevel, an_expired_local_snapshot_still_guards_against_rollback) {
  repo_.publish_all();
  repo_.document("snapshot")["expires"] = format_time(now_ + 100);
  repo_.publish({"snapshot", "timestamp"});
  ASSERT_OK(init_and_refresh());
  now_ += 1000;
  repo_.document("snapshot")["expires"] = format_time(now_ + 1000);
  meta(repo_, "snapshot", "targets.json")["version"] = 1;
  repo_.publish({"snapshot", "timestamp"});
  EXPECT_FAILS(refresh(), Code::untrusted, "targets.json (in snapshot) version fell from 2 to 1");
}

TEST_F(TopLevel, an_expired_snapshot_is_refused_and_not_stored) {
  ASSERT_OK(init_and_refresh());
  repo_.document("snapshot")["expires"] = format_time(now_ - 1);
  repo_.publish({"snapshot", "timestamp"});
  EXPECT_FAILS(refresh(), Code::expired, "snapshot version 2 expired");
  EXPECT_EQ(version("snapshot"), 1);
  EXPECT_EQ(version("timestamp"), 2);
}

TEST_F(TopLevel, snapshot_without_length_is_bounded_by_the_limit_and_with_it_by_the_length) {
  limits_.snapshot_bytes = 100;
  ASSERT_OK(init());
  EXPECT_FAILS(refresh(), Code::too_large, "1.snapshot.json");
  repo_.meta_hashes = true;
  repo_.publish({"snapshot", "timestamp"});
  EXPECT_OK(refresh());
  meta(repo_, "timestamp", "snapshot.json")["length"] = std::int64_t{1} << 60;
  meta(repo_, "timestamp", "snapshot.json")["version"] = 3;
  repo_.publish({"timestamp"});
  EXPECT_FAILS(refresh(), Code::too_large, "1152921504606846976");
}

TEST_F(TopLevel, hashes_of_unknown_algorithms_alone_verify_nothing) {
  ASSERT_OK(init());
  meta(repo_, "timestamp", "snapshot.json")["hashes"] = json::object{{"md5", "00"}};
  repo_.publish({"timestamp"});
  EXPECT_FAILS(refresh(), Code::untrusted, "unknown algorithms");
}

TEST_F(TopLevel, entries_of_tap_8_in_snapshot_do_not_disturb) {
  ASSERT_OK(init());
  auto& files = repo_.document("snapshot")["meta"].as_object();
  files["rotate/targets.rotate.1"] = nullptr;
  files["rotate/abc"] = json::object{{"version", "1"}};
  repo_.publish({"snapshot", "timestamp"});
  EXPECT_OK(refresh());
}

// --- 5.6 targets

TEST_F(TopLevel, targets_must_be_what_snapshot_says) {
  repo_.meta_hashes = true;
  repo_.publish_all();
  ASSERT_OK(init_and_refresh());
  repo_.publish({"targets"});
  meta(repo_, "snapshot", "targets.json")["hashes"] = json::object{{"sha256", std::string(64, '0')}};
  repo_.publish({"snapshot", "timestamp"});
  EXPECT_FAILS(refresh(), Code::untrusted, "targets does not have the promised sha256");
  EXPECT_EQ(version("snapshot"), 3);
  EXPECT_EQ(version("targets"), 2);
}

TEST_F(TopLevel, mix_and_match_of_an_old_targets_with_a_new_snapshot_is_refused) {
  ASSERT_OK(init_and_refresh());
  repo_.publish_all();
  repo_.files["2.targets.json"] = repo_.files["1.targets.json"];
  EXPECT_FAILS(refresh(), Code::untrusted, "targets has version 1, snapshot says 2");
  EXPECT_EQ(version("targets"), 1);
}

TEST_F(TopLevel, expired_or_badly_signed_targets_are_refused_and_not_stored) {
  ASSERT_OK(init_and_refresh());
  repo_.document("targets")["expires"] = format_time(now_ - 1);
  repo_.publish_all();
  EXPECT_FAILS(refresh(), Code::expired, "targets version 2 expired");
  repo_.document("targets")["expires"] = format_time(now_ + 1);
  repo_.signers["targets"] = {TufRepo::new_key()};
  repo_.publish_all();
  EXPECT_FAILS(refresh(), Code::untrusted, "targets is signed by 0");
  EXPECT_EQ(version("targets"), 1);
}

TEST_F(TopLevel, a_snapshot_that_lists_no_targets_is_an_error) {
  ASSERT_OK(init());
  repo_.document("snapshot")["meta"] = json::object{};
  repo_.publish({"snapshot", "timestamp"});
  EXPECT_FAILS(refresh(), Code::untrusted, "does not list targets.json");
}

TEST_F(TopLevel, only_what_changed_is_asked_for) {
  ASSERT_OK(init_and_refresh());
  repo_.publish({"timestamp"});
  ASSERT_OK(refresh());
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "timestamp.json"}));
  repo_.publish({"snapshot", "timestamp"});
  ASSERT_OK(refresh());
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "timestamp.json", "2.snapshot.json"}));
  repo_.publish_all();
  ASSERT_OK(refresh());
  EXPECT_EQ(repo_.requests, (Requests{"2.root.json", "timestamp.json", "3.snapshot.json", "2.targets.json"}));
}

// --- Offline, and what the client tells

TEST_F(TopLevel, load_local_uses_what_is_stored_checks_it_and_asks_nobody) {
  repo_.add_target("targets", "a", "content");
  repo_.publish_all();
  EXPECT_FAILS(open()->load_local(), Code::not_found, "init");
  ASSERT_OK(init());
  EXPECT_FAILS(open()->load_local(), Code::not_found, "timestamp");
  ASSERT_OK(refresh());
  repo_.requests.clear();
  {
    const auto client = open();
    ASSERT_OK(client->load_local());
    EXPECT_TRUE(client->find_target("a").value().has_value());
    EXPECT_EQ(client->versions().snapshot, 2);
  }
  store("snapshot.json", repo_.files.at("1.snapshot.json"));
  EXPECT_FAILS(open()->load_local(), Code::not_found, "snapshot version 2 is not stored");
  now_ += 31 * TufRepo::day;
  EXPECT_FAILS(open()->load_local(), Code::expired, "root");
  EXPECT_TRUE(repo_.requests.empty());
}

TEST_F(TopLevel, questions_before_a_successful_refresh_are_an_error) {
  const auto client = open();
  EXPECT_FAILS(client->find_target("a"), Code::conflict, "refresh");
  EXPECT_FAILS(client->targets_of("a"), Code::conflict, "refresh");
  EXPECT_FAILS(client->delegated_roles(), Code::conflict, "refresh");
  EXPECT_EQ(client->versions().root, 0);
  ASSERT_OK(client->init(repo_.first_root()));
  ASSERT_OK(client->refresh());
  EXPECT_OK(client->find_target("a"));
  repo_.files.erase("timestamp.json");
  ASSERT_FALSE(client->refresh());
  EXPECT_FAILS(client->find_target("a"), Code::conflict, "refresh");
}

TEST_F(TopLevel, versions_are_those_verified) {
  repo_.publish_all();
  const auto client = open();
  ASSERT_OK(client->init(repo_.first_root()));
  ASSERT_OK(client->refresh());
  const auto versions = client->versions();
  EXPECT_EQ(versions.root, 1);
  EXPECT_EQ(versions.timestamp, 2);
  EXPECT_EQ(versions.snapshot, 2);
  EXPECT_EQ(versions.targets, 2);
  EXPECT_EQ(versions.timestamp_expires, TufRepo::start + 30 * TufRepo::day);
  EXPECT_TRUE(versions.consistent_snapshot);
}

}  // namespace
}  // namespace picket::trust
