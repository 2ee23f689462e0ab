#include "policy/verify.hpp"

#include "base/listed.hpp"
#include "trust/dsse.hpp"

namespace picket::policy {

Result<Verified> verify(std::string_view envelope, const Options& options) {
  PICKET_LET(keys, options.keys());
  if (keys.empty()) return fail(Code::untrusted, "no policy keys are installed here, so no policy can be trusted");
  PICKET_LET(parsed, trust::DsseEnvelope::parse(envelope));
  PICKET_LET(signers, parsed.verify(payload_type, keys, options.threshold));
  PICKET_LET(document, Document::parse(parsed.payload));
  if (auto why = document.audience.why_not_for(options.identity); !why.empty()) return fail(Code::denied, std::move(why));
  return Verified{std::move(document), listed(signers)};
}

}  // namespace picket::policy
