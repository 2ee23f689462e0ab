// What outlives the process: the policy in force, the one being tried, and what must never go back. Files are written whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace picket::policy {

struct State {
  std::uint64_t highest_revision = 0;  // of a policy that was in force: none older is taken again
  std::uint64_t generation = 0;        // of settings: what plugins see as revision
  std::int64_t applied = 0;
  std::int64_t refused = 0;            // last refusal; 0: none since the last success
  std::string refusal;
};

class Store {
 public:
  explicit Store(std::filesystem::path folder) : folder_(std::move(folder)) {}

  [[nodiscard]] Result<> prepare();  // the folder, 0700, without what a write that was cut off left: once, at start
  [[nodiscard]] Result<std::string> in_force() const;  // the envelope; Code::not_found
  [[nodiscard]] Result<State> state() const;           // absent: a new one
  [[nodiscard]] Result<> save(const State& state) const;

  // A candidate left by a crash means that an apply was interrupted.
  [[nodiscard]] bool has_candidate() const;
  [[nodiscard]] Result<> put_candidate(std::string_view envelope) const;
  [[nodiscard]] Result<> promote_candidate() const;  // one rename: now in force
  [[nodiscard]] Result<> drop_candidate() const;

  [[nodiscard]] std::filesystem::path policy_file() const { return folder_ / "policy.dsse"; }

 private:
  [[nodiscard]] std::filesystem::path candidate_file() const { return folder_ / "policy.candidate.dsse"; }
  [[nodiscard]] std::filesystem::path state_file() const { return folder_ / "state.json"; }
  std::filesystem::path folder_;
};

}  // namespace picket::policy
