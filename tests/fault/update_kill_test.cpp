// Kills an updating process before every single step that touches the disk. Afterwards the old or the new set is whole, the next run gets
// to the end, and no byte that had been written is fetched twice.
#include <functional>

#include "fault/update_life.hpp"

namespace picket {
namespace {

class UpdateKill : public UpdateLives {
 protected:
  // To its end, in a copy of `base`.
  Life whole_life(const fs::path& base, const std::string& repository, const std::string& more = "") { return live(copy_of(base, work()), root_ / repository, 0, more); }
  // The same life, killed before each of its steps; then `look` looks at the copy.
  void kill_at_every_step(const Life& whole, const fs::path& base, const std::string& repository, const std::string& more, const std::function<void()>& look) {
    ASSERT_GT(whole.steps, 0) << whole.output;
    for (long step = 1; step <= whole.steps; ++step) {
      SCOPED_TRACE(cat("killed before step ", std::to_string(step)));
      const auto killed = live(copy_of(base, work()), root_ / repository, step, more);
      ASSERT_EQ(killed.signal, SIGKILL) << killed.output;
      look();
      if (HasFatalFailure()) return;
    }
  }
};

TEST_F(UpdateKill, at_every_step_of_an_update_leaves_the_old_or_the_new_set_whole) {
  publish_two_releases();
  const auto archive_bytes = bytes_of("rules/full/2.tar.zst");
  const auto base = make_agent(root_ / "base", {"one"});
  const auto whole = whole_life(base, "two");
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  ASSERT_GT(whole.steps, 20);
  ASSERT_EQ(whole.sent, archive_bytes);

  const auto old_files = files_of(offer(1)), new_files = files_of(offer(2));
  kill_at_every_step(whole, base, "two", "", [&] { expect_update_goes_on(old_files, new_files, archive_bytes); });
  EXPECT_TRUE(seen_old_);
  EXPECT_TRUE(seen_new_);
}

TEST_F(UpdateKill, at_every_step_of_an_update_by_deltas_leaves_the_old_or_the_new_set_whole) {
  // A chain of two, so that something is made in between.
  auto changed = [](std::int64_t release) {
    auto out = offer(1);
    out.release = release;
    out.files[0].second.insert(10'000 * static_cast<std::size_t>(release - 1), "changed in " + std::to_string(release));
    return out;
  };
  publish("one", {changed(1)});
  repository_.offer(changed(2));
  repository_.offer(changed(3));
  repository_.offer_delta(1, 2);
  repository_.offer_delta(2, 3);
  publish("two", {});
  std::size_t delta_bytes = 0;
  for (const auto& [path, bytes] : repository_.tuf.targets)
    if (path.ends_with(".delta") && fs::path(path).filename().native().size() < 64) delta_bytes += bytes.size();  // not again by its consistent name
  ASSERT_LT(delta_bytes, 1000u);

  const auto base = make_agent(root_ / "base", {"one"});
  const auto whole = whole_life(base, "two");
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  ASSERT_EQ(whole.sent, delta_bytes) << "not by deltas";
  const auto old_files = files_of(changed(1)), new_files = files_of(changed(3));
  ASSERT_EQ(in_force(work()), new_files);
  kill_at_every_step(whole, base, "two", "", [&] {
    const auto now = in_force(work());
    ASSERT_TRUE(now == old_files || now == new_files) << "a mixture";
    const auto arrived = parts(work());
    const auto next = live(work(), root_ / "two", 0);
    ASSERT_TRUE(next.result == "ok: " || (now == new_files && next.result == "current: ")) << next.output;
    ASSERT_EQ(in_force(work()), new_files);
    ASSERT_LE(next.sent, now == new_files ? 0 : delta_bytes - arrived) << "fetched again what was there, or the full file";
    ASSERT_EQ(parts(work()), 0u) << "a download was left behind";
    ASSERT_TRUE(fs::is_empty(work() / "data/staging"));
    ASSERT_EQ(live(work(), root_ / "two", 0).result, "current: ");
  });
}

// Several on their way at the same time, each in steps of its own, and with a file that all have. Which step is the n-th differs from life to
// life; what must hold does not.
TEST_F(UpdateKill, at_every_step_of_several_components_at_once_leaves_each_of_them_whole) {
  const std::vector<std::string> components = {"a", "b", "c"};
  const auto offer_of = [&](const std::string& component, std::int64_t release) {
    auto out = offer(release * 10 + (component[0] - 'a'));
    out.component = component;
    out.release = release;
    out.files.emplace_back("common.bin", std::string(20'000, 'c'));
    return out;
  };
  const auto offers_of = [&](std::int64_t release) {
    std::vector<support::Offer> out;
    for (const auto& component : components) out.push_back(offer_of(component, release));
    return out;
  };
  publish("one", offers_of(1));
  publish("two", offers_of(2));
  std::map<std::string, std::uint64_t> archive;
  for (const auto& component : components) archive[component] = bytes_of(component + "/full/2.tar.zst");
  const std::string all = "update - a b c";
  const auto base = make_agent(root_ / "base", {"one"}, all);
  const auto whole = whole_life(base, "two", all);
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  ASSERT_EQ(whole.sent, archive["a"] + archive["b"] + archive["c"]);
  ASSERT_TRUE(fs::equivalent(work() / "data/sets/a/current/common.bin", work() / "data/sets/c/current/common.bin"));
  kill_at_every_step(whole, base, "two", all, [&] {
    std::uint64_t still = 0;
    for (const auto& component : components) {
      const auto now = in_force(work(), component);
      const bool is_new = now == files_of(offer_of(component, 2));
      ASSERT_TRUE(is_new || now == files_of(offer_of(component, 1))) << component << ": a mixture";
      if (!is_new) still += archive[component];
    }
    const auto arrived = parts(work());
    const auto next = live(work(), root_ / "two", 0, all);
    ASSERT_TRUE(next.result == "ok: " || (still == 0 && next.result == "current: ")) << next.output;
    for (const auto& component : components) ASSERT_EQ(in_force(work(), component), files_of(offer_of(component, 2)));
    ASSERT_LE(next.sent + arrived, whole.sent) << "fetched again what was there";
    ASSERT_LE(next.sent, still) << "fetched what is in force";
    ASSERT_EQ(parts(work()), 0u) << "a download was left behind";
    const auto after = live(work(), root_ / "two", 0, all);
    ASSERT_EQ(after.result, "current: ") << after.output;
    ASSERT_EQ(after.sent, 0u);
  });
}

TEST_F(UpdateKill, at_every_step_of_a_first_update_leaves_nothing_or_the_whole_set) {
  publish("one", {offer(1)});
  const auto base = make_agent(root_ / "base", {});
  const auto whole = whole_life(base, "one");
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  const auto files = files_of(offer(1));
  kill_at_every_step(whole, base, "one", "", [&] { expect_first_update_goes_on(files); });
}

TEST_F(UpdateKill, at_every_step_of_a_refused_update_comes_back_to_the_old_set) {
  publish_two_releases();
  const auto base = make_agent(root_ / "base", {"one"});
  const std::string refused = "update bad-rules";
  const auto whole = whole_life(base, "two", refused);
  ASSERT_TRUE(whole.result.starts_with("failed: ")) << whole.output;
  const auto old_files = files_of(offer(1)), new_files = files_of(offer(2));
  ASSERT_EQ(in_force(work()), old_files);
  kill_at_every_step(whole, base, "two", refused, [&] {
    const auto now = in_force(work());
    ASSERT_TRUE(now == old_files || now == new_files) << "a mixture";
    const auto next = live(work(), root_ / "two", 0, refused);
    ASSERT_NE(next.result, "") << next.output;
    // Also the set that was in force, but that nobody had confirmed when the power went.
    ASSERT_EQ(in_force(work()), old_files) << next.output;
  });
}

TEST_F(UpdateKill, at_every_step_of_a_rollback_leaves_one_of_the_two_sets_whole) {
  publish_two_releases();
  const auto base = make_agent(root_ / "base", {"one", "two"});
  const auto whole = whole_life(base, "two", "rollback");
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  const auto old_files = files_of(offer(1)), new_files = files_of(offer(2));
  ASSERT_EQ(in_force(work()), old_files);
  kill_at_every_step(whole, base, "two", "rollback", [&] { expect_rollback_holds(old_files, new_files); });
}

}  // namespace
}  // namespace picket
