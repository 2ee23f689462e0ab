// What tasks must know after a restart or a power cut: when each ran last and what is under way (a journal), and what came of earlier
// runs (lines of JSON).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <picket/task/v1/task.pb.h>

#include "base/result.hpp"
#include "storage/journal.hpp"
#include "storage/line_file.hpp"

namespace picket::tasks {

struct Remembered {
  std::int64_t first_seen = 0, last_start = 0;
  std::int64_t pending_at = 0;      // an event wants it to run then; 0: none
  std::string pending_why;
  std::uint64_t running = 0;        // the run that is under way
  std::string type, trigger;        // of that run
  std::int64_t schedule = 0;        // digest_of() what first_seen and pending_at belong to; 0: not known
  bool operator==(const Remembered&) const = default;
};

class Records {
 public:
  static constexpr std::size_t kMaxRuns = 500, kMaxText = 2000;  // of texts: bytes
  static constexpr std::size_t kMostOfRun = 80'000;              // of the 128 KiB of the bus: an answer holds a task's definition, too
  static constexpr std::uint64_t kMaxJournal = 128 * 1024;

  using Steps = std::function<void(std::string_view step)>;
  [[nodiscard]] static Result<Records> open(const std::filesystem::path& folder, Steps steps = {});

  [[nodiscard]] const std::map<std::string, Remembered, std::less<>>& all() const { return tasks_; }
  [[nodiscard]] Remembered of(std::string_view task) const;
  // On disk when it returns OK. Kept in memory also when it cannot be written: a full disk must not make a task run without end.
  [[nodiscard]] Result<> set(const std::string& task, Remembered what);
  // Forgets all others, the next time that the journal is written anew; but not those of the call before, which a policy that is refused brings back.
  void keep_only(std::set<std::string, std::less<>> tasks) {
    if (tasks != wanted_) before_ = std::exchange(wanted_, std::move(tasks));
  }

  [[nodiscard]] Result<> add(const task::v1::Run& run) {
    step("history.add");
    return history_.add(to_line(run));
  }
  [[nodiscard]] Result<> read(const std::function<bool(task::v1::Run)>& take) const;  // newest first
  [[nodiscard]] std::uint64_t damaged_bytes() const { return journal_.replayed().damaged_bytes; }

  // Small enough to be kept, and told in one message: texts are cut, and of too many parts the last go, what went well first; the text says how many.
  [[nodiscard]] static task::v1::Run in_one_message(task::v1::Run run);
  [[nodiscard]] static std::string to_line(const task::v1::Run& run);
  [[nodiscard]] static std::optional<task::v1::Run> run_of(std::string_view line);

 private:
  Records(storage::Journal journal, storage::LineFile history) : journal_(std::move(journal)), history_(std::move(history)) {}
  [[nodiscard]] Result<> write_anew();
  void step(std::string_view name) const {
    if (steps_) steps_(name);
  }

  Steps steps_;
  storage::Journal journal_;
  storage::LineFile history_;
  std::map<std::string, Remembered, std::less<>> tasks_;
  std::set<std::string, std::less<>> wanted_, before_;
};

}  // namespace picket::tasks
