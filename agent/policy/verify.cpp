#include "policy/verify.hpp"

#include "base/listed.hpp"
#include "trust/dsse.hpp"

namespace picket::policy {

Result<Verified> verify(std::string_view envelope, const Options& options) {
  PICKET_LET(keys, options.keys());
  if (keys.empty()) return fail(Code::untrusted, "no policy keys are installed here, so no policy can be trusted");
  const auto parsed = trust::DsseEnvelope::parse(envelope);
  if (!parsed) return fail(parsed.error().code, cat(parsed.error().message, "; a policy is signed first (picket-repo dsse sign)"));
  PICKET_LET(signers, parsed->verify(payload_type, keys, options.threshold));
  PICKET_LET(document, Document::parse(parsed->payload));
  if (auto why = document.audience.why_not_for(options.identity); !why.empty()) return fail(Code::denied, std::move(why));
  return Verified{std::move(document), listed(signers)};
}

}  // namespace picket::policy
