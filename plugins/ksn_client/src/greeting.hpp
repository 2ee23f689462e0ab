// What a KSN or a proxy says when it is greeted. It is not signed: TLS alone vouches for it, and nothing but the status follows from it.
#pragma once

#include <limits>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_client {

// An error: it is none, or of another KSN than the provider's, whose name is `ksn`; then `out` says which.
[[nodiscard]] inline picket::Result<> read_greeting(const std::string& body, std::string_view ksn, picket::ksn::v1::HelloReply& out) {
  if (!out.ParseFromString(body)) return picket::fail(picket::Code::invalid, "its answer is malformed");
  if (out.ksn() != ksn) return picket::fail(picket::Code::untrusted, picket::cat("it speaks for the KSN '", picket::whole_characters(out.ksn(), 100), "', not for '", ksn, "'"));
  return {};
}

// By how many seconds its clock is ahead of ours. It may say any number.
[[nodiscard]] inline std::int64_t clock_ahead(const picket::ksn::v1::HelloReply& reply, std::int64_t now) {
  std::int64_t out = 0;
  if (__builtin_sub_overflow(reply.now(), now, &out)) return reply.now() < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  return out;
}

}  // namespace ksn_client
