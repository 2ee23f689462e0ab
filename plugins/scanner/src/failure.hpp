#pragma once

#include <picket/plugin.h>

#include <string>

#include <tl/expected.hpp>

namespace scanner {

// What the asker is told: a status and one line.
struct Failure {
  picket_status status = PICKET_E_INTERNAL;
  std::string text;
};

template <class T = void>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> failed(picket_status status, std::string text) { return tl::unexpected<Failure>({status, std::move(text)}); }

}  // namespace scanner
