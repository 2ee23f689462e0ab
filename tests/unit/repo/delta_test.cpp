// Deltas that the publisher makes, offers and drops.
#include <limits>
#include <random>

#include "delta/delta.hpp"
#include "repo/archive.hpp"
#include "repo/verify.hpp"
#include "repo_fixture.hpp"

namespace picket::repo {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class RepoDelta : public RepoTest {
 protected:
  // 20 kB that do not compress, a few of them of this release alone.
  NewRelease wide(std::int64_t number) const {
    std::mt19937 random(1);
    std::string noise(20'000, '\0');
    for (auto& c : noise) c = static_cast<char>(random());
    noise.insert(static_cast<std::size_t>(1000 * number), "of release " + std::to_string(number));
    write(base_ / "content" / "yara-rules" / "full" / std::to_string(number) / "noise.bin", noise);
    auto out = release(number);
    out.deltas = 2;
    return out;
  }
  Added add_wide(const NewRelease& wanted) const {
    auto workspace = open();
    auto added = add_to(workspace, wanted);
    EXPECT_TRUE(added) << added.error().message;
    return added ? std::move(*added) : Added{};
  }
  void publish_wide(std::int64_t number) {
    if (number == 1) init();
    add_wide(wide(number));
    sign();
    publish_now();
  }
  // Published targets whose names end so; gathered first, because writing one changes the folder.
  std::vector<fs::path> files(std::string_view ending) const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::recursive_directory_iterator(targets()))
      if (entry.is_regular_file() && entry.path().native().ends_with(ending)) out.push_back(entry.path());
    return out;
  }
  std::vector<std::string> offered() const {
    std::vector<std::string> out;
    const auto workspace = open(Workspace::Access::read);
    for (const auto& delta : deltas_in(*workspace.current("yara-rules"))) out.push_back(cat(std::to_string(delta.base), ">", std::to_string(delta.release)));
    return out;
  }
};

TEST_F(RepoDelta, leads_from_what_was_published_to_what_is_new) {
  publish_wide(1);
  const auto added = add_wide(wide(2));
  ASSERT_EQ(added.deltas.size(), 1u);
  const auto& delta = added.deltas[0].delta;
  EXPECT_EQ(added.deltas[0].skipped, "");
  EXPECT_EQ(delta.path, "yara-rules/full/2.from-1.delta");
  EXPECT_LT(delta.length, 200u);
  const auto workspace = open(Workspace::Access::read);
  const auto releases = releases_in(*workspace.current("yara-rules"));
  ASSERT_EQ(releases.size(), 2u);
  EXPECT_EQ(delta.base_sha256, releases[0].content_sha256);
  const auto content = [&](const trust::Release& release) {
    return read_content(workspace.find_target(release.path, release.hashes.at("sha256")).value(), true, release.content_length).value();
  };
  std::string made;
  const auto bytes = read_file(workspace.staged_target(delta.path), 1 << 20).value();
  ASSERT_TRUE(delta::apply(content(releases[0]), bytes, {releases[1].content_length}, [&](std::string_view piece) {
    made += piece;
    return Result<>{};
  }));
  EXPECT_EQ(sha256_hex(made), releases[1].content_sha256);
}

TEST_F(RepoDelta, is_published_verified_and_seen_by_clients) {
  publish_wide(1);
  publish_wide(2);
  Progress silent("", 0, Progress::Style::off);
  const auto root = read_file(metadata() / "1.root.json", 1 << 20).value();
  const auto good = verify_repository(folder() / "repository", root, now_, true, silent);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_THAT(good->problems, IsEmpty());
  ASSERT_EQ(good->deltas.size(), 1u);
  for (const auto& path : files(".delta")) write(path, "damaged");
  const auto bad = verify_repository(folder() / "repository", root, now_, true, silent);
  ASSERT_TRUE(bad);
  EXPECT_THAT(bad->problems, ElementsAre(HasSubstr(".delta")));
}

TEST_F(RepoDelta, to_older_releases_stays_only_as_the_link_of_a_chain) {
  for (int number = 1; number <= 4; ++number) publish_wide(number);
  EXPECT_THAT(offered(), ElementsAre("1>2", "2>3", "2>4", "3>4"));
  for (int number = 5; number <= 7; ++number) publish_wide(number);
  EXPECT_THAT(offered(), ElementsAre("3>4", "4>5", "5>6", "5>7", "6>7")) << "chains do not grow without end";
}

TEST_F(RepoDelta, goes_with_the_release_that_it_starts_from_and_its_file_with_clean) {
  publish_wide(1);
  publish_wide(2);
  auto third = wide(3);
  third.keep = 2;
  add_wide(third);
  sign();
  publish_now();
  EXPECT_THAT(offered(), ElementsAre("2>3")) << "1 is no longer offered, so nothing leads from it";
  EXPECT_EQ(files(".delta").size(), 2u);
  auto workspace = open();
  ASSERT_TRUE(clean(workspace, std::numeric_limits<UnixTime>::max()));
  EXPECT_EQ(files(".delta").size(), 1u);
}

TEST_F(RepoDelta, is_left_out_when_it_saves_too_little_or_nobody_wants_it) {
  published(1);
  add(2);
  EXPECT_THAT(offered(), IsEmpty()) << "a few hundred bytes need no delta";
  auto none = wide(3);
  none.deltas = 0;
  add_wide(none);
  EXPECT_THAT(offered(), IsEmpty());
}

TEST_F(RepoDelta, is_not_made_from_a_base_that_was_damaged_and_says_so) {
  publish_wide(1);
  for (const auto& path : files("")) write(path, "damaged");
  const auto added = add_wide(wide(2));
  ASSERT_EQ(added.deltas.size(), 1u);
  EXPECT_THAT(added.deltas[0].skipped, HasSubstr("is not good zstd"));
  EXPECT_EQ(added.release.release, 2) << "the release itself is none the worse";
}

TEST_F(RepoDelta, with_wrong_metadata_is_refused_by_the_parser) {
  trust::Delta delta;
  delta.component = "yara-rules";
  delta.variant = "full";
  delta.base = 1;
  delta.release = 2;
  delta.base_sha256 = std::string(64, 'a');
  delta.method = "splice";
  const auto target = [&](const std::string& path, const std::string& role = "yara-rules") {
    return trust::Target{path, role, {7, {{"sha256", std::string(64, '1')}}, trust::delta_custom(delta)}};
  };
  EXPECT_TRUE(trust::parse_delta(target(trust::delta_path(delta))));
  for (const char* path : {"yara-rules/full/2.from-2.delta", "yara-rules/full/02.from-1.delta", "yara-rules/other/2.from-1.delta", "yara-rules/full/2.delta", "", "a", "yara-rules/full",
                           "yara-rules/full/1.from-1.delta", "yara-rules/full/2.from-1.delta/x"})
    EXPECT_EQ(trust::parse_delta(target(path)).error().code, Code::invalid) << path;
  EXPECT_EQ(trust::parse_delta(target(trust::delta_path(delta), "other")).error().code, Code::invalid);
  delta.base_sha256 = "short";
  EXPECT_EQ(trust::parse_delta(target(trust::delta_path(delta))).error().code, Code::invalid);
  EXPECT_EQ(trust::parse_release(target(trust::delta_path(delta))).error().code, Code::unsupported) << "older agents pass it over";
}

}  // namespace
}  // namespace picket::repo
