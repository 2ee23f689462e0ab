// What was decided about each component, as a journal: which set is in force, what was before it, what is refused, and a change that was
// begun. It names sets; their files are in SetStore.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "storage/journal.hpp"
#include "update/steps.hpp"

namespace picket::update {

// Names of sets begin with the number of their release; 0: no set.
[[nodiscard]] std::uint64_t release_in(std::string_view set);

inline constexpr std::string_view kRolledBack = "rolled back";  // the reason of an administrator's own rollback

struct Refusal {
  std::uint64_t release = 0;
  bool by_rollback = false;  // by an administrator or a verification, which a pin overrides; else by a plugin that could not use it
  std::string why;
};

struct Pending {
  std::string from, to;      // set names; from empty: nothing was in force; to empty: nothing is to be in force
  bool restoring = false;    // going back because of a refusal: always carried on after a crash
  bool back = false;         // `from` is nothing to come back to
  bool trial = false;        // `to` is to be tried before others get it
};

struct Record {
  std::string in_force;
  std::int64_t activated = 0;
  bool confirmed = false;              // somebody loaded it, or nobody had to
  std::vector<std::string> earlier;    // most recently in force first, without in_force
  std::vector<Refusal> refused;        // newest first
  std::optional<Pending> pending;
  std::uint64_t avoided_delta = 0;     // a release for which deltas failed: brought as a whole
  std::string cls;                     // as the repository says; known before anything was in force
  // Where verifications decide what others get: the set that passed last, empty when none did. Another one in force is on trial.
  std::optional<std::string> verified;

  [[nodiscard]] bool is_on_trial() const { return verified && *verified != in_force; }
};

class Ledger {
 public:
  static constexpr std::size_t kMaxRefused = 32;
  static constexpr std::size_t kMaxEarlier = 128;

  [[nodiscard]] static Result<Ledger> open(std::filesystem::path path, Steps steps);

  [[nodiscard]] Result<> begin(const std::string& component, const Pending& pending);
  // The switch is done: `to` of what was begun is in force.
  [[nodiscard]] Result<> switched(const std::string& component, std::int64_t at);
  // What was begun did not happen.
  [[nodiscard]] Result<> abandoned(const std::string& component);
  // What is found in force on disk, whatever the journal said.
  [[nodiscard]] Result<> found(const std::string& component, const std::string& set, std::int64_t at);
  [[nodiscard]] Result<> confirmed(const std::string& component);
  [[nodiscard]] Result<> refuse(const std::string& component, const Refusal& refusal);
  [[nodiscard]] Result<> allow(const std::string& component, std::uint64_t release);  // takes a refusal back
  // What is in force has passed its trial.
  [[nodiscard]] Result<> passed(const std::string& component);
  [[nodiscard]] Result<> learn_class(const std::string& component, const std::string& cls);
  [[nodiscard]] Result<> avoid_delta(const std::string& component, std::uint64_t release);
  [[nodiscard]] Result<> forget_set(const std::string& component, const std::string& set);

  [[nodiscard]] const Record& record(std::string_view component) const;
  [[nodiscard]] const std::map<std::string, Record, std::less<>>& records() const { return records_; }
  [[nodiscard]] std::uint64_t damaged_bytes() const { return journal_.replayed().damaged_bytes; }

 private:
  Ledger(storage::Journal journal, Steps steps) : journal_(std::move(journal)), steps_(std::move(steps)) {}
  [[nodiscard]] Result<> write(std::string_view step, const std::string& line);
  [[nodiscard]] Result<> compact();

  storage::Journal journal_;
  Steps steps_;
  std::map<std::string, Record, std::less<>> records_;
};

}  // namespace picket::update
