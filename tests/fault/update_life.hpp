// Lives of an updating process: one ends by itself, by SIGKILL before a step that touches the disk, or goes on while the disk fills up there.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "base/files.hpp"
#include "support/leftovers.hpp"
#include "support/temporary_folder.hpp"
#include "support/update_repository.hpp"

namespace picket {

namespace fs = std::filesystem;

struct Life {
  int signal = 0;
  long steps = 0;
  std::string result;
  std::uint64_t sent = 0;
  std::string output;
};

// `kill_at`: what update_driver knows.
inline Life live(const fs::path& folder, const fs::path& repository, const std::string& kill_at, const std::string& more = "") {
  Life life;
  const auto command = cat("exec '", UPDATE_DRIVER, "' '", folder.native(), "' '", repository.native(), "' '", kill_at, "' ", more, " 2>&1");
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

// `kill_at` > 0: killed before that step; < 0: before that step the disk fills up; 0: to its end.
inline Life live(const fs::path& folder, const fs::path& repository, long kill_at, const std::string& more = "") {
  return live(folder, repository, std::to_string(kill_at), more);
}

// name -> content of what `current` shows; empty when there is none.
inline std::map<std::string, std::string> in_force(const fs::path& folder, const std::string& component = "rules") {
  std::map<std::string, std::string> out;
  const auto current = folder / "data/sets" / component / "current";
  std::error_code error;
  const auto real = fs::canonical(current, error);
  if (error) return out;
  for (const auto& entry : fs::recursive_directory_iterator(real))
    if (entry.is_regular_file()) out[fs::relative(entry.path(), real).native()] = read_file(entry.path(), 10u << 20).value();
  return out;
}

class UpdateLives : public ::testing::Test {
 protected:
  using Files = std::map<std::string, std::string>;

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
  // The repository root_ / name: what was published before, and these.
  void publish(const std::string& name, const std::vector<support::Offer>& offers) {
    for (const auto& one : offers) repository_.offer(one);
    repository_.publish();
    repository_.tuf.write_to(root_ / name);
  }
  void publish_two_releases() {
    publish("one", {offer(1)});
    publish("two", {offer(2)});
  }
  [[nodiscard]] std::uint64_t bytes_of(const std::string& target) const { return repository_.tuf.targets.at(target).size(); }
  // The folder of an agent that has been updated from these repositories.
  fs::path make_agent(const fs::path& folder, const std::vector<std::string>& repositories, const std::string& more = "") {
    fs::create_directories(folder);
    EXPECT_TRUE(write_file_atomic(folder / "root.json", repository_.tuf.first_root()));
    for (const auto& name : repositories) {
      const auto life = live(folder, root_ / name, 0, more);
      EXPECT_EQ(life.result, "ok: ") << life.output;
    }
    return folder;
  }
  static fs::path copy_of(const fs::path& from, const fs::path& to) {
    (void)std::system(cat("rm -rf '", to.native(), "'; cp -a '", from.native(), "' '", to.native(), "'").c_str());
    return to;
  }
  [[nodiscard]] fs::path work() const { return root_ / "work"; }
  static std::uint64_t parts(const fs::path& folder) {
    std::uint64_t sum = 0;
    std::error_code error;
    for (fs::directory_iterator at(folder / "data/downloads", error), end; !error && at != end; at.increment(error)) sum += at->file_size();
    return sum;
  }

  // What must hold after an update from release 1 to 2 was killed anywhere: the old or the new set is whole, the next run gets to the end, and
  // no byte that had been written is fetched twice.
  void expect_update_goes_on(const Files& old_files, const Files& new_files, std::uint64_t archive_bytes) {
    const auto now = in_force(work());
    ASSERT_TRUE(now == old_files || now == new_files) << "a mixture";
    seen_old_ |= now == old_files;
    seen_new_ |= now == new_files;
    const auto arrived = parts(work());
    const bool stored = now == new_files;
    const auto next = live(work(), root_ / "two", 0);
    ASSERT_TRUE(next.result == "ok: " || (stored && next.result == "current: ")) << next.output;
    ASSERT_EQ(in_force(work()), new_files);
    ASSERT_LE(next.sent, stored ? 0 : archive_bytes - arrived) << "fetched again what was there";
    ASSERT_EQ(parts(work()), 0u) << "a download was left behind";
    ASSERT_EQ(support::leftovers_below(work()), "") << "files of cut-off writes were left behind";
    const auto after = live(work(), root_ / "two", 0);
    ASSERT_EQ(after.result, "current: ") << after.output;
    ASSERT_EQ(after.sent, 0u);
  }
  // The same of a first update from the repository "one".
  void expect_first_update_goes_on(const Files& files) {
    const auto now = in_force(work());
    ASSERT_TRUE(now.empty() || now == files) << "a mixture";
    const auto next = live(work(), root_ / "one", 0);
    ASSERT_TRUE(next.result == "ok: " || next.result == "current: ") << next.output;
    ASSERT_EQ(in_force(work()), files);
    ASSERT_EQ(support::leftovers_below(work()), "") << "files of cut-off writes were left behind";
  }
  // The same of a rollback to release 1: one of the two sets is whole, and the next update leaves it so.
  void expect_rollback_holds(const Files& old_files, const Files& new_files) {
    const auto now = in_force(work());
    ASSERT_TRUE(now == old_files || now == new_files) << "a mixture";
    const auto next = live(work(), root_ / "two", 0);
    ASSERT_EQ(next.result, "current: ") << next.output;
    ASSERT_EQ(in_force(work()), now) << "the next update undid the rollback";
    ASSERT_EQ(support::leftovers_below(work()), "") << "files of cut-off writes were left behind";
  }

  bool seen_old_ = false, seen_new_ = false;
  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
  support::UpdateRepository repository_;
};

}  // namespace picket
