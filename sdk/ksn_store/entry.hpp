// What is known of one object.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace picket::ksn_store {

struct Entry {
  int verdict = 0;               // a v1::Verdict
  std::string category, threat, publisher, product;
  std::uint64_t popularity = 0;  // 0: not known
  std::int64_t first_seen = 0;   // Unix seconds, 0: not known
  std::vector<std::string> countries;
  int trust_group = 0;           // a v1::TrustGroup
  int signature = 0;             // a v1::Signature
};

// Code::invalid or too_large: what sdk/ksn/limits.hpp does not allow.
[[nodiscard]] Result<> check_entry(const Entry& entry);

// The texts, the trust group and the signature as they stand in a v1::Facts: the same for many objects, and so kept once.
[[nodiscard]] std::string texts_of(const Entry& entry);

// A serialised v1::Facts, without a time to live, put together from its parts: protobuf fields may be joined.
void append_facts(std::uint8_t verdict, std::string_view texts, std::uint64_t popularity, std::int64_t first_seen, std::string& out);

// Returns where it ends; at most 10 bytes.
[[nodiscard]] inline char* put_varint(std::uint64_t number, char* at) {
  for (; number >= 0x80; number >>= 7) *at++ = static_cast<char>(number | 0x80);
  *at++ = static_cast<char>(number);
  return at;
}
void append_varint(std::uint64_t number, std::string& out);

}  // namespace picket::ksn_store
