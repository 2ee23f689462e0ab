// Which set is in force: the journal says what was meant, the link says what is. Both together always name one whole set.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "update/ledger.hpp"
#include "update/set_store.hpp"

namespace picket::update {

class Activation {
 public:
  Activation(SetStore& sets, Ledger& ledger, const core::Clock& clock) : sets_(sets), ledger_(ledger), clock_(clock) {}

  enum class Why { update, trial, rollback, restore };  // trial: an update that is to be tried before others get it
  // Journal, one rename, journal. When it fails, the earlier set is still in force.
  [[nodiscard]] Result<> switch_to(const std::string& component, const std::string& set, Why why);

  // After a start: finishes or undoes what was begun, and heals links and sets that are damaged. `tell` gets one line per thing done.
  [[nodiscard]] Result<> recover(const std::function<void(std::string_view component, std::string_view what)>& tell);

  // The whole sets that a rollback can go to, nearest first: of lower releases than the one in force, one per release.
  [[nodiscard]] std::vector<SetInfo> kept(std::string_view component) const;
  // The newest set that was brought and never in force; not one that was refused.
  [[nodiscard]] std::optional<SetInfo> fetched_ahead(const std::string& component) const;
  // Removes what is neither in force, nor fetched in advance, nor among the first `keep` of earlier ones. Says how many went.
  [[nodiscard]] Result<std::size_t> collect(const std::string& component, std::size_t keep);

 private:
  [[nodiscard]] Result<> recover_one(const std::string& component, const std::function<void(std::string_view, std::string_view)>& tell);

  SetStore& sets_;
  Ledger& ledger_;
  const core::Clock& clock_;
};

}  // namespace picket::update
