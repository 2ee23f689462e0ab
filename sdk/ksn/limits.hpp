// Sizes and counts of KSN's protocol, version 1: what is beyond is refused as too large, by both sides.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace picket::ksn {

inline constexpr std::size_t kDigestBytes = 32;
inline constexpr std::size_t kLeastPrefixBytes = 4;
inline constexpr std::size_t kMostQuestions = 1000;            // of one AskRequest
inline constexpr std::size_t kMostUnderPrefix = 1000;          // objects listed for one prefix
inline constexpr std::size_t kMostSigners = 16;                // of one AskReply: as many as a provider has keys
inline constexpr std::size_t kMostRequestBytes = 64u << 10;    // ask, hello
inline constexpr std::size_t kMostReplyBytes = 4u << 20;
inline constexpr std::size_t kMostStatisticsBytes = 64u << 10;
inline constexpr std::size_t kMostPartBytes = 1u << 20;        // of content, in one request
inline constexpr std::size_t kMostTextBytes = 256;             // of each text in Facts and Asker
inline constexpr std::size_t kMostCountries = 10;
inline constexpr std::uint32_t kMostTtlSeconds = 30u * 24 * 3600;
inline constexpr std::uint32_t kLongestRestSeconds = 3600;     // for a Refusal, which is not signed: who must stop for longer is told so by directives
inline constexpr std::int64_t kClockSkewSeconds = 300;         // a seal may be issued so far in the future
inline constexpr std::int64_t kMostFreshSeconds = kMostTtlSeconds + kClockSkewSeconds;  // what is kept for longer is of a time before the clock was set back
inline constexpr std::uint16_t kProxyPort = 13111;

// What clients count; a service keeps no other names.
inline constexpr std::array<std::string_view, 16> kCounters{"files",   "addresses", "software", "from_local", "from_cache", "from_network", "unanswered", "trusted",
                                                            "abusable", "untrusted", "unknown",  "questions",  "merged",     "batches",      "exchanges",  "failures"};

}  // namespace picket::ksn
