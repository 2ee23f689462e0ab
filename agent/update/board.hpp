// What others may know while a run is going on: written by the run's thread, read by those who answer questions.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/component/v1/component.pb.h>
#include <picket/update/v1/report.pb.h>
#include <picket/update/v1/sources.pb.h>

#include "update/ledger.hpp"
#include "update/settings.hpp"
#include "update/update.hpp"

namespace picket::update {

inline constexpr std::string_view kNoSource = "no source worked";
// What each source said stands where the run tells of itself, and in `explain`: repeated for each component it would bury the rest.
[[nodiscard]] inline std::string without_sources(std::string_view text) { return std::string(text.starts_with(kNoSource) ? kNoSource : text); }

struct ComponentView {
  component::v1::ActiveSet set;        // release 0: none in force
  std::string cls, text;
  std::string decided_for;             // the variant that was wanted when a run decided on the set in force; empty: none did, or what it decided is not done
  std::string refusal;                 // of a release newer than the one in force that a plugin could not use
  bool confirmed = false;
  std::uint64_t bytes = 0;
  std::vector<std::uint64_t> kept;
  std::vector<Refusal> refused;
  std::uint64_t offered = 0;           // the newest release, when a run last looked
  bool is_on_trial = false;
  bool is_absent = false;              // the repository has none of it, when a run last looked
  std::optional<std::uint64_t> passes_up_to;  // where verifications decide: the release that passed last
};

class Board {
 public:
  void set_settings(Settings settings);
  [[nodiscard]] Settings settings() const;

  void choose_variant(v1::VariantChoice choice);
  [[nodiscard]] v1::VariantChoice variant() const;  // full when nobody chose

  void set_step(std::string state, std::string step);
  void set_last(v1::RunResult result);
  void set_next_run(std::int64_t at);
  void set_view(const std::string& component, ComponentView view);
  void set_text(const std::string& component, std::string text);
  [[nodiscard]] ComponentView view(std::string_view component) const;
  [[nodiscard]] std::vector<component::v1::ActiveSet> in_force() const;

  [[nodiscard]] std::vector<Engine::Problem> problems(const std::vector<Demand>& demands, std::int64_t now) const;
  // Whether databases are wanted that were never brought, or are gone, and that an update could bring.
  [[nodiscard]] bool is_lacking(const std::vector<Demand>& demands) const;
  // What others are not to get from here, whoever declined it or not.
  [[nodiscard]] std::vector<v1::HeldRelease> held() const;
  // Everything but the sources.
  [[nodiscard]] v1::StatusReply status(const std::vector<Demand>& demands, std::int64_t now) const;

 private:
  mutable std::mutex mutex_;
  Settings settings_;
  v1::VariantChoice variant_;
  std::string state_ = "idle", step_;
  v1::RunResult last_;
  std::int64_t next_run_ = 0;
  std::map<std::string, ComponentView, std::less<>> views_;
};

}  // namespace picket::update
