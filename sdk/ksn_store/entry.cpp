#include "ksn_store/entry.hpp"

#include "base/bytes.hpp"
#include "ksn/limits.hpp"
#include "picket/ksn/v1/reputation.pb.h"

namespace picket::ksn_store {
namespace {

using ksn::v1::Facts;

constexpr char tag(int field, int wire_type) { return static_cast<char>(field << 3 | wire_type); }

}  // namespace

Result<> check_entry(const Entry& entry) {
  if (entry.verdict < ksn::v1::VERDICT_TRUSTED || entry.verdict > ksn::v1::VERDICT_UNTRUSTED) return fail(Code::invalid, "a verdict is trusted, abusable or untrusted");
  for (const auto* text : {&entry.category, &entry.threat, &entry.publisher, &entry.product}) {
    if (text->size() > ksn::kMostTextBytes) return fail(Code::too_large, cat("a text of ", std::to_string(text->size()), " bytes, at most ", std::to_string(ksn::kMostTextBytes)));
    if (!is_valid_utf8(*text)) return fail(Code::invalid, "a text that is not UTF-8");
  }
  if (!ksn::v1::TrustGroup_IsValid(entry.trust_group)) return fail(Code::invalid, "no trust group");
  if (!ksn::v1::Signature_IsValid(entry.signature)) return fail(Code::invalid, "no state of a signature");
  if (entry.first_seen < 0) return fail(Code::invalid, "first seen before 1970");
  if (entry.countries.size() > ksn::kMostCountries) return fail(Code::too_large, "more than 10 countries");
  for (const auto& country : entry.countries)
    if (country.size() != 2 || country[0] < 'A' || country[0] > 'Z' || country[1] < 'A' || country[1] > 'Z') return fail(Code::invalid, cat("'", country, "' is no country: two capital letters"));
  return {};
}

std::string texts_of(const Entry& entry) {
  Facts facts;
  facts.set_category(entry.category);
  facts.set_threat(entry.threat);
  facts.set_publisher(entry.publisher);
  facts.set_product(entry.product);
  for (const auto& country : entry.countries) facts.add_countries(country);
  facts.set_trust_group(static_cast<ksn::v1::TrustGroup>(entry.trust_group));
  facts.set_signature(static_cast<ksn::v1::Signature>(entry.signature));
  return facts.SerializeAsString();
}

void append_varint(std::uint64_t number, std::string& out) {
  char bytes[10];
  out.append(bytes, put_varint(number, bytes));
}

void append_facts(std::uint8_t verdict, std::string_view texts, std::uint64_t popularity, std::int64_t first_seen, std::string& out) {
  char numbers[22];
  char* end = numbers;
  if (popularity != 0) *end++ = tag(Facts::kPopularityFieldNumber, 0), end = put_varint(popularity, end);
  if (first_seen != 0) *end++ = tag(Facts::kFirstSeenFieldNumber, 0), end = put_varint(static_cast<std::uint64_t>(first_seen), end);
  const char first[] = {tag(Facts::kVerdictFieldNumber, 0), static_cast<char>(verdict)};
  out.append(first, sizeof first).append(texts).append(numbers, end);
}

}  // namespace picket::ksn_store
