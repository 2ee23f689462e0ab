// Signing what is staged with whatever private keys are at hand.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "repo/key_store.hpp"
#include "repo/workspace.hpp"

namespace picket::repo {

struct SignReport {
  struct Signed {
    std::string role, key;
  };
  std::vector<Signed> added;
  std::vector<std::string> missing;  // what is still needed, for people
};

// `roles` and `key_names` empty: all. A key signs where the role (for root also the published root) names it. Code::denied when
// signatures are missing and no key here could give one.
[[nodiscard]] Result<SignReport> sign_staged(Workspace& workspace, const KeyStore& keys, const std::vector<std::string>& roles, const std::vector<std::string>& key_names);

}  // namespace picket::repo
