// Judges a policy envelope: signature, audience, times.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "policy/document.hpp"
#include "policy/policy.hpp"

namespace picket::policy {

struct Verified {
  Document document;
  std::string signed_by;
};

// Signature, form and audience; Code::untrusted, invalid, denied.
[[nodiscard]] Result<Verified> verify(std::string_view envelope, const Options& options);

}  // namespace picket::policy
