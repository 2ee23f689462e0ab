// Wrong, truncated, endless, slow and dying sources; a full disk. Each one clear message, and nothing is lost.
#include "unit/update/world_test.hpp"

#include <csignal>

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "base/files.hpp"
#include "update/set_store.hpp"

namespace picket::update {
namespace {

using ::testing::HasSubstr;
using What = Trouble::What;

class UpdateTrouble : public UpdateTest {
 protected:
  // Release 1 in force, release 2 published with this trouble on the way.
  void meet(Trouble trouble) {
    publish(release(1));
    open();
    ASSERT_EQ(world_->run().result(), "ok");
    publish(release(2));
    source_->make_trouble(std::move(trouble));
  }
  // The old set is in force, and once the trouble is over the new one comes.
  void nothing_was_lost() {
    EXPECT_EQ(rule(), "rule of 1 full");
    EXPECT_EQ(world_->status_of("rules").release(), 1u);
    source_->no_trouble();
    const auto result = world_->run();
    EXPECT_EQ(result.result(), "ok") << result.text();
    EXPECT_EQ(rule(), "rule of 2 full");
  }
};

TEST_F(UpdateTrouble, a_wrong_file) {
  meet({"targets/", What::flips, 50, 1000});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("is not what was signed: wrong digest"));
  nothing_was_lost();
}

TEST_F(UpdateTrouble, a_truncated_file) {
  meet({"nothing", What::none, 0, 0});
  auto& served = source_->files.at("targets/" + last_path_);
  const auto whole = served;
  served.resize(whole.size() / 2);
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("ends after"));
  source_->files.at("targets/" + last_path_) = whole;
  source_->forget_asked();
  nothing_was_lost();
  EXPECT_EQ(source_->sent_of("targets/"), whole.size() - whole.size() / 2) << "what had come was fetched again";
}

TEST_F(UpdateTrouble, an_endless_file) {
  meet({"targets/", What::endless, 0, 1000});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("sends more than"));
  nothing_was_lost();
}

TEST_F(UpdateTrouble, endless_metadata) {
  meet({"metadata/timestamp.json", What::endless, 0, 1000});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("timestamp.json"));
  EXPECT_LT(result.bytes(), 2'000'000u);
  nothing_was_lost();
}

TEST_F(UpdateTrouble, a_source_that_dies_in_the_middle) {
  meet({"targets/", What::dies, 100, 1000});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("connection reset by peer"));
  nothing_was_lost();
}

TEST_F(UpdateTrouble, a_source_that_falls_silent) {
  meet({"targets/", What::silent, 100, 1000});
  ASSERT_TRUE(world_->settings({"source.a"}, R"("stall_timeout_seconds":1)"));
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("sent nothing for"));
  nothing_was_lost();
}

TEST_F(UpdateTrouble, a_source_that_is_too_slow) {
  meet({"nothing", What::none, 0, 0});
  ASSERT_TRUE(world_->settings({"source.a"}, R"("stall_timeout_seconds":30,"min_bytes_per_second":1000)"));
  source_->chunk_size = 16;
  source_->before_chunk = [this](std::string_view path, std::uint64_t) {
    if (path.starts_with("targets/")) world_->clock.ahead_ms += 10'000;
  };
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("too slow"));
  source_->before_chunk = nullptr;
  nothing_was_lost();
}

TEST_F(UpdateTrouble, one_byte_per_second_is_given_up_for_the_next_source_without_any_setting) {
  add_second();
  meet({"nothing", What::none, 0, 0});
  source_->chunk_size = 1;
  source_->before_chunk = [this](std::string_view path, std::uint64_t) {
    if (path.starts_with("targets/")) world_->clock.ahead_ms += 1'000;
  };
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(rule(), "rule of 2 full");
  EXPECT_THAT(world_->explain(), HasSubstr("failed: too slow: "));
  EXPECT_THAT(world_->explain(), HasSubstr("|source.b|"));
}

TEST_F(UpdateTrouble, a_source_that_miscounts) {
  meet({"targets/", What::lies_about_sent, 0, 1000});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("says it sent"));
  nothing_was_lost();
}

TEST_F(UpdateTrouble, metadata_that_are_missing_in_the_middle) {
  meet({"metadata/timestamp.json", What::missing, 0, 1000});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("timestamp.json"));
  nothing_was_lost();
}

TEST_F(UpdateTrouble, content_that_is_signed_but_not_acceptable) {
  start_with_release_1();
  trust::Release bad;
  bad.component = "rules";
  bad.cls = "databases";
  bad.variant = "full";
  bad.release = 2;
  bad.version = "2";
  bad.published = support::TufRepo::start;
  bad.format = "tar.zst";
  bad.minimum_agent = "0.0.0";
  bad.files = 2;
  bad.unpacked = 1;
  repository_.offer_raw(bad, support::make_archive({{"l", "", 'l', "/etc"}, {"l/x", "y"}}));
  repository_.publish();
  source_->serve(repository_);
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("stage rules/full/2.tar.zst: member l: is a link"));
  EXPECT_EQ(rule(), "rule of 1 full");
  source_->forget_asked();
  EXPECT_EQ(world_->run().result(), "failed");
  EXPECT_EQ(source_->sent_of("targets/"), 0u) << "a verified download was fetched again";
}

TEST_F(UpdateTrouble, a_failing_component_does_not_hinder_the_others) {
  publish(release(1));
  auto other = release(1);
  other.component = "lists";
  publish(other);
  world_->demands.push_back({"lists", "databases", "scanner", true});
  world_->demands.push_back({"absent", "databases", "scanner", true});
  source_->make_trouble({"targets/lists", What::missing, 0, 1000});
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "partial");
  ASSERT_EQ(result.components_size(), 3);
  EXPECT_THAT(result.components(0).text(), HasSubstr("offers no component absent"));
  EXPECT_EQ(result.components(1).result(), "failed");
  EXPECT_EQ(result.components(2).result(), "updated");
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_FALSE(world_->engine->problems().empty());
}

// Who answers 404 must not decide what the repository offers.
TEST_F(UpdateTrouble, a_component_whose_metadata_every_source_keeps_back_fails_and_names_them) {
  add_second();
  meet({".rules.json", What::missing, 0, 1000});
  second_->make_trouble({".rules.json", What::missing, 0, 1000});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("no source could give its metadata: source.a: targets delegates to rules, but get "));
  EXPECT_THAT(result.text(), HasSubstr("; source.b: "));
  nothing_was_lost();
}

TEST_F(UpdateTrouble, a_disk_that_is_full_at_any_size) {
  start_with_release_1();
  Offer offer;
  offer.release = 2;
  offer.files = {{"a.yar", std::string(150'000, 'r')}, {"b.yar", "x"}};
  publish(offer);
  struct rlimit old {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  auto* const handler = ::signal(SIGXFSZ, SIG_IGN);
  unsigned failures = 0;
  for (const rlim_t limit : {0u, 1u, 100u, 1'000u, 3'000u, 20'000u, 100'000u, 149'999u}) {
    SCOPED_TRACE(limit);
    const struct rlimit small { limit, old.rlim_max };
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto result = world_->run();
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT_NE(result.result(), "ok");
    EXPECT_NE(result.text(), "");
    failures += result.result() == "failed";
    EXPECT_EQ(rule(), "rule of 1 full");
  }
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(failures, 8u);
  EXPECT_NE(world_->status().sources(0).state(), "resting") << "our own disk is no source's fault";
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(world_->file_of("rules", "b.yar"), "x");
  reopen();
  EXPECT_EQ(world_->status_of("rules").release(), 2u);
}

// Every file that this step takes, each at places all over it.
TEST_F(UpdateTrouble, a_flipped_bit_in_any_fetched_byte) {
  start_with_release_1();
  publish(release(2));
  source_->forget_asked();
  ASSERT_EQ(world_->run().result(), "ok");  // to see what it takes
  std::vector<std::string> paths;
  for (const auto& one : source_->asked())
    if (one.sent > 0) paths.push_back(one.path);
  ASSERT_GE(paths.size(), 4u);
  for (std::int64_t number = 3; const auto& path_before : paths) {
    publish(release(number));
    // The same file of this step: names begin with a version or a digest.
    const auto tail = path_before.starts_with("targets/") ? ".tar.zst" : path_before.substr(path_before.find_last_of("./", path_before.size() - 6));
    std::string path;
    for (const auto& [name, bytes] : source_->files)
      if (name.ends_with(tail) && name.starts_with(path_before.substr(0, 8)) && (path.empty() || name.find(std::to_string(number) + ".tar.zst") != name.npos || !name.ends_with(".zst"))) path = name;
    const auto size = source_->files.at(path).size();
    std::size_t tried = 0;
    for (std::size_t at = 0; at < size; at += std::max<std::size_t>(size / 25, 1)) {
      SCOPED_TRACE(cat(path, " at ", std::to_string(at)));
      source_->no_trouble();
      source_->make_trouble({path, What::flips, at, 1000});
      const auto result = world_->run();
      ASSERT_NE(result.result(), "ok");
      ASSERT_NE(result.text(), "");
      ASSERT_EQ(result.text().find('\n'), std::string::npos) << result.text();
      ASSERT_EQ(rule(), cat("rule of ", std::to_string(number - 1), " full"));
      ++tried;
    }
    EXPECT_GE(tried, 20u);
    source_->no_trouble();
    ASSERT_EQ(world_->run().result(), "ok");
    ++number;
  }
}

TEST_F(UpdateTrouble, metadata_of_two_publications_mixed) {
  start_with_release_1();
  world_->close();
  const auto first_state = folder_ / "first";
  std::filesystem::copy(folder_ / "data", first_state, std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  const auto begin_anew = [&] {
    world_->close();
    remove_tree(folder_ / "data");
    std::filesystem::copy(first_state, folder_ / "data", std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
    open();
  };
  publish(release(2));
  const auto second = source_->files;
  publish(release(3));
  const auto third = source_->files;
  // Each file of the third publication in turn replaced by what the second one had in its place.
  unsigned tried = 0;
  for (const auto& [name, bytes] : third) {
    if (!name.starts_with("metadata/") || name.find("root") != name.npos) continue;
    const auto kind = name.substr(name.find_last_of("./", name.size() - 6) + 1);
    std::string older;
    for (const auto& [other, old] : second)
      if (other.ends_with(kind) && other.starts_with("metadata/") && other.find("root") == other.npos) older = old;
    if (second.contains(name) && kind != "timestamp.json") continue;  // of an earlier publication, which nobody asks for
    ASSERT_NE(older, "") << name;
    ASSERT_NE(older, bytes) << name;
    SCOPED_TRACE(name);
    begin_anew();
    source_->files = third;
    source_->files.at(name) = older;
    const auto result = world_->run();
    if (kind == "timestamp.json") {
      EXPECT_EQ(result.result(), "ok") << "the second publication, whole";
      EXPECT_EQ(rule(), "rule of 2 full");
    } else {
      EXPECT_EQ(result.result(), "failed");
      EXPECT_THAT(result.text(), HasSubstr(kind.substr(0, kind.find('.'))));
      EXPECT_EQ(rule(), "rule of 1 full");
    }
    ++tried;
  }
  EXPECT_GE(tried, 4u);
  source_->files = third;
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 3 full");
}

TEST_F(UpdateTrouble, a_clock_that_is_set_forward_and_back) {
  start_with_release_1();
  const auto now = world_->clock.wall.load();
  publish(release(2));
  world_->clock.wall = now + 20 * 365 * 86400LL;
  auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("expired"));
  EXPECT_EQ(rule(), "rule of 1 full");
  world_->clock.wall = 86400;  // a dead battery: 1970
  result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("clock"));
  EXPECT_EQ(rule(), "rule of 1 full");
  reopen();
  EXPECT_EQ(rule(), "rule of 1 full");
  world_->clock.wall = now - 86400;
  result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(rule(), "rule of 2 full");
  world_->clock.wall = now;
  EXPECT_EQ(world_->run().result(), "current");
  const auto history = world_->ask<v1::HistoryReply>("picket.update.history", v1::HistoryRequest()).value();
  EXPECT_EQ(history.runs_size(), 5) << "none is lost to a clock";
}

}  // namespace
}  // namespace picket::update
