// The mirror: exactly the union, each file once, never half a set.
#include "mirror_rig.hpp"

#include <fstream>

#include "base/digest.hpp"

namespace distribution_point {
namespace {

TEST_F(PointMirror, brings_the_union_of_all_wishes_and_nothing_else_each_file_once) {
  for (const char* component : {"a", "b", "c", "d"})
    for (const char* variant : {"full", "light"}) offer(component, 1, variant);
  publish();
  want("a");
  settings_.agent_demand = true;
  upstream_.agent = {{{"a", "full"}}, {{"b", "light"}}};
  const auto result = run({{{"a", "full"}, {"d1", "d2"}}, {{"c", "full"}, {"d2"}}});
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  EXPECT_TRUE(result.published());
  EXPECT_EQ(result.files(), 3u);
  EXPECT_EQ(count("files"), 3u);
  EXPECT_EQ(upstream_.wanted, (std::vector<ComponentVariant>{{"a", "full"}, {"b", "light"}, {"c", "full"}})) << "what a point that it follows is told";
  for (const char* component : {"a", "b", "c"}) EXPECT_TRUE(upstream_.asked.contains(cat("metadata/1.", component, ".json"))) << component;
  EXPECT_FALSE(upstream_.asked.contains("metadata/1.d.json"));
  for (const auto& [path, times] : upstream_.asked)
    EXPECT_TRUE(!path.starts_with("targets/") || times == 1u) << path;
  EXPECT_EQ(seen("a").value_or(0), 1);
  EXPECT_EQ(seen("c").value_or(0), 1);
  EXPECT_FALSE(seen("d"));
  EXPECT_EQ(mirror_->wishes().at({"a", "full"}), (std::vector<std::string>{"settings", "agent", "d1", "d2"}));
  EXPECT_EQ(mirror_->release_of({"b", "light"}), 1u);
  EXPECT_EQ(mirror_->release_of({"b", "full"}), 0u);
}

// A point refuses an asker who wants more than this.
TEST_F(PointMirror, tells_a_point_that_it_follows_what_most_want_however_much_one_device_makes_up) {
  offer("served", 1);
  publish();
  want("z-of-settings");
  Wishes wishes{{{"served", "full"}, {"d1"}}, {{"z-of-two", "full"}, {"d1", "d2"}}};
  (void)run(wishes);
  for (int i = 0; i < 2100; ++i) wishes[{cat("made-up-", std::to_string(i)), "full"}] = {"rogue", "rogue2", "rogue3"};
  (void)run(wishes);
  ASSERT_EQ(upstream_.wanted.size(), 2048u);
  EXPECT_EQ(upstream_.wanted[0].component, "z-of-settings");
  EXPECT_EQ(upstream_.wanted[1].component, "served");
  EXPECT_NE(log_.find("2103 components and variants are wanted here"), std::string::npos) << log_;
}

TEST_F(PointMirror, lacks_nothing_when_what_the_agent_can_do_without_is_not_offered) {
  offer("a", 1);
  publish();
  settings_.agent_demand = true;
  upstream_.agent = {{{"a", "full"}}, {{"picket-plugins", "full"}, true}};
  const auto result = run();
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  ASSERT_EQ(result.missing_size(), 1);  // and it is shown all the same
  EXPECT_NE(result.missing(0).find("picket-plugins"), std::string::npos) << result.missing(0);
  upstream_.agent.push_back({{"b", "full"}});
  EXPECT_EQ(run().result_class(), "partial");
  offer("picket-plugins", 1);
  offer("b", 1);
  publish();
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(seen("picket-plugins").value_or(0), 1);
}

// How a rollback reaches the devices behind it: who has not got the release yet gets the one before.
TEST_F(PointMirror, does_not_serve_what_is_declined_but_the_newest_of_the_others) {
  for (const std::int64_t release : {1, 2}) offer("a", release);
  offer("b", 1);
  publish();
  want("a");
  want("b");
  ASSERT_EQ(run().result_class(), "ok");
  EXPECT_EQ(mirror_->release_of({"a", "full"}), 2u);
  upstream_.declined = {{"a", 2}};
  const auto back = run();
  EXPECT_EQ(back.result_class(), "ok") << back.reason();
  EXPECT_TRUE(back.published());
  EXPECT_EQ(mirror_->release_of({"a", "full"}), 1u);
  now_ += 1000;  // what was served before is gone from the disk, too
  (void)run();
  EXPECT_EQ(count("files"), 2u);
  EXPECT_EQ(picket::read_file(folder_.path() / "point/public/metadata/held.json", 1000).value(), R"({"held":{"a":[2]}})") << "for who would miss it";
  const auto client = seen("a");
  ASSERT_FALSE(client);  // it is signed, and not to be had here
  EXPECT_EQ(client.error().code, Code::not_found) << client.error().message;
  upstream_.declined = {{"a", 0}};
  const auto none = run();
  EXPECT_EQ(none.result_class(), "ok") << none.reason();
  EXPECT_NE(none.missing(0).find("every release of it is declined or held back"), std::string::npos) << none.missing(0);
  upstream_.declined.clear();
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(seen("a").value_or(0), 2);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "point/public/metadata/held.json"));
}

TEST_F(PointMirror, serves_nobody_a_release_that_was_taken_back_however_long_the_grace) {
  auto newest_target = [this, known = std::set<std::string>()]() mutable {
    std::string fresh;
    for (const auto& [path, times] : upstream_.asked)
      if (path.starts_with("targets/") && known.insert(path).second) fresh = "/" + path;
    return fresh;
  };
  want("a");
  offer("a", 1);
  publish();
  ASSERT_EQ(run().result_class(), "ok");
  const auto good = newest_target();
  offer("a", 2);
  publish();
  ASSERT_EQ(run().result_class(), "ok");
  const auto bad = newest_target();
  ASSERT_NE(served_->find(bad), nullptr);
  now_ += 60;
  upstream_.declined = {{"a", 2}};
  ASSERT_TRUE(run().published());
  const auto is_withdrawn = [&] { return served_->find(bad) == nullptr && served_->find(good) != nullptr && served_->find("/metadata/held.json") != nullptr; };
  EXPECT_TRUE(is_withdrawn());
  now_ += 60;
  mirror_->clean(settings_.grace);
  EXPECT_TRUE(is_withdrawn()) << "when the first set goes, and the one that held it stays";
  open();
  EXPECT_TRUE(is_withdrawn()) << "after a start";
  offer("b", 1);
  publish();
  ASSERT_TRUE(run().published());
  EXPECT_TRUE(is_withdrawn()) << "with the next set";
  upstream_.declined.clear();
  ASSERT_TRUE(run().published());
  EXPECT_NE(served_->find(bad), nullptr) << "taken back again";
}

// Where the agent verifies what is handed on, only what passed goes out.
TEST_F(PointMirror, does_not_serve_what_is_newer_than_what_the_agent_has_verified) {
  for (const std::int64_t release : {1, 2, 3}) offer("a", release);
  publish();
  want("a");
  upstream_.declined = {{"a", 2, true}};
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(mirror_->release_of({"a", "full"}), 1u);
  upstream_.declined = {{"a", 3, true}, {"b", 1, true}};
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(mirror_->release_of({"a", "full"}), 2u);
  upstream_.declined = {{"a", 4, true}, {"a", 3}};
  EXPECT_FALSE(run().published()) << "the newest that passed, and refused since";
  EXPECT_EQ(mirror_->release_of({"a", "full"}), 2u);
}

// A component that only devices want is in no verification of this agent: said, or held, as the setting says.
TEST_F(PointMirror, names_what_it_serves_although_no_verification_tried_it_or_holds_it_as_set) {
  for (const char* component : {"tried", "for-devices"}) offer(component, 1);
  publish();
  want("tried");
  const Wishes devices{{{"for-devices", "full"}, {"pc-1"}}};
  ASSERT_EQ(run(devices).result_class(), "ok");
  EXPECT_FALSE(mirror_->is_unverified({"for-devices", "full"})) << "where nothing is verified, nothing stands out";

  upstream_.declined = {{"tried", 2, true}};
  const auto served = run(devices);
  EXPECT_EQ(served.result_class(), "ok") << served.reason();
  EXPECT_EQ(mirror_->release_of({"for-devices", "full"}), 1u);
  EXPECT_TRUE(mirror_->is_unverified({"for-devices", "full"}));
  EXPECT_FALSE(mirror_->is_unverified({"tried", "full"}));

  settings_.hold_unverified = true;
  const auto held = run(devices);
  EXPECT_EQ(held.result_class(), "ok") << "as the administrator wants it";
  EXPECT_TRUE(held.published());
  ASSERT_EQ(held.missing_size(), 1);
  EXPECT_EQ(held.missing(0), "for-devices/full: no verification of this agent tries it, and setting unverified is hold");
  EXPECT_FALSE(mirror_->is_unverified({"for-devices", "full"})) << "it is not served";
  EXPECT_FALSE(seen("for-devices"));
  EXPECT_EQ(seen("tried").value_or(0), 1);

  upstream_.declined.clear();
  EXPECT_EQ(run(devices).missing_size(), 2) << "before the first verification nothing has passed one";
}

TEST_F(PointMirror, fetches_nothing_twice_and_publishes_nothing_that_did_not_change) {
  offer("a", 1);
  offer("b", 1);
  publish();
  want("a");
  want("b");
  ASSERT_EQ(run().result_class(), "ok");
  const auto sent = upstream_.sent;
  const auto again = run();
  EXPECT_EQ(again.result_class(), "ok");
  EXPECT_FALSE(again.published());
  EXPECT_EQ(upstream_.sent, sent);
  offer("a", 2);
  publish();
  EXPECT_TRUE(run().published());
  EXPECT_LT(upstream_.sent - sent, 110'000u);  // only the new file
  EXPECT_EQ(seen("a").value_or(0), 2);
  EXPECT_EQ(seen("b").value_or(0), 1);
}

TEST_F(PointMirror, serves_clients_on_their_way_until_the_grace_is_over_and_then_cleans) {
  offer("a", 1);
  publish();
  want("a");
  ASSERT_EQ(run().result_class(), "ok");
  std::string old_target;
  for (const auto& [path, times] : upstream_.asked)
    if (path.starts_with("targets/")) old_target = "/" + path;
  ASSERT_NE(served_->find(old_target), nullptr);
  offer("a", 2);
  publish();
  ASSERT_TRUE(run().published());
  EXPECT_NE(served_->find(old_target), nullptr);
  EXPECT_NE(served_->find("/metadata/2.snapshot.json"), nullptr);
  EXPECT_NE(served_->find("/metadata/3.snapshot.json"), nullptr);
  now_ += 101;
  ASSERT_EQ(run().result_class(), "ok");
  EXPECT_EQ(served_->find(old_target), nullptr);
  EXPECT_EQ(served_->find("/metadata/2.snapshot.json"), nullptr);
  EXPECT_EQ(count("files"), 1u);
  EXPECT_EQ(count("sets"), count("public/"));
}

TEST_F(PointMirror, names_a_set_only_when_every_thread_knows_its_files) {
  offer("a", 1);
  publish();
  want("a");
  std::vector<std::pair<std::string, bool>> steps;   // the timestamp shown, and whether the newest snapshot is there
  std::string snapshot = "/metadata/2.snapshot.json";
  mirror_ = std::make_unique<Mirror>(Mirror::Parts{*store_, upstream_,
                                                   [&](const std::shared_ptr<const Catalogue>& catalogue) {
                                                     const auto* stamp = catalogue->find("/metadata/timestamp.json");
                                                     steps.emplace_back(stamp == nullptr ? "" : stamp->etag, catalogue->find(snapshot) != nullptr);
                                                   },
                                                   [this] { return now_; }, [](std::string_view) {}});
  ASSERT_TRUE(run().published());
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0], std::pair(std::string(), true));
  EXPECT_NE(steps[1].first, "");
  EXPECT_TRUE(steps[1].second);
  offer("a", 2);
  publish();
  snapshot = "/metadata/3.snapshot.json";
  ASSERT_TRUE(run().published());
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[2], std::pair(steps[1].first, true));
  EXPECT_NE(steps[3].first, steps[1].first);
  EXPECT_TRUE(steps[3].second);
}

TEST_F(PointMirror, keeps_the_old_set_when_the_new_one_cannot_be_brought_whole_and_goes_on_where_it_ended) {
  offer("a", 1, "full", 200'000);
  offer("b", 1);
  publish();
  want("a");
  want("b");
  ASSERT_EQ(run().result_class(), "ok");
  offer("a", 2, "full", 200'000);
  offer("b", 2);
  publish();
  // Cut in the middle of the first file: what came is kept.
  bool cut = true;
  upstream_.on_chunk = [&](std::string_view path, std::uint64_t sent) {
    if (cut && path.find("a/full") != path.npos && sent >= 98'304) cancelled_ = true;
  };
  const auto failed = run();
  EXPECT_EQ(failed.result_class(), "failed");
  EXPECT_FALSE(failed.published());
  EXPECT_EQ(seen("a").value_or(0), 1);
  EXPECT_EQ(seen("b").value_or(0), 1);
  cut = false;
  cancelled_ = false;
  const auto sent = upstream_.sent;
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_LT(upstream_.sent - sent, 102'000u + 110'000u);  // the rest of a, and b
  EXPECT_EQ(seen("a").value_or(0), 2);
}

TEST_F(PointMirror, refuses_a_flipped_bit_from_one_source_and_takes_the_file_from_the_next) {
  offer("a", 1);
  publish();
  want("a");
  upstream_.roads_list = {{.name = "bad", .plugin = "p", .location = "x", .options_json = "{}"}, {.name = "good", .plugin = "p", .location = "x", .options_json = "{}"}};
  upstream_.trouble = [](const std::string& road, const std::string& path, std::string& bytes) -> Result<> {
    if (road == "bad" && path.starts_with("targets/")) bytes[bytes.size() / 2] ^= 1;
    return {};
  };
  const auto result = run();
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  EXPECT_EQ(seen("a").value_or(0), 1);
  EXPECT_NE(log_.find("digest is wrong"), std::string::npos);
}

TEST_F(PointMirror, is_partial_when_one_component_is_broken_everywhere_and_says_which) {
  offer("a", 1);
  offer("b", 1);
  publish();
  want("a");
  want("b");
  upstream_.trouble = [](const std::string&, const std::string& path, std::string& bytes) -> Result<> {
    if (path.find("targets/a/") == 0) bytes[0] ^= 1;
    return {};
  };
  const auto result = run();
  EXPECT_EQ(result.result_class(), "partial");
  ASSERT_EQ(result.missing_size(), 1);
  EXPECT_NE(result.missing(0).find("a/full: "), std::string::npos);
  EXPECT_EQ(seen("b").value_or(0), 1);
}

TEST_F(PointMirror, does_not_take_a_wish_for_what_does_not_exist_for_a_failure_unless_it_is_the_administrators) {
  offer("a", 1);
  publish();
  want("a");
  auto result = run({{{"no-such", "full"}, {"d1"}}});
  EXPECT_EQ(result.result_class(), "ok");
  EXPECT_EQ(result.missing_size(), 1);
  want("no-such");
  result = run();
  EXPECT_EQ(result.result_class(), "partial");
}

TEST_F(PointMirror, takes_the_only_variant_there_is) {
  offer("a", 3, "full");
  publish();
  want("a", "light");
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(mirror_->release_of({"a", "light"}), 3u);
}

TEST_F(PointMirror, ranks_what_the_administrator_and_the_agent_want_as_the_administrators) {
  for (const char* component : {"a", "b"}) offer(component, 1, "full", 400'000);
  publish();
  want("a");
  want("b");
  settings_.agent_demand = true;
  upstream_.agent = {{{"b", "full"}}};
  settings_.quota_bytes = 500'000;
  const auto result = run({{{"b", "full"}, {"d1"}}});
  EXPECT_NE(result.reason().find("a/full: its 400 kB"), std::string::npos) << "both are the administrator's, and more want b: " << result.reason();
  EXPECT_EQ(seen("b").value_or(0), 1);
}

TEST_F(PointMirror, takes_no_device_for_the_administrator_whatever_it_calls_itself) {
  for (const char* component : {"a", "b"}) offer(component, 1, "full", 400'000);
  publish();
  settings_.quota_bytes = 500'000;
  const auto result = run({{{"a", "full"}, {"settings"}}, {{"b", "full"}, {"d1", "d2"}}, {{"unknown", "full"}, {"agent"}}});
  EXPECT_FALSE(seen("a")) << "fewer want it";
  EXPECT_EQ(seen("b").value_or(0), 1);
  EXPECT_NE(result.reason().find("a/full: its 400 kB"), std::string::npos) << "what does not exist is no lack: " << result.reason();
  EXPECT_EQ(mirror_->wishes().at({"a", "full"}), std::vector<std::string>{"device settings"});
}

TEST_F(PointMirror, tells_of_what_is_missing_in_one_answer_however_much_devices_ask_for) {
  offer("a", 1);
  publish();
  want("a");
  Wishes wishes;
  for (int i = 0; i < 2000; ++i) wishes[{cat("nobody-has-this-", std::string(40, 'x'), std::to_string(i)), "full"}] = {"d1"};
  const auto result = run(wishes);
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  EXPECT_LT(result.ByteSizeLong(), 70'000u);
  EXPECT_EQ(result.missing(result.missing_size() - 1), cat("and ", std::to_string(2000 - (result.missing_size() - 1)), " more"));

  settings_.quota_bytes = 1;
  const auto full = run(wishes);
  EXPECT_EQ(full.result_class(), "partial");
  EXPECT_EQ(std::ranges::count_if(full.missing(), [](const auto& line) { return line.find("a/full: ") == 0; }), 1) << "what counts is not crowded out";
}

TEST_F(PointMirror, shortens_what_sources_say_to_what_fits_into_an_answer) {
  offer("a", 1);
  publish();
  want("a");
  upstream_.trouble = [](const std::string&, const std::string&, std::string&) -> Result<> { return fail(Code::unavailable, std::string(200'000, 'x')); };
  const auto result = run();
  EXPECT_EQ(result.result_class(), "failed");
  EXPECT_NE(result.reason().find("no source worked: "), std::string::npos);
  EXPECT_LT(result.ByteSizeLong(), 10'000u);
}

TEST_F(PointMirror, tells_why_nothing_came) {
  want("a");
  upstream_.root = repository_.tuf.first_root();
  upstream_.trouble = [](const std::string&, const std::string&, std::string&) -> Result<> { return fail(Code::unavailable, "no route to host"); };
  const auto result = run();
  EXPECT_EQ(result.result_class(), "failed");
  EXPECT_NE(result.reason().find("no source worked: a: "), std::string::npos) << result.reason();
  EXPECT_NE(result.reason().find("no route to host"), std::string::npos);
  upstream_.roads_list.clear();
  EXPECT_NE(run().reason().find("no update source"), std::string::npos);
}

TEST_F(PointMirror, goes_on_after_a_restart_with_what_it_served) {
  offer("a", 1);
  publish();
  want("a");
  ASSERT_EQ(run().result_class(), "ok");
  served_.reset();
  open();
  ASSERT_NE(served_, nullptr);
  EXPECT_NE(served_->find("/metadata/timestamp.json"), nullptr);
  EXPECT_FALSE(run().published());
  const auto second = Store::open(folder_.path() / "point");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
}

TEST_F(PointMirror, throws_away_a_damaged_beginning_and_fetches_the_whole) {
  offer("a", 1);
  publish();
  want("a");
  std::string key;
  for (const auto& [path, bytes] : repository_.tuf.targets)
    if (path.ends_with(".bin")) key = picket::sha256_hex(bytes);
  { std::ofstream(store_->part(key)) << std::string(50'000, 'x'); }
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(seen("a").value_or(0), 1);
}

TEST(PointResults, are_judged_by_the_rule) {
  const auto overall = [](const char* rule, std::vector<std::string_view> classes) {
    v1::DownloadResult result;
    for (const auto one : classes) {
      auto& point = *result.add_points();
      point.set_point("p");
      point.set_result_class(std::string(one));
    }
    judge(rule, result);
    return result.overall();
  };
  EXPECT_EQ(overall("strict", {"ok", "ok"}), "ok");
  EXPECT_EQ(overall("strict", {"ok", "unsupported"}), "failed");  // notes: every other point succeeded, and yet
  EXPECT_EQ(overall("strict", {"ok", "partial"}), "partial");
  EXPECT_EQ(overall("strict", {}), "failed");
  EXPECT_EQ(overall("ignore-unsupported", {"ok", "unsupported"}), "ok");
  EXPECT_EQ(overall("ignore-unsupported", {"ok", "failed"}), "failed");
  EXPECT_EQ(overall("ignore-unsupported", {"unsupported"}), "failed");
  EXPECT_EQ(overall("any-ok", {"failed", "ok", "unsupported"}), "ok");
  EXPECT_EQ(overall("any-ok", {"failed", "partial"}), "partial");
}

}  // namespace
}  // namespace distribution_point
