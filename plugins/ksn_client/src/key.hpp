// What is asked: a kind of object and a digest, or the first bytes of one.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "ksn/limits.hpp"
#include "picket/ksn/v1/reputation.pb.h"

namespace ksn_client {

struct Key {
  std::uint8_t kind = 0;    // v1::ObjectKind
  std::uint8_t length = 0;  // 32, or of the prefix; what is behind is zero
  std::array<char, picket::ksn::kDigestBytes> digest{};

  bool operator==(const Key& other) const { return kind == other.kind && length == other.length && std::memcmp(digest.data(), other.digest.data(), digest.size()) == 0; }
  [[nodiscard]] std::string_view asked() const { return {digest.data(), length}; }
  [[nodiscard]] bool is_prefix() const { return length != digest.size(); }
  [[nodiscard]] Key prefix(std::uint32_t bytes) const {
    Key out{kind, static_cast<std::uint8_t>(bytes), {}};
    std::memcpy(out.digest.data(), digest.data(), bytes);
    return out;
  }
};

[[nodiscard]] inline Key key_of(picket::ksn::v1::ObjectKind kind, std::string_view digest) {
  Key out{static_cast<std::uint8_t>(kind), static_cast<std::uint8_t>(std::min(digest.size(), picket::ksn::kDigestBytes)), {}};
  std::memcpy(out.digest.data(), digest.data(), out.length);
  return out;
}

// Digests are spread already; the seed keeps others from choosing which of them meet.
[[nodiscard]] inline std::uint64_t hash_of(const Key& key, std::uint64_t seed) {
  std::uint64_t word = 0;
  std::memcpy(&word, key.digest.data(), sizeof word);
  word = (word ^ seed ^ (std::uint64_t{key.kind} << 8 | key.length)) * 0x9E3779B97F4A7C15u;
  return word ^ word >> 32;
}

struct KeyHash {
  std::uint64_t seed = 0;
  std::size_t operator()(const Key& key) const { return hash_of(key, seed); }
};

}  // namespace ksn_client
