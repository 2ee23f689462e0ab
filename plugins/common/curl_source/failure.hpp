#pragma once

#include <picket/plugin.h>

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

namespace curl_source {

// What the asker is told: a status and one line; and how long the server wants to be left alone, 0: it did not say.
struct Failure {
  picket_status status = PICKET_E_INTERNAL;
  std::string text;
  std::uint32_t retry_after_s = 0;
};

template <class T = void>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> failed(picket_status status, std::string text) { return tl::unexpected<Failure>({status, std::move(text)}); }

}  // namespace curl_source
