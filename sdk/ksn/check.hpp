// Asks the KSN client on the bus (picket.ksn.check) about any number of objects: one message of the bus, 131,072 bytes, holds about 3,400
// digests, and answers may be longer than questions. Header only, for whoever has code of picket/ksn/v1/check.proto.
#pragma once

#include <cstddef>
#include <utility>

#include "base/result.hpp"
#include "picket/ksn/v1/check.pb.h"

namespace picket::ksn {

inline constexpr std::size_t kMostCheckBytes = 120'000;  // of objects in one message
inline constexpr int kMostCheckObjects = 2000;           // an unknown object's answer has about 50 bytes

// One answer an object, in their order. `ask`: one message, Result<v1::CheckReply>(const v1::CheckRequest&); it is called as often as the
// bus needs, and the first error ends it. Code::too_large is answered by asking about fewer at once, which the client's cache knows by then.
template <class Ask>
[[nodiscard]] Result<v1::CheckReply> check(const v1::CheckRequest& all, Ask&& ask) {
  v1::CheckReply out;
  int most = kMostCheckObjects;
  for (int at = 0; at < all.objects_size();) {
    v1::CheckRequest some;
    some.set_known_only(all.known_only());
    std::size_t bytes = 0;
    for (int i = at; i < all.objects_size() && i - at < most; ++i) {
      bytes += all.objects(i).ByteSizeLong() + 4;  // tag and length
      if (i > at && bytes > kMostCheckBytes) break;
      *some.add_objects() = all.objects(i);
    }
    Result<v1::CheckReply> reply = ask(std::as_const(some));
    if (!reply && reply.error().code == Code::too_large && some.objects_size() > 1) {
      most = some.objects_size() / 2;
      continue;
    }
    if (!reply) return reply;
    if (reply->checked_size() != some.objects_size()) return fail(Code::invalid, "its answer cannot be read");
    at += some.objects_size();
    for (auto& checked : *reply->mutable_checked()) out.add_checked()->Swap(&checked);
    if (!reply->status().empty()) out.set_status(reply->status());
  }
  return out;
}

}  // namespace picket::ksn
