// Which release of a component is to be in force. A pure function: what it says is what `explain` shows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trust/release.hpp"
#include "update/ledger.hpp"
#include "update/settings.hpp"

namespace picket::update {

struct PlanQuestion {
  std::string component;
  std::string wanted_variant = "full";
  const std::vector<trust::Release>& releases;   // all that the repository offers, any order
  struct Active {
    std::uint64_t release = 0;
    std::string variant, content_sha256;
  };
  std::optional<Active> active;
  const std::vector<Refusal>& refused;
  const Settings& settings;
  std::string agent_version;
};

struct Plan {
  enum class What { keep, install, impossible } what = What::keep;
  const trust::Release* release = nullptr;   // install: which
  std::string why;                           // one line
  bool by_choice = false;                    // impossible: because an administrator declined it or has not approved it yet
  bool leave = false;                        // keep: the release in force is declined, and nothing offered may take its place
  std::vector<std::string> notes;            // what was passed over, and why
  std::string obstacle;                      // why the newest offered, or the pinned, is not taken; empty: nothing hinders
};

[[nodiscard]] Plan make_plan(const PlanQuestion& question);
// "1.10.0" is more than "1.9". What is no number counts as 0.
[[nodiscard]] int compare_versions(std::string_view a, std::string_view b);

}  // namespace picket::update
