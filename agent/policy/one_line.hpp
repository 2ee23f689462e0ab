// Errors quote names and values of policies, local files and third parties' schemas: control characters in these must not
// make lines of their own.
#pragma once

#include "base/result.hpp"
#include "runtime/log_text.hpp"

namespace picket::policy {

template <class T>
[[nodiscard]] Result<T> one_line(Result<T> result) {
  if (!result) result.error().message = runtime::printable(result.error().message);
  return result;
}

}  // namespace picket::policy
