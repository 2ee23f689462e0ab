#include "upstream.hpp"

#include "picket/ksn/v1/wire.pb.h"

namespace ksn_proxy {

bool is_word_of_ksn(std::string_view path, const Posted& posted) {
  namespace v1 = picket::ksn::v1;
  if (posted.status == 200 && path == "/ksn/v1/statistics") return v1::Accepted().ParseFromString(posted.body);
  if (posted.status == 200 && path == "/ksn/v1/content") return v1::ContentReply().ParseFromString(posted.body);
  if (posted.status == 200) return true;
  v1::Refusal refusal;
  return posted.body.size() < 4096 && refusal.ParseFromString(posted.body) && refusal.why() != v1::Refusal::WHY_UNSPECIFIED;
}

}  // namespace ksn_proxy
