// Kills an updating process before every single step that touches the disk. Afterwards the old or the new set is whole, the next run gets
// to the end, and no byte that had been written is fetched twice.
#include "fault/update_life.hpp"

namespace picket {
namespace {

class UpdateKill : public UpdateLives {};

TEST_F(UpdateKill, at_every_step_of_an_update_leaves_the_old_or_the_new_set_whole) {
  support::UpdateRepository repository;
  repository.offer(offer(1));
  repository.publish();
  repository.tuf.write_to(root_ / "one");
  repository.offer(offer(2));
  repository.publish();
  repository.tuf.write_to(root_ / "two");
  const auto archive_bytes = [&] {
    for (const auto& [path, bytes] : repository.tuf.targets)
      if (path.ends_with("full/2.tar.zst")) return bytes.size();
    return std::size_t{0};
  }();

  // A folder with release 1 in force.
  const auto base = root_ / "base";
  fs::create_directories(base);
  ASSERT_TRUE(write_file_atomic(base / "root.json", repository.tuf.first_root()));
  const auto first = live(base, root_ / "one", 0);
  ASSERT_EQ(first.result, "ok: ") << first.output;
  const auto whole = live(copy_of(base, root_ / "work"), root_ / "two", 0);
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  ASSERT_GT(whole.steps, 20);
  ASSERT_EQ(whole.sent, archive_bytes);

  const auto old_files = files_of(offer(1)), new_files = files_of(offer(2));
  bool seen_old = false, seen_new = false;
  for (long step = 1; step <= whole.steps; ++step) {
    SCOPED_TRACE(cat("killed before step ", std::to_string(step)));
    const auto work = copy_of(base, root_ / "work");
    const auto killed = live(work, root_ / "two", step);
    ASSERT_EQ(killed.signal, SIGKILL) << killed.output;
    const auto now = in_force(work);
    ASSERT_TRUE(now == old_files || now == new_files) << "a mixture";
    seen_old |= now == old_files;
    seen_new |= now == new_files;
    const auto arrived = parts(work);
    const bool stored = now == new_files;
    const auto next = live(work, root_ / "two", 0);
    ASSERT_TRUE(next.result == "ok: " || (stored && next.result == "current: ")) << next.output;
    ASSERT_EQ(in_force(work), new_files);
    ASSERT_LE(next.sent, stored ? 0 : archive_bytes - arrived) << "fetched again what was there";
    ASSERT_EQ(parts(work), 0u) << "a download was left behind";
    const auto after = live(work, root_ / "two", 0);
    ASSERT_EQ(after.result, "current: ") << after.output;
    ASSERT_EQ(after.sent, 0u);
  }
  EXPECT_TRUE(seen_old);
  EXPECT_TRUE(seen_new);
}

TEST_F(UpdateKill, at_every_step_of_an_update_by_deltas_leaves_the_old_or_the_new_set_whole) {
  support::UpdateRepository repository;
  // A chain of two, so that something is made in between.
  auto changed = [](std::int64_t release) {
    auto out = offer(1);
    out.release = release;
    out.files[0].second.insert(10'000 * static_cast<std::size_t>(release - 1), "changed in " + std::to_string(release));
    return out;
  };
  repository.offer(changed(1));
  repository.publish();
  repository.tuf.write_to(root_ / "one");
  repository.offer(changed(2));
  repository.offer(changed(3));
  repository.offer_delta(1, 2);
  repository.offer_delta(2, 3);
  repository.publish();
  repository.tuf.write_to(root_ / "two");
  std::size_t delta_bytes = 0;
  for (const auto& [path, bytes] : repository.tuf.targets)
    if (path.ends_with(".delta") && fs::path(path).filename().native().size() < 64) delta_bytes += bytes.size();  // not again by its consistent name
  ASSERT_LT(delta_bytes, 1000u);

  const auto base = root_ / "base";
  fs::create_directories(base);
  ASSERT_TRUE(write_file_atomic(base / "root.json", repository.tuf.first_root()));
  ASSERT_EQ(live(base, root_ / "one", 0).result, "ok: ");
  const auto whole = live(copy_of(base, root_ / "work"), root_ / "two", 0);
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  ASSERT_EQ(whole.sent, delta_bytes) << "not by deltas";
  const auto old_files = files_of(changed(1)), new_files = files_of(changed(3));
  ASSERT_EQ(in_force(root_ / "work"), new_files);
  for (long step = 1; step <= whole.steps; ++step) {
    SCOPED_TRACE(cat("killed before step ", std::to_string(step)));
    const auto work = copy_of(base, root_ / "work");
    ASSERT_EQ(live(work, root_ / "two", step).signal, SIGKILL);
    const auto now = in_force(work);
    ASSERT_TRUE(now == old_files || now == new_files) << "a mixture";
    const auto arrived = parts(work);
    const auto next = live(work, root_ / "two", 0);
    ASSERT_TRUE(next.result == "ok: " || (now == new_files && next.result == "current: ")) << next.output;
    ASSERT_EQ(in_force(work), new_files);
    ASSERT_LE(next.sent, now == new_files ? 0 : delta_bytes - arrived) << "fetched again what was there, or the full file";
    ASSERT_EQ(parts(work), 0u) << "a download was left behind";
    ASSERT_TRUE(fs::is_empty(work / "data/staging"));
    ASSERT_EQ(live(work, root_ / "two", 0).result, "current: ");
  }
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
  support::UpdateRepository repository;
  for (const auto& component : components) repository.offer(offer_of(component, 1));
  repository.publish();
  repository.tuf.write_to(root_ / "one");
  for (const auto& component : components) repository.offer(offer_of(component, 2));
  repository.publish();
  repository.tuf.write_to(root_ / "two");
  std::map<std::string, std::uint64_t> archive;
  for (const auto& component : components)
    for (const auto& [path, bytes] : repository.tuf.targets)
      if (path == component + "/full/2.tar.zst") archive[component] = bytes.size();
  const auto base = root_ / "base";
  fs::create_directories(base);
  ASSERT_TRUE(write_file_atomic(base / "root.json", repository.tuf.first_root()));
  const std::string all = "update - a b c";
  ASSERT_EQ(live(base, root_ / "one", 0, all).result, "ok: ");
  const auto whole = live(copy_of(base, root_ / "work"), root_ / "two", 0, all);
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  ASSERT_EQ(whole.sent, archive["a"] + archive["b"] + archive["c"]);
  ASSERT_TRUE(fs::equivalent(root_ / "work/data/sets/a/current/common.bin", root_ / "work/data/sets/c/current/common.bin"));
  for (long step = 1; step <= whole.steps; ++step) {
    SCOPED_TRACE(cat("killed before step ", std::to_string(step)));
    const auto work = copy_of(base, root_ / "work");
    ASSERT_EQ(live(work, root_ / "two", step, all).signal, SIGKILL);
    std::uint64_t still = 0;
    for (const auto& component : components) {
      const auto now = in_force(work, component);
      const bool is_new = now == files_of(offer_of(component, 2));
      ASSERT_TRUE(is_new || now == files_of(offer_of(component, 1))) << component << ": a mixture";
      if (!is_new) still += archive[component];
    }
    const auto arrived = parts(work);
    const auto next = live(work, root_ / "two", 0, all);
    ASSERT_TRUE(next.result == "ok: " || (still == 0 && next.result == "current: ")) << next.output;
    for (const auto& component : components) ASSERT_EQ(in_force(work, component), files_of(offer_of(component, 2)));
    ASSERT_LE(next.sent + arrived, whole.sent) << "fetched again what was there";
    ASSERT_LE(next.sent, still) << "fetched what is in force";
    ASSERT_EQ(parts(work), 0u) << "a download was left behind";
    const auto after = live(work, root_ / "two", 0, all);
    ASSERT_EQ(after.result, "current: ") << after.output;
    ASSERT_EQ(after.sent, 0u);
  }
}

TEST_F(UpdateKill, at_every_step_of_a_first_update_leaves_nothing_or_the_whole_set) {
  support::UpdateRepository repository;
  repository.offer(offer(1));
  repository.publish();
  repository.tuf.write_to(root_ / "one");
  const auto base = root_ / "base";
  fs::create_directories(base);
  ASSERT_TRUE(write_file_atomic(base / "root.json", repository.tuf.first_root()));
  const auto whole = live(copy_of(base, root_ / "work"), root_ / "one", 0);
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  const auto files = files_of(offer(1));
  for (long step = 1; step <= whole.steps; ++step) {
    SCOPED_TRACE(cat("killed before step ", std::to_string(step)));
    const auto work = copy_of(base, root_ / "work");
    ASSERT_EQ(live(work, root_ / "one", step).signal, SIGKILL);
    const auto now = in_force(work);
    ASSERT_TRUE(now.empty() || now == files) << "a mixture";
    const auto next = live(work, root_ / "one", 0);
    ASSERT_TRUE(next.result == "ok: " || next.result == "current: ") << next.output;
    ASSERT_EQ(in_force(work), files);
  }
}

TEST_F(UpdateKill, at_every_step_of_a_refused_update_comes_back_to_the_old_set) {
  support::UpdateRepository repository;
  repository.offer(offer(1));
  repository.publish();
  repository.tuf.write_to(root_ / "one");
  repository.offer(offer(2));
  repository.publish();
  repository.tuf.write_to(root_ / "two");
  const auto base = root_ / "base";
  fs::create_directories(base);
  ASSERT_TRUE(write_file_atomic(base / "root.json", repository.tuf.first_root()));
  ASSERT_EQ(live(base, root_ / "one", 0).result, "ok: ");
  const auto whole = live(copy_of(base, root_ / "work"), root_ / "two", 0, "update bad-rules");
  ASSERT_TRUE(whole.result.starts_with("failed: ")) << whole.output;
  const auto old_files = files_of(offer(1)), new_files = files_of(offer(2));
  ASSERT_EQ(in_force(root_ / "work"), old_files);
  for (long step = 1; step <= whole.steps; ++step) {
    SCOPED_TRACE(cat("killed before step ", std::to_string(step)));
    const auto work = copy_of(base, root_ / "work");
    ASSERT_EQ(live(work, root_ / "two", step, "update bad-rules").signal, SIGKILL);
    const auto now = in_force(work);
    ASSERT_TRUE(now == old_files || now == new_files) << "a mixture";
    const auto next = live(work, root_ / "two", 0, "update bad-rules");
    ASSERT_NE(next.result, "") << next.output;
    // Also the set that was in force, but that nobody had confirmed when the power went.
    ASSERT_EQ(in_force(work), old_files) << next.output;
  }
}

TEST_F(UpdateKill, at_every_step_of_a_rollback_leaves_one_of_the_two_sets_whole) {
  support::UpdateRepository repository;
  repository.offer(offer(1));
  repository.publish();
  repository.tuf.write_to(root_ / "one");
  repository.offer(offer(2));
  repository.publish();
  repository.tuf.write_to(root_ / "two");
  const auto base = root_ / "base";
  fs::create_directories(base);
  ASSERT_TRUE(write_file_atomic(base / "root.json", repository.tuf.first_root()));
  ASSERT_EQ(live(base, root_ / "one", 0).result, "ok: ");
  ASSERT_EQ(live(base, root_ / "two", 0).result, "ok: ");
  const auto whole = live(copy_of(base, root_ / "work"), root_ / "two", 0, "rollback");
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  const auto old_files = files_of(offer(1)), new_files = files_of(offer(2));
  ASSERT_EQ(in_force(root_ / "work"), old_files);
  for (long step = 1; step <= whole.steps; ++step) {
    SCOPED_TRACE(cat("killed before step ", std::to_string(step)));
    const auto work = copy_of(base, root_ / "work");
    ASSERT_EQ(live(work, root_ / "two", step, "rollback").signal, SIGKILL);
    const auto now = in_force(work);
    ASSERT_TRUE(now == old_files || now == new_files) << "a mixture";
    const auto next = live(work, root_ / "two", 0);
    ASSERT_EQ(next.result, "current: ") << next.output;
    ASSERT_EQ(in_force(work), now) << "the next update undid the rollback";
  }
}

}  // namespace
}  // namespace picket
