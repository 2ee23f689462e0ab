#include "timestamp.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ts.h>

#include <ctime>

#include "base/free_with.hpp"
#include "base/result.hpp"

namespace ksn_client {
namespace {

constexpr char kAttribute[] = "1.3.6.1.4.1.311.3.3.1";         // szOID_RFC3161_counterSign
constexpr char kTstInfo[] = "1.2.840.113549.1.9.16.1.4";       // id-ct-TSTInfo
constexpr std::int64_t kClockSkewSeconds = 300;

// Unix seconds; an error says why it is no word about this signature.
picket::Result<std::int64_t> read_info(std::string_view der, std::string_view signature) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const picket::Owned<TS_TST_INFO, TS_TST_INFO_free> info(::d2i_TS_TST_INFO(nullptr, &at, static_cast<long>(der.size())));
  std::tm when{};
  const auto bad = [](const char* reason) { return fail(picket::Code::invalid, reason); };
  if (!info || ::ASN1_TIME_to_tm(::TS_TST_INFO_get_time(info.get()), &when) != 1) return bad("it cannot be read");
  TS_MSG_IMPRINT* imprint = ::TS_TST_INFO_get_msg_imprint(info.get());
  const ASN1_OBJECT* object = nullptr;
  ::X509_ALGOR_get0(&object, nullptr, nullptr, ::TS_MSG_IMPRINT_get_algo(imprint));
  const EVP_MD* algorithm = strong_digest(::OBJ_obj2nid(object));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (algorithm == nullptr) return bad("the digest of what it stamps is of a kind that counts no more");
  if (::EVP_Digest(signature.data(), signature.size(), digest, &size, algorithm, nullptr) != 1) return bad("it cannot be read");
  const ASN1_OCTET_STRING* said = ::TS_MSG_IMPRINT_get_msg(imprint);
  const std::string_view wanted(reinterpret_cast<const char*>(digest), size),
      got(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(said)), static_cast<std::size_t>(::ASN1_STRING_length(said)));
  if (got != wanted) return bad("it is about another signature");
  return ::timegm(&when);
}

}  // namespace

std::optional<std::int64_t> stamped_at(const SignedData& signature, const std::string& authorities, std::int64_t now, std::string& why) {
  const auto bad = [&](std::string_view reason) {
    why = picket::cat("its time stamp does not count: ", reason);
    return std::nullopt;
  };
  const auto der = signature.unsigned_attribute(kAttribute);
  if (der.empty()) {
    const auto older = signature.counter_signature();
    if (!older) return std::nullopt;
    const auto when = older->signing_time();
    if (!when) return bad("it does not say when");
    if (*when > now + kClockSkewSeconds) return bad("it is of the future");
    if (std::string reason; !older->covers(signature.signature(), reason) || !older->leads_to(authorities, SignedData::Use::time, *when, reason)) return bad(reason);
    return when;
  }
  const auto token = SignedData::parse(der);
  if (!token || token->content_type() != kTstInfo) return bad("it cannot be read");
  const auto content = token->content(V_ASN1_OCTET_STRING);
  ::ERR_set_mark();
  const auto said = read_info(content, signature.signature());
  ::ERR_pop_to_mark();
  if (!said) return bad(said.error().message);
  if (*said > now + kClockSkewSeconds) return bad("it is of the future");
  if (std::string reason; !token->covers(content, reason) || !token->leads_to(authorities, SignedData::Use::time, *said, reason)) return bad(reason);
  return *said;
}

}  // namespace ksn_client
