#include "upstream.hpp"

#include "picket/ksn/v1/wire.pb.h"

namespace ksn_proxy {

bool is_word_of_ksn(const Posted& posted) {
  if (posted.status == 200) return true;
  picket::ksn::v1::Refusal refusal;
  return posted.body.size() < 4096 && refusal.ParseFromString(posted.body) && refusal.why() != picket::ksn::v1::Refusal::WHY_UNSPECIFIED;
}

}  // namespace ksn_proxy
