// The mirror: exactly the union, each file once, never half a set.
#include "mirror.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/digest.hpp"
#include "support/point_world.hpp"
#include "unit/plugins/source_rig.hpp"

using namespace distribution_point;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
using picket::plugin_tests::TemporaryFolder;
using picket::plugin_tests::pattern;
namespace support = picket::support;

namespace {

class PointMirror : public ::testing::Test {
 protected:
  void SetUp() override {
    settings_.name = "here";
    settings_.agent_demand = false;
    settings_.grace = std::chrono::seconds(100);
    open();
  }
  void open() {
    mirror_.reset();
    store_.reset();
    auto store = Store::open(folder_.path() / "point");
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::make_unique<Store>(std::move(*store));
    mirror_ = std::make_unique<Mirror>(Mirror::Parts{*store_, upstream_, [this](auto catalogue) { served_ = std::move(catalogue); ++served_times_; }, [this] { return now_; },
                                                     [this](std::string_view text) { log_.append(text).append("\n"); }});
    ASSERT_TRUE(mirror_->serve_published());
  }
  void offer(const std::string& component, std::int64_t release, const std::string& variant = "full", std::size_t size = 100'000) {
    repository_.offer({.component = component, .variant = variant, .release = release, .single = pattern(size) + component + variant + std::to_string(release)});
  }
  void publish() {
    repository_.publish();
    upstream_.take(repository_);
  }
  v1::PointResult run(const Wishes& devices = {}) { return mirror_->run(settings_, devices, {}, {}, cancelled_); }
  void want(const std::string& component, const std::string& variant = "full") { settings_.components.push_back({component, variant}); }
  [[nodiscard]] Result<std::int64_t> seen(const std::string& component) {
    return support::CheckingClient(folder_.path() / cat("client", std::to_string(clients_++)), repository_.tuf.first_root(), support::read_folder(folder_.path() / "point/public"))
        .newest(component);
  }
  [[nodiscard]] std::size_t count(const std::string& part) const {
    std::size_t out = 0;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator it(folder_.path() / "point" / part, error), end; !error && it != end; it.increment(error)) out += it->is_regular_file();
    return out;
  }

  TemporaryFolder folder_;
  support::UpdateRepository repository_;
  support::MapUpstream upstream_;
  MirrorSettings settings_;
  std::int64_t now_ = support::TufRepo::start + 3600;
  std::atomic<bool> cancelled_{false};
  std::string log_;
  std::shared_ptr<const Catalogue> served_;
  int served_times_ = 0, clients_ = 0;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Mirror> mirror_;
};

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
  for (const char* component : {"a", "b", "c"}) EXPECT_TRUE(upstream_.asked.contains(cat("metadata/1.", component, ".json"))) << component;
  EXPECT_FALSE(upstream_.asked.contains("metadata/1.d.json"));
  for (const auto& [path, times] : upstream_.asked)
    EXPECT_TRUE(!path.starts_with("targets/") || times == 1u) << path;
  EXPECT_EQ(seen("a").value_or(0), 1);
  EXPECT_EQ(seen("c").value_or(0), 1);
  EXPECT_FALSE(seen("d"));
  EXPECT_EQ(mirror_->wishes().at({"a", "full"}), (std::vector<std::string>{"agent", "settings", "d1", "d2"}));
  EXPECT_EQ(mirror_->release_of({"b", "light"}), 1u);
  EXPECT_EQ(mirror_->release_of({"b", "full"}), 0u);
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
  now_ += 1000;  // what was served before is gone too
  (void)run();
  EXPECT_EQ(count("files"), 2u);
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

TEST_F(PointMirror, names_the_old_set_until_every_thread_knows_the_new_files) {
  offer("a", 1);
  publish();
  want("a");
  ASSERT_EQ(run().result_class(), "ok");
  const auto old_stamp = served_->find("/metadata/timestamp.json")->etag;
  std::vector<std::pair<std::string, bool>> steps;   // the timestamp shown, and whether the new snapshot is there
  mirror_ = std::make_unique<Mirror>(Mirror::Parts{*store_, upstream_,
                                                   [&](const std::shared_ptr<const Catalogue>& catalogue) {
                                                     steps.emplace_back(catalogue->find("/metadata/timestamp.json")->etag, catalogue->find("/metadata/3.snapshot.json") != nullptr);
                                                   },
                                                   [this] { return now_; }, [](std::string_view) {}});
  offer("a", 2);
  publish();
  ASSERT_TRUE(run().published());
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0], std::pair(old_stamp, true));
  EXPECT_NE(steps[1].first, old_stamp);
  EXPECT_TRUE(steps[1].second);
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

TEST_F(PointMirror, keeps_to_the_quota_and_drops_what_fewest_want) {
  for (const char* component : {"a", "b", "c"}) offer(component, 1, "full", 400'000);
  publish();
  want("c");
  settings_.quota_bytes = 1'000'000;
  const auto result = run({{{"a", "full"}, {"d1"}}, {{"b", "full"}, {"d1", "d2"}}});
  EXPECT_EQ(result.result_class(), "partial");
  ASSERT_EQ(result.missing_size(), 1);
  EXPECT_NE(result.missing(0).find("a/full: its 400 kB do not fit into the quota"), std::string::npos) << result.missing(0);
  EXPECT_EQ(seen("c").value_or(0), 1);
  EXPECT_EQ(seen("b").value_or(0), 1);
}

TEST_F(PointMirror, keeps_as_many_releases_as_told) {
  for (int release = 1; release <= 4; ++release) offer("a", release);
  publish();
  want("a");
  settings_.releases = 2;
  EXPECT_EQ(run().files(), 2u);
}

TEST_F(PointMirror, keeps_the_deltas_that_lead_to_the_newest_release_while_they_spare_something) {
  std::string content = pattern(200'000);
  for (int release = 1; release <= 3; ++release) {
    content.replace(1000, 4, "r" + std::to_string(release) + "xx");
    repository_.offer({.component = "a", .release = release, .single = content});
  }
  const auto one = repository_.offer_delta(1, 2, {}, "a"), two = repository_.offer_delta(2, 3, {}, "a");
  publish();
  want("a");
  EXPECT_EQ(run().files(), 3u);  // the newest release, and two ways to it
  for (const auto& way : {one, two}) EXPECT_NE(served_->find("/targets/" + way), nullptr) << way;
  // One that is broken everywhere is no reason to do without the release.
  const auto three = repository_.offer_delta(1, 3, [](std::string& bytes) { bytes += "different"; }, "a");
  publish();
  upstream_.files["targets/" + three][0] ^= 1;
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(served_->find("/targets/" + three), nullptr);
  settings_.deltas = false;
  settings_.grace = std::chrono::seconds(0);
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(count("files"), 1u);
}

TEST_F(PointMirror, serves_the_roots_from_the_first_on_to_clients_of_any_age) {
  offer("a", 1);
  publish();
  want("a");
  for (int i = 0; i < 3; ++i) {
    repository_.tuf.rotate("root");
    repository_.tuf.publish({"root"});
  }
  repository_.tuf.publish_all();
  upstream_.take(repository_);
  upstream_.root = repository_.tuf.files.at("3.root.json");  // this point was installed late
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(seen("a").value_or(0), 1);  // the client comes with 1.root.json
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

TEST_F(PointMirror, leaves_a_source_alone_that_rests_and_tells_how_each_did_and_why_it_was_not_used) {
  offer("a", 1);
  publish();
  want("a");
  const auto road = [](const std::string& name, int rests = 0, bool is_asked_for = false) {
    return Road{.name = name, .plugin = "p", .location = "x", .options_json = "{}", .rests = std::chrono::seconds(rests), .rests_after = "429", .rest_is_asked_for = is_asked_for};
  };
  upstream_.roads_list = {road("other"), road("locked", 5000, true), road("dead"), road("good"), road("spare")};
  settings_.sources = {"locked", "dead", "good", "spare"};
  std::set<std::string> asked;
  upstream_.trouble = [&](const std::string& name, const std::string&, std::string&) -> Result<> {
    asked.insert(name);
    return name == "good" ? Result<>() : fail(Code::unavailable, "no route to host");
  };
  const auto steps = [](const v1::PointResult& result) {
    std::string out;
    for (const auto& step : result.steps()) out += cat(step.source(), "|", step.text(), "\n");
    return out;
  };
  auto result = run();
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  EXPECT_EQ(asked, (std::set<std::string>{"dead", "good"}));
  EXPECT_EQ(upstream_.reports, (std::vector<std::string>{"dead: get 2.root.json: no route to host", "good"}));
  EXPECT_EQ(steps(result), "other|left out: the point's setting sources does not name it\n"
                           "locked|rests for 5000 s more, as it asked for, after: 429\n"
                           "dead|failed: get 2.root.json: no route to host\n"
                           "good|taken: the first source whose metadata are good\n"
                           "spare|not asked: good comes before it and works; stands by for single files\n");
  // When nothing else is left, one that only failed is tried; one that asked to be left alone is not, unless somebody orders it.
  asked.clear();
  upstream_.roads_list = {road("locked", 5000, true), road("good", 200)};
  EXPECT_EQ(mirror_->run(settings_, {}, {}, {}, cancelled_, 0, false).result_class(), "ok");
  EXPECT_EQ(asked, std::set<std::string>{"good"});
  asked.clear();
  upstream_.roads_list = {road("locked", 5000, true)};
  result = mirror_->run(settings_, {}, {}, {}, cancelled_, 0, false);
  EXPECT_EQ(result.result_class(), "failed");
  EXPECT_NE(result.reason().find("wants to be left alone: locked rests for 5000 s more"), std::string::npos) << result.reason();
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(run().result_class(), "failed");
  EXPECT_EQ(asked, std::set<std::string>{"locked"});
}

TEST_F(PointMirror, tells_once_of_a_source_that_dies_in_the_middle_however_many_files_it_owes) {
  for (const char* component : {"a", "b", "c"}) {
    offer(component, 1);
    want(component);
  }
  publish();
  upstream_.roads_list = {{.name = "dying", .plugin = "p", .location = "x", .options_json = "{}"}, {.name = "good", .plugin = "p", .location = "x", .options_json = "{}"}};
  upstream_.trouble = [&](const std::string& name, const std::string& path, std::string&) -> Result<> {
    return name == "dying" && path.starts_with("targets/") ? fail(Code::io, "connection reset") : Result<>();
  };
  const auto result = run();
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  ASSERT_EQ(upstream_.reports.size(), 2u);
  EXPECT_EQ(upstream_.reports[0], "dying");
  EXPECT_NE(upstream_.reports[1].find("dying: connection reset"), std::string::npos) << upstream_.reports[1];
  EXPECT_EQ(result.steps_size(), 2 + 3);
}

// What a source may do to the point's own download, one kind at a time: the next source helps, or the set in force stays.
struct Ill {
  const char* name;
  const char* part;                                    // of the path
  std::function<void(std::string& bytes)> spoil;
  const char* why;
};
class IllSource : public PointMirror, public ::testing::WithParamInterface<Ill> {};
INSTANTIATE_TEST_SUITE_P(All, IllSource, ::testing::Values(
    Ill{"sends_a_short_file", "targets/", [](std::string& bytes) { bytes.resize(bytes.size() - 1); }, "the source has only "},
    Ill{"sends_an_empty_file", "targets/", [](std::string& bytes) { bytes.clear(); }, "the source has only "},
    Ill{"sends_without_end", "targets/", [](std::string& bytes) { bytes.resize(bytes.size() + 40'000'000); }, "sends more than the file has"},
    Ill{"sends_one_byte_too_many", "targets/", [](std::string& bytes) { bytes += 'x'; }, "sends more than the file has"},
    Ill{"sends_metadata_without_end", "metadata/timestamp.json", [](std::string& bytes) { bytes.resize(50'000'000, ' '); }, "longer than the limit"},
    Ill{"sends_a_short_snapshot", "snapshot.json", [](std::string& bytes) { bytes.resize(bytes.size() / 2); }, "snapshot"},
    Ill{"sends_no_targets", "targets.json", [](std::string& bytes) { bytes.clear(); }, "targets"}),
    [](const auto& which) { return which.param.name; });

TEST_P(IllSource, is_found_out_and_costs_nothing_but_its_turn) {
  for (const char* component : {"a", "b"}) {
    offer(component, 1);
    want(component);
  }
  publish();
  ASSERT_EQ(run().result_class(), "ok");
  for (const char* component : {"a", "b"}) offer(component, 2);
  publish();
  upstream_.knows_limits = false;
  upstream_.roads_list = {{.name = "ill", .plugin = "p", .location = "x", .options_json = "{}"}};
  upstream_.trouble = [&](const std::string& road, const std::string& path, std::string& bytes) -> Result<> {
    if (road == "ill" && path.find(GetParam().part) != path.npos) GetParam().spoil(bytes);
    return {};
  };
  const auto alone = run();
  EXPECT_NE(alone.result_class(), "ok");
  EXPECT_NE((alone.reason() + log_).find(GetParam().why), std::string::npos) << alone.reason() << "\n" << log_;
  // Without metadata that fit together the set in force stays. A file that no source has right is left out, and said to be missing.
  const bool is_metadata = std::string_view(GetParam().part).find("json") != std::string_view::npos;
  EXPECT_EQ(alone.result_class(), is_metadata ? "failed" : "partial");
  EXPECT_EQ(alone.missing_size(), is_metadata ? 0 : 2);
  for (const char* component : {"a", "b"}) EXPECT_EQ(seen(component).value_or(0), is_metadata ? 1 : 0) << component;
  EXPECT_TRUE(mirror_->look_for_damage().damaged.empty());
  std::uint64_t most = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path() / "point"))
    if (entry.is_regular_file()) most = std::max<std::uint64_t>(most, entry.file_size());
  EXPECT_LT(most, 1'000'000u) << "no more is kept than was signed";
  upstream_.roads_list.push_back({.name = "good", .plugin = "p", .location = "x", .options_json = "{}"});
  const auto helped = run();
  EXPECT_EQ(helped.result_class(), "ok") << helped.reason();
  for (const char* component : {"a", "b"}) EXPECT_EQ(seen(component).value_or(0), 2) << component;
}

// Each file is signed, but they are of different states of the repository.
TEST_F(PointMirror, puts_no_set_together_of_mixed_metadata) {
  offer("a", 1);
  offer("b", 1);
  publish();
  want("a");
  want("b");
  const auto old = upstream_.files;
  ASSERT_EQ(run().result_class(), "ok");
  offer("a", 2);
  offer("b", 2);
  publish();
  const auto fresh = upstream_.files;
  const auto old_bytes = [&](const std::string& role) {
    for (const auto& [path, bytes] : old)
      if (path.starts_with("metadata/") && path.ends_with(cat(".", role, ".json"))) return bytes;
    return std::string();
  };
  for (const char* role : {"snapshot", "targets", "a"}) {
    SCOPED_TRACE(role);
    upstream_.files = fresh;
    for (auto& [path, bytes] : upstream_.files)
      if (path.starts_with("metadata/") && path.ends_with(cat(".", role, ".json")) && !old.contains(path)) bytes = old_bytes(role);
    const auto result = run();
    EXPECT_NE(result.result_class(), "ok");
    // One component's own metadata is a matter of that component: it is left out, with the reason. Nobody sees one of each.
    const bool is_one = std::string_view(role) == "a";
    EXPECT_EQ(result.result_class(), is_one ? "partial" : "failed") << result.reason();
    EXPECT_EQ(seen("a").value_or(0), is_one ? 0 : 1);
    EXPECT_EQ(seen("b").value_or(0), is_one ? 2 : 1);
  }
  upstream_.files = fresh;
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(seen("a").value_or(0), 2);
}

TEST_F(PointMirror, does_not_go_back_to_older_metadata) {
  offer("a", 1);
  publish();
  want("a");
  const auto old = upstream_.files;
  ASSERT_EQ(run().result_class(), "ok");
  offer("a", 2);
  publish();
  ASSERT_TRUE(run().published());
  upstream_.files = old;
  EXPECT_EQ(run().result_class(), "failed");
  EXPECT_EQ(seen("a").value_or(0), 2);
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

void flip(const std::filesystem::path& path, std::uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
  ASSERT_TRUE(file.good()) << path;
}

// Each file of the point's folder, at both ends and between. The size stays, so nothing but reading it again can find it.
TEST_F(PointMirror, heals_a_bit_that_flipped_in_any_stored_file) {
  settings_.releases = 2;
  settings_.grace = std::chrono::seconds(1'000'000);
  for (const int release : {1, 2}) {
    offer("a", release);
    offer("b", release);
    publish();
    if (release == 1) for (const char* component : {"a", "b"}) want(component);
    ASSERT_EQ(run().result_class(), "ok");
  }
  const auto place = folder_.path() / "point";
  const auto whole = [&] {
    for (const char* component : {"a", "b"}) {
      const auto got = seen(component);
      EXPECT_EQ(got.value_or(0), 2) << got.error().message;
    }
    // And everything else that is still served, also of the set before.
    EXPECT_TRUE(Scrub(*store_).read(~std::uint64_t{0}).damaged.empty());
    for (const auto& file : store_->stored()) EXPECT_EQ(store_->look(file, {}), Store::Look::good) << file.path;
  };
  std::set<std::string> kinds;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place))
    if (entry.is_regular_file() && !entry.is_symlink() && entry.file_size() > 0) files.push_back(entry.path().lexically_relative(place));
  for (const auto& file : files) {
    if (file.native().starts_with("sets/")) ASSERT_TRUE(file.native().starts_with("sets/1/") || file.native().starts_with("sets/2/")) << file;
    for (const int part : {0, 1, 2}) {
      SCOPED_TRACE(cat(file.native(), " part ", std::to_string(part)));
      std::error_code gone;
      const auto size = std::filesystem::file_size(place / file, gone);
      if (gone) continue;  // it healed into another set
      flip(place / file, part == 0 ? 0 : part == 1 ? size / 2 : size - 1);
      kinds.insert(file.begin()->native());
      if (part == 1) open();  // found after a restart too
      const auto found = mirror_->look_for_damage();
      // The client finds out about trusted/ by itself, and a set's list may have lost the files that it names by then.
      if (file.filename() != "digests") EXPECT_EQ(found.damaged.empty(), file.native().starts_with("trusted")) << "what is served is found by reading it";
      for (const auto& name : found.damaged) EXPECT_EQ(name.find(".part"), name.npos) << name;
      const auto result = run();
      EXPECT_EQ(result.result_class(), "ok") << result.reason();
      whole();
    }
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"files", "sets", "trusted", "trusted.highest"}));
}

TEST_F(PointMirror, makes_a_set_anew_whose_list_of_digests_is_damaged) {
  offer("a", 1);
  publish();
  want("a");
  ASSERT_EQ(run().result_class(), "ok");
  for (const bool in_a_name : {false, true}) {
    const auto list = store_->set_folder(store_->published()) / "digests";
    flip(list, in_a_name ? 70 : 0);  // 64 digits, two spaces, the name
    EXPECT_FALSE(mirror_->look_for_damage().damaged.empty());
    EXPECT_TRUE(run().published());
    EXPECT_EQ(seen("a").value_or(0), 1);
    EXPECT_TRUE(mirror_->look_for_damage().damaged.empty());
  }
}

TEST_F(PointMirror, serves_nobody_from_a_damaged_file_even_while_no_source_is_there) {
  offer("a", 1);
  offer("b", 1);
  publish();
  for (const char* component : {"a", "b"}) want(component);
  ASSERT_EQ(run().result_class(), "ok");
  std::string path;
  for (const auto& [asked, times] : upstream_.asked)
    if (asked.starts_with("targets/a/")) path = "/" + asked;
  ASSERT_NE(served_->find(path), nullptr) << path;
  const auto key = picket::sha256_hex(upstream_.files.at(path.substr(1)));
  flip(store_->file(key), 50'000);
  EXPECT_EQ(mirror_->look_for_damage().damaged, std::vector<std::string>{path.substr(9)});
  EXPECT_EQ(served_->find(path), nullptr);
  EXPECT_FALSE(seen("a"));
  EXPECT_EQ(seen("b").value_or(0), 1);
  upstream_.trouble = [](const std::string&, const std::string&, std::string&) -> Result<> { return fail(Code::unavailable, "no route to host"); };
  EXPECT_EQ(run().result_class(), "failed");
  upstream_.trouble = {};
  const auto sent = upstream_.sent;
  EXPECT_TRUE(run().published());
  EXPECT_LT(upstream_.sent - sent, 110'000u);  // only what was damaged
  EXPECT_NE(served_->find(path), nullptr);
  EXPECT_EQ(seen("a").value_or(0), 1);
}

TEST_F(PointMirror, reads_everything_once_in_portions_and_goes_on_after_a_restart) {
  for (const char* component : {"a", "b", "c", "d"}) {
    offer(component, 1);
    want(component);
  }
  publish();
  ASSERT_EQ(run().result_class(), "ok");
  std::uint64_t all = 0;
  for (const auto& file : store_->stored()) all += file.size;
  std::uint64_t read = 0;
  int portions = 0;
  for (bool over = false; !over; ++portions) {
    ASSERT_LT(portions, 100);
    const auto portion = mirror_->look_for_damage(1);
    EXPECT_TRUE(portion.damaged.empty());
    read += portion.bytes;
    over = portion.is_round_over;
    if (!over && portions == 2) open();
  }
  EXPECT_EQ(read, all);
  EXPECT_GT(portions, 4);
  // A file that it has to leave in the middle is read the next time.
  int asked = 0;
  const auto left = mirror_->look_for_damage(~std::uint64_t{0}, [&] { return ++asked == 3; });
  EXPECT_FALSE(left.is_round_over);
  EXPECT_EQ(left.bytes + mirror_->look_for_damage(~std::uint64_t{0}).bytes, all);
  EXPECT_EQ(portion_of(1'000, std::chrono::hours(24)), 64u << 20);
  EXPECT_EQ(portion_of(1'440'000'000'000, std::chrono::hours(24)), 1'000'000'001u);
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
