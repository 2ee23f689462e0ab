// Kills an updating process before every single step that touches the disk. Afterwards the old or the new set is whole, the next run gets
// to the end, and no byte that had been written is fetched twice.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "base/files.hpp"
#include "support/update_repository.hpp"

namespace picket {
namespace {

namespace fs = std::filesystem;

struct Life {
  int signal = 0;
  long steps = 0;
  std::string result;
  std::uint64_t sent = 0;
  std::string output;
};

Life live(const fs::path& folder, const fs::path& repository, long kill_at, const std::string& more = "") {
  Life life;
  const auto command = cat("exec '", UPDATE_DRIVER, "' '", folder.native(), "' '", repository.native(), "' ", std::to_string(kill_at), " ", more, " 2>&1");
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return life;
  std::array<char, 512> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
    const std::string text = line.data();
    life.output += text;
    if (text.starts_with("steps ")) life.steps = std::atol(text.c_str() + 6);
    if (text.starts_with("result ")) life.result = text.substr(7, text.size() - 8);
    // What a run that worked says in words (what was new) is not of interest here.
    for (const char* good : {"ok: ", "current: "})
      if (life.result.starts_with(good)) life.result = good;
    if (text.starts_with("sent ")) life.sent = std::strtoull(text.c_str() + 5, nullptr, 10);
  }
  const int status = ::pclose(pipe);
  if (WIFSIGNALED(status)) life.signal = WTERMSIG(status);
  return life;
}

// name -> content of what `current` shows; empty when there is none.
std::map<std::string, std::string> in_force(const fs::path& folder) {
  std::map<std::string, std::string> out;
  const auto current = folder / "data/sets/rules/current";
  std::error_code error;
  const auto real = fs::canonical(current, error);
  if (error) return out;
  for (const auto& entry : fs::recursive_directory_iterator(real))
    if (entry.is_regular_file()) out[fs::relative(entry.path(), real).native()] = read_file(entry.path(), 10u << 20).value();
  return out;
}

class UpdateKill : public ::testing::Test {
 protected:
  using Files = std::map<std::string, std::string>;

  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "picket-kill-XXXXXX").native();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override {
    (void)std::system(cat("chmod -R u+w '", root_.native(), "' && rm -rf '", root_.native(), "'").c_str());
  }
  static support::Offer offer(std::int64_t release) {
    support::Offer out;
    out.release = release;
    std::string noise(30'000, '\0');  // does not compress: the download takes several writes
    std::uint64_t state = static_cast<std::uint64_t>(release) * 0x9e3779b97f4a7c15u;
    for (auto& c : noise) state = state * 6364136223846793005u + 1442695040888963407u, c = static_cast<char>(state >> 56);
    out.files = {{"a.yar", noise}, {"sub/b.yar", "rule b of " + std::to_string(release)}};
    return out;
  }
  static Files files_of(const support::Offer& offer) { return {offer.files.begin(), offer.files.end()}; }
  static fs::path copy_of(const fs::path& from, const fs::path& to) {
    (void)std::system(cat("rm -rf '", to.native(), "'; cp -a '", from.native(), "' '", to.native(), "'").c_str());
    return to;
  }
  static std::uint64_t parts(const fs::path& folder) {
    std::uint64_t sum = 0;
    std::error_code error;
    for (fs::directory_iterator at(folder / "data/downloads", error), end; !error && at != end; at.increment(error)) sum += at->file_size();
    return sum;
  }

  fs::path root_;
};

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
