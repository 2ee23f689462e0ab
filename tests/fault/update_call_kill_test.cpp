// Kills an updating process before every system call that changes its folder, and in the middle of every write: also where the engine names no step, as
// in opening, in the compaction of its journals and between the files of one change of the metadata. What must hold is that of update_kill_test.
#include <functional>

#include "fault/update_life.hpp"
#include "storage/journal.hpp"

namespace picket {
namespace {

struct Call {
  long number = 0;
  std::string name, file;
  [[nodiscard]] bool writes() const { return name == "write" || name == "pwrite" || name == "writev"; }
};

class UpdateCallKill : public UpdateLives {
 protected:
  // Of a life to its end in a copy of `base`.
  std::vector<Call> calls_of(const fs::path& base, const std::string& repository, const std::string& more) {
    const auto log = root_ / "calls";
    const auto whole = live(copy_of(base, work()), root_ / repository, cat("calls:", log.native()), more);
    EXPECT_EQ(whole.result, "ok: ") << whole.output;
    std::vector<Call> calls;
    const auto text = read_file(log, 10u << 20).value_or("");
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != text.npos; at = end + 1) {
      const auto line = text.substr(at, end - at);
      calls.push_back({static_cast<long>(calls.size()) + 1, line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1)});
    }
    return calls;
  }
  // Lives that are killed at each of these; `look` looks at the copy after each. Threads make the n-th call another one from time to time, and may
  // make one call less: then the life ends well.
  void kill_at_every_call(const fs::path& base, const std::string& repository, const std::string& more, const std::vector<Call>& calls, const std::function<void()>& look) {
    int killed = 0, lives = 0;
    for (const auto& call : calls) {
      for (const char* order : {"call:", "torn:"}) {
        if (std::string_view(order) == "torn:" && !call.writes()) continue;
        SCOPED_TRACE(cat(order, std::to_string(call.number), " of ", std::to_string(calls.size()), ": ", call.name, " ", call.file));
        const auto life = live(copy_of(base, work()), root_ / repository, cat(order, std::to_string(call.number)), more);
        ASSERT_TRUE(life.signal == SIGKILL || (life.signal == 0 && life.result == "ok: ")) << life.output;
        killed += life.signal == SIGKILL;
        ++lives;
        left_behind_ |= !support::leftovers_below(work()).empty();
        look();
        if (HasFatalFailure()) return;
      }
    }
    EXPECT_GT(killed, 10);
    EXPECT_GE(killed * 10, lives * 9) << "most of the lives did not get to the call at which they were to end";
  }
  // As a journal is that an agent has kept for years: the next open or write makes it small again.
  static void fill_journal(const fs::path& file, const std::string& record, std::uint64_t above) {
    std::vector<std::string> records;
    auto journal = storage::Journal::open(file, [&](std::string_view old) { records.emplace_back(old); });
    ASSERT_TRUE(journal) << journal.error().message;
    ASSERT_FALSE(records.empty()) << file << " is not where it was";
    const auto kept = records;
    while (records.size() * record.size() < above) records.push_back(record);
    // What counts is at the end.
    records.insert(records.end(), kept.begin(), kept.end());
    ASSERT_TRUE(journal->rewrite(records));
  }
  static bool has(const std::vector<Call>& calls, std::string_view name, std::string_view part) {
    return std::ranges::any_of(calls, [&](const auto& call) { return call.name == name && call.file.find(part) != call.file.npos; });
  }
  bool left_behind_ = false;  // by one that was killed inside of a write: what the next life is to remove
};

TEST_F(UpdateCallKill, of_an_update_leaves_the_old_or_the_new_set_whole) {
  publish_two_releases();
  const auto archive_bytes = bytes_of("rules/full/2.tar.zst");
  const auto base = make_agent(root_ / "base", {"one"});
  fill_journal(base / "data/journal", R"({"did":"confirmed","component":"rules"})", 300 * 1024);
  fill_journal(base / "data/counters", "1 filler", 40 * 1024);
  const auto calls = calls_of(base, "two", "");
  // Nothing is worth much here if the calls are not seen where they are made.
  for (const auto& [name, part] : {std::pair("rename", "data/journal"), {"rename", "data/counters"}, {"write", "data/downloads/"}, {"write", "metadata/"}, {"rename", "metadata/"}, {"mkdir", "data/"},
                                   {"unlink", "data/downloads/"}})
    EXPECT_TRUE(has(calls, name, part)) << name << " " << part;
  const auto old_files = files_of(offer(1)), new_files = files_of(offer(2));
  kill_at_every_call(base, "two", "", calls, [&] {
    expect_update_goes_on(old_files, new_files, archive_bytes);
    if (HasFatalFailure()) return;
    // Whatever was lost, it is not the knowledge of how new the newest metadata was.
    ASSERT_NE(live(work(), root_ / "one", 0).result, "ok: ");
    ASSERT_EQ(in_force(work()), new_files) << "an old repository brought the old set back";
  });
  EXPECT_TRUE(seen_old_);
  EXPECT_TRUE(seen_new_);
  EXPECT_TRUE(left_behind_);
}

TEST_F(UpdateCallKill, of_a_first_update_leaves_nothing_or_the_whole_set) {
  publish("one", {offer(1)});
  const auto base = make_agent(root_ / "base", {});
  const auto calls = calls_of(base, "one", "");
  EXPECT_TRUE(has(calls, "rename", "data/installation-id"));
  const auto files = files_of(offer(1));
  kill_at_every_call(base, "one", "", calls, [&] { expect_first_update_goes_on(files); });
  EXPECT_TRUE(left_behind_);
}

TEST_F(UpdateCallKill, of_a_rollback_leaves_one_of_the_two_sets_whole) {
  publish_two_releases();
  const auto base = make_agent(root_ / "base", {"one", "two"});
  const auto old_files = files_of(offer(1)), new_files = files_of(offer(2));
  kill_at_every_call(base, "two", "rollback", calls_of(base, "two", "rollback"), [&] { expect_rollback_holds(old_files, new_files); });
}

}  // namespace
}  // namespace picket
