// What another policy, or other local values, would change for whom. Nobody is asked yet.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "policy/composer.hpp"
#include "policy/transaction.hpp"

namespace picket::policy {

using Given = std::map<std::string, Effective, std::less<>>;                   // what each consumer has
using Problems = std::map<std::string, std::vector<std::string>, std::less<>>;  // what was left out for whom

struct Plan {
  std::vector<Change> changes;
  Problems problems;
};

struct Standing {
  const Composer& composer;
  const Document* in_force;
  LocalFiles& locals;
  const Given& given;
};

// Everyone is validated, also those that do not change. `candidate`: a policy in place of the one in force. `fresh`: local values to be taken,
// strictly. Code::invalid names the first mistakes.
[[nodiscard]] Result<Plan> plan(const Standing& standing, const std::vector<Schema>& schemas, const Document* candidate, LocalFiles* fresh);

}  // namespace picket::policy
