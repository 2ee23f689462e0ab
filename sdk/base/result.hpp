// Errors are values: Result<T> is T or an Error that says what failed and why, in one line.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace picket {

// What kind of failure, for code that decides; the text is for people. Same numbers as picket_status in plugin.h (negated).
enum class Code : int {
  invalid = 1,       // malformed or out of range input
  denied = 2,        // not allowed to
  busy = 3,          // queue full or no credit: try later
  not_found = 4,
  timeout = 5,
  cancelled = 6,
  unavailable = 7,   // the other side is not there
  io = 8,            // disk or system call
  no_space = 9,
  untrusted = 10,    // signature, digest, length or version check failed
  expired = 11,
  too_large = 12,    // a limit on size or count
  conflict = 13,     // in the wrong state
  unsupported = 14,
  internal = 15,
};

[[nodiscard]] std::string_view to_string(Code code);

struct Error {
  Code code = Code::internal;
  std::string message;
  bool is_unanswered = false;  // of a request on the bus, with Code::unavailable: nobody took it, so this is no word of whoever answers

  // Adds what was being done, once per layer: "read root.json: permission denied".
  [[nodiscard]] Error context(std::string_view doing) && {
    message.insert(0, ": ").insert(0, doing);
    return std::move(*this);
  }
};

template <class T = void>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Code code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
[[nodiscard]] inline tl::unexpected<Error> fail(Error error, std::string_view doing) {
  return tl::unexpected<Error>(std::move(error).context(doing));
}

// fail_errno("open /x"): "open /x: Permission denied", with the code that fits errno.
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view doing);
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view doing, int errno_value);

// cat("a", std::to_string(1), view): one string, one allocation's worth of care.
template <class... Parts>
[[nodiscard]] std::string cat(const Parts&... parts) {
  std::string out;
  out.reserve((std::string_view(parts).size() + ... + 0));
  (out.append(std::string_view(parts)), ...);
  return out;
}

}  // namespace picket

// Returns the error of a Result expression, or goes on.
#define PICKET_TRY(expression)                                                    \
  do {                                                                            \
    if (auto picket_try_ = (expression); !picket_try_) return ::picket::fail(std::move(picket_try_).error()); \
  } while (0)
// PICKET_LET(name, expression): declares name as the value, or returns the error.
#define PICKET_LET(name, expression)                                \
  auto name##_result_ = (expression);                               \
  if (!name##_result_) return ::picket::fail(std::move(name##_result_).error()); \
  auto& name = *name##_result_
