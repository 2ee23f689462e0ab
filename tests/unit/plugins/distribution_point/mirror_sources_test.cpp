// Sources that rest, die, lie or never end, at the mirror: the next one helps, or the set in force stays.
#include "mirror_rig.hpp"

#include <functional>

namespace distribution_point {
namespace {

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

// The list of sources is that of all computers of the site, this one among them.
TEST_F(PointMirror, follows_other_points_only_where_it_is_told_to) {
  offer("a", 1);
  publish();
  want("a");
  const Road points{.name = "site", .plugin = "org.picket.source-distribution-point", .location = "points", .options_json = "{}"};
  upstream_.roads_list = {points, {.name = "web", .plugin = "p", .location = "x", .options_json = "{}"}};
  auto result = run();
  EXPECT_EQ(result.source(), "web");
  ASSERT_GT(result.steps_size(), 0);
  EXPECT_EQ(result.steps(0).source(), "site");
  EXPECT_EQ(result.steps(0).text(), "left out: a point follows other points only where its setting sources names them");
  upstream_.roads_list = {points};
  result = run();
  EXPECT_EQ(result.result_class(), "failed");
  EXPECT_EQ(result.reason(), "the agent's only update sources are distribution points, and the point's setting sources names none of them");
  settings_.sources = {"site"};
  EXPECT_EQ(run().source(), "site");
}

// Its scope contains this computer, or its address is this computer's.
TEST_F(PointMirror, passes_over_a_source_that_leads_to_itself_and_does_not_make_it_rest_for_the_agent) {
  offer("a", 1);
  publish();
  want("a");
  upstream_.roads_list = {{.name = "site", .plugin = "p", .location = "x", .options_json = "{}"}, {.name = "web", .plugin = "p", .location = "x", .options_json = "{}"}};
  upstream_.points = {{"site", "0123abcd"}, {"web", "4567"}};
  auto result = run();
  EXPECT_EQ(result.source(), "web") << result.reason();
  EXPECT_EQ(result.steps(0).text(), "passed over: it leads to this point itself");
  EXPECT_EQ(upstream_.reports, std::vector<std::string>{"web"});
  upstream_.roads_list.pop_back();
  result = run();
  EXPECT_EQ(result.result_class(), "failed");
  EXPECT_EQ(result.reason(), "no source worked: site: it leads to this point itself");
}

// Else each would want of the other what nobody else wants any more, and neither would ever forget it.
TEST_F(PointMirror, tells_a_point_that_follows_this_one_that_it_wants_nothing) {
  offer("a", 1);
  publish();
  want("a");
  upstream_.roads_list = {{.name = "site", .plugin = "p", .location = "x", .options_json = "{}"}, {.name = "web", .plugin = "p", .location = "x", .options_json = "{}"}};
  upstream_.points = {{"site", "89ab, 0123abcd"}};
  std::map<std::string, std::size_t> told;
  upstream_.trouble = [&](const std::string& road, const std::string& path, std::string&) -> Result<> {
    if (path == "metadata/timestamp.json") told[road] = upstream_.wanted.size();
    return {};
  };
  const auto then = [&](const char* source, std::size_t site, std::size_t web) {
    told.clear();
    const auto result = run();
    EXPECT_EQ(result.source(), source) << result.reason();
    EXPECT_EQ(told["site"], site);
    EXPECT_EQ(told["web"], web);
  };
  then("web", 1, 1);  // nobody knows yet
  then("web", 0, 1);
  then("web", 0, 1);
  upstream_.points = {{"site", "89ab"}};
  then("site", 0, 0);
  then("site", 1, 0);
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

// The first release of a and b is in force, the second is offered.
class NextRelease : public PointMirror {
 protected:
  void SetUp() override {
    PointMirror::SetUp();
    for (const char* component : {"a", "b"}) {
      offer(component, 1);
      want(component);
    }
    publish();
    ASSERT_EQ(run().result_class(), "ok");
    for (const char* component : {"a", "b"}) offer(component, 2);
    publish();
  }
};

// What a source may do to the point's own download, one kind at a time: the next source helps, or the set in force stays.
struct Ill {
  const char* name;
  const char* part;                                    // of the path
  std::function<void(std::string& bytes)> spoil;
  const char* why;
};
class IllSource : public NextRelease, public ::testing::WithParamInterface<Ill> {};
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

// Sources of which the first holds other components only, as a drive with a copy may.
class PartialSource : public NextRelease {
 protected:
  void SetUp() override {
    NextRelease::SetUp();
    upstream_.roads_list = {{.name = "drive", .plugin = "p", .location = "x", .options_json = "{}"}};
    upstream_.reports.clear();
    upstream_.trouble = [this](const std::string& road, const std::string& path, std::string&) -> Result<> {
      const bool lacks = path.ends_with(".a.json") || path.starts_with("targets/a/");
      return road == "drive" && lacks ? drive_ : Result<>();
    };
  }
  void add_whole() { upstream_.roads_list.push_back({.name = "whole", .plugin = "p", .location = "x", .options_json = "{}"}); }
  [[nodiscard]] static std::string steps(const v1::PointResult& result) {
    std::string out;
    for (const auto& step : result.steps()) out += cat(step.source(), "|", step.text(), "\n");
    return out;
  }
  Result<> drive_ = fail(Code::not_found, "no such file");
};

TEST_F(PartialSource, hides_no_component_that_the_next_one_has) {
  add_whole();
  const auto result = run();
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  EXPECT_EQ(result.source(), "drive");
  for (const char* component : {"a", "b"}) EXPECT_EQ(seen(component).value_or(0), 2) << component;
  EXPECT_NE(steps(result).find("drive|failed: a: targets delegates to a, but get 2.a.json: no such file\n"), std::string::npos) << steps(result);
  EXPECT_NE(steps(result).find("whole|gave the metadata of a: "), std::string::npos) << steps(result);
  EXPECT_EQ(upstream_.reports, std::vector<std::string>{"drive"}) << "a part of the repository is no fault";
}

TEST_F(PartialSource, costs_no_component_its_files_while_no_other_is_to_be_had) {
  for (int times = 0; times < 2; ++times) {
    const auto result = run();
    EXPECT_EQ(result.result_class(), "partial");
    ASSERT_EQ(result.missing_size(), 1);
    EXPECT_EQ(result.missing(0), "a/full: no source could give its metadata: drive: a: targets delegates to a, but get 2.a.json: no such file; its earlier files are kept");
    EXPECT_EQ(seen("b").value_or(0), 2) << "what it has is published";
    EXPECT_EQ(mirror_->release_of({"a", "full"}), 0u) << "the new snapshot asks for metadata that are not here";
    EXPECT_EQ(count("public/targets/a"), 1u);
    EXPECT_NE(served_->find("/metadata/1.a.json"), nullptr);
    EXPECT_EQ(served_->find("/metadata/2.a.json"), nullptr) << "no older bytes under the new name";
    EXPECT_TRUE(published_wishes(*store_).contains({"a", "full"}));
    now_ += 1000;  // the set that was served before goes
  }
  upstream_.declined = {{"a", 1}};
  EXPECT_EQ(run().result_class(), "partial");
  EXPECT_EQ(count("public/targets/a"), 0u) << "declined since";
  upstream_.declined.clear();
  add_whole();
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(seen("a").value_or(0), 2);
}

TEST_F(PartialSource, leaves_the_set_in_force_while_another_may_come_back_with_the_rest) {
  upstream_.roads_list.push_back({.name = "away", .plugin = "p", .location = "x", .options_json = "{}"});
  upstream_.trouble = [lacks = upstream_.trouble](const std::string& road, const std::string& path, std::string& bytes) -> Result<> {
    return road == "away" ? fail(Code::unavailable, "no route to host") : lacks(road, path, bytes);
  };
  const auto result = run();
  EXPECT_EQ(result.result_class(), "failed");
  EXPECT_NE(result.reason().find("drive: a: targets delegates to a"), std::string::npos) << result.reason();
  EXPECT_NE(result.reason().find("away: a: get 2.a.json: no route to host"), std::string::npos) << result.reason();
  for (const char* component : {"a", "b"}) EXPECT_EQ(seen(component).value_or(0), 1) << component;
}

TEST_F(PartialSource, is_told_from_a_repository_that_does_not_offer_the_component) {
  EXPECT_EQ(run({{{"no-such", "full"}, {"d1"}}}).missing_size(), 2);
  add_whole();
  const auto result = run({{{"no-such", "full"}, {"d1"}}});
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  ASSERT_EQ(result.missing_size(), 1);
  EXPECT_EQ(result.missing(0), "no-such/full: the repository does not offer it");
}

// As while a mirror of the servers is being filled: its metadata are newer than its files.
TEST_F(PointMirror, goes_on_serving_the_release_that_it_has_while_no_source_has_the_newer_one) {
  for (const std::int64_t release : {1, 2}) offer("a", release);
  publish();
  want("a");
  ASSERT_EQ(run().result_class(), "ok");
  offer("a", 3);
  publish();
  bool is_wrong = false;
  upstream_.trouble = [&](const std::string&, const std::string& path, std::string& bytes) -> Result<> {
    if (!path.ends_with(".3.bin")) return {};
    if (!is_wrong) return fail(Code::not_found, "no such file");
    bytes[0] = static_cast<char>(bytes[0] ^ 1);
    return {};
  };
  for (const bool wrong : {false, true, false}) {
    is_wrong = wrong;
    const auto result = run();
    EXPECT_EQ(result.result_class(), "partial");
    EXPECT_NE(result.reason().find("a/full: release 2 is served as long as the newer one is lacking: "), std::string::npos) << result.reason();
    EXPECT_EQ(mirror_->release_of({"a", "full"}), 2u);
    EXPECT_EQ(count("public/targets/a"), 1u);
    now_ += 1000;  // the set that was served before goes
  }
  upstream_.trouble = nullptr;
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(seen("a").value_or(0), 3);
}

TEST_F(PointMirror, lacks_nothing_when_no_source_holds_what_the_agent_can_do_without) {
  offer("a", 1);
  offer("extra", 1);
  publish();
  want("a");
  settings_.agent_demand = true;
  upstream_.agent = {{{"extra", "full"}, true}};
  bool lacks = true;
  upstream_.trouble = [&](const std::string&, const std::string& path, std::string&) -> Result<> {
    return lacks && path.ends_with(".extra.json") ? fail(Code::not_found, "no such file") : Result<>();
  };
  const auto result = run();
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  ASSERT_EQ(result.missing_size(), 1);
  EXPECT_NE(result.missing(0).find("no source could give its metadata: a: extra: "), std::string::npos) << result.missing(0);
  lacks = false;
  ASSERT_EQ(run().missing_size(), 0);
  offer("extra", 2);
  publish();
  lacks = true;
  EXPECT_EQ(run().result_class(), "partial") << "what it had must not stay behind in silence";
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

}  // namespace
}  // namespace distribution_point
