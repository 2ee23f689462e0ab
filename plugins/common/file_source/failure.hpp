#pragma once

#include <picket/plugin.h>

#include <string>

#include <tl/expected.hpp>

namespace file_source {

// What the asker is told: a status and one line.
struct Failure {
  picket_status status = PICKET_E_INTERNAL;
  std::string text;
  bool costs_nothing = false;  // asking again: the source need not rest
};

template <class T = void>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> failed(picket_status status, std::string text) { return tl::unexpected<Failure>({status, std::move(text)}); }

}  // namespace file_source
