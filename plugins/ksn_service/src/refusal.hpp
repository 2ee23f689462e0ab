// Why a request got no answer, as the protocol says it.
#pragma once

#include <string>

#include "picket/ksn/v1/wire.pb.h"

namespace ksn_service {

namespace v1 = picket::ksn::v1;

struct Response {
  int status = 200;
  std::string body;
};

struct Refused {
  v1::Refusal::Why why;
  std::string text;
  std::uint32_t retry_after = 0;  // seconds
};

[[nodiscard]] inline Response to_response(const Refused& refused) {
  v1::Refusal out;
  out.set_why(refused.why);
  out.set_text(refused.text);
  out.set_retry_after_seconds(refused.retry_after);
  int status = 400;
  switch (refused.why) {
    case v1::Refusal::TOO_LARGE: status = 413; break;
    case v1::Refusal::LICENCE_UNKNOWN:
    case v1::Refusal::LICENCE_BLOCKED:
    case v1::Refusal::LICENCE_EXPIRED: status = 403; break;
    case v1::Refusal::TOO_MANY: status = 429; break;
    case v1::Refusal::UNAVAILABLE: status = 503; break;
    case v1::Refusal::UNKNOWN_REQUEST: status = 404; break;
    case v1::Refusal::NOT_TAKEN: status = 409; break;
    default: break;
  }
  return {status, out.SerializeAsString()};
}

}  // namespace ksn_service
