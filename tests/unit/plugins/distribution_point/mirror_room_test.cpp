// What a point keeps when there is not room for all: the quota, older releases, deltas.
#include "mirror_rig.hpp"

namespace distribution_point {
namespace {

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

TEST_F(PointMirror, gives_up_older_releases_and_deltas_before_it_gives_up_a_component) {
  for (const std::int64_t release : {1, 2, 3}) offer("a", release, "full", 400'000);
  offer("b", 1, "full", 400'000);
  publish();
  want("a");
  settings_.releases = 3;
  settings_.quota_bytes = 1'300'000;
  const auto result = run({{{"b", "full"}, {"d1"}}});
  EXPECT_EQ(result.result_class(), "partial");
  ASSERT_EQ(result.missing_size(), 1);
  EXPECT_EQ(result.missing(0), "a/full: 1 of its older releases do not fit into the quota of 1.3 MB: the newest release is served");
  EXPECT_EQ(seen("a").value_or(0), 3);
  EXPECT_EQ(seen("b").value_or(0), 1) << "although more important ones would have liked to keep their past";
  EXPECT_EQ(count("files"), 3u);

  const auto delta = repository_.offer_delta(2, 3, {}, "a");
  publish();
  settings_.releases = 1;
  settings_.quota_bytes = 800'020;
  const auto without = run({{{"b", "full"}, {"d1"}}});
  EXPECT_EQ(without.result_class(), "ok") << "nobody lacks a delta: " << without.reason();
  EXPECT_EQ(served_->find("/targets/" + delta), nullptr);
}

TEST_F(PointMirror, serves_the_newest_release_although_no_source_has_the_older_ones) {
  const auto older = repository_.offer({.component = "a", .release = 1, .single = pattern(1000)});
  offer("a", 2);
  publish();
  upstream_.files.erase(cat("targets/", older));
  want("a");
  settings_.releases = 2;
  const auto result = run();
  EXPECT_EQ(result.result_class(), "partial");
  EXPECT_NE(result.reason().find("a/full: an older release: "), std::string::npos) << result.reason();
  EXPECT_EQ(seen("a").value_or(0), 2);
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

}  // namespace
}  // namespace distribution_point
