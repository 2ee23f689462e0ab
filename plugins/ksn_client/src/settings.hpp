// The plugin's settings: policy's and the user's wishes, with their defaults.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "picket/ksn/v1/reputation.pb.h"

namespace ksn_client {

namespace v1 = picket::ksn::v1;
using picket::cat;
using picket::Code;
using picket::Error;
using picket::fail;
using picket::Result;

// What the administrator says of an object: it beats what KSN says.
struct LocalEntry {
  std::string object;  // SHA-256 in hex, a web address, or "software:PUBLISHER" or "software:PUBLISHER/PRODUCT"
  v1::Verdict verdict = v1::VERDICT_UNKNOWN;
  std::string category, threat;
};

struct Settings {
  bool enabled = true;
  bool user_may_switch = true;
  bool extended = true;
  std::string language = "en";
  std::string statements_folder = "/usr/share/picket/statements";
  std::string folder = "/var/lib/picket/ksn";

  std::string provider_file;
  std::string provider_keys = "/etc/picket/trust/ksn";
  std::string licence;

  bool use_proxy = true;
  std::string proxy;              // "https://host:port"; the setting may leave out scheme and port
  std::string proxy_certificate;  // PEM file; empty: the provider's
  bool servers_when_proxy_is_away = false;
  std::string web_proxy = "system";
  std::vector<std::string> fallback_resolvers;

  std::uint32_t file_prefix_bytes = 0, address_prefix_bytes = 0, software_prefix_bytes = 0;  // 0: asked by full digest
  std::size_t cache_mb = 16;
  std::size_t memory_entries = 16384;
  std::chrono::milliseconds batch{3}, request_timeout{5000};
  std::chrono::seconds heartbeat{600}, rest{1}, longest_rest{300};
  std::string when_unavailable = "Warning";  // OK, Warning, Critical

  std::vector<LocalEntry> local;
  std::vector<std::string> local_files;
  std::vector<std::string> exclusions;

  std::chrono::hours statistics{24};
  std::vector<std::string> content_kinds;
  std::uint64_t content_bytes = 16u << 20;
  std::uint64_t content_bytes_per_day = 256u << 20;
  std::chrono::hours installation{24 * 90};
  std::string code_authorities;  // PEM file: whose signatures on programs count; empty: the system's
  std::uint32_t software_per_second = 50;
};

// Code::invalid names the setting and the rule.
[[nodiscard]] Result<Settings> parse_settings(std::string_view json);

[[nodiscard]] Result<v1::Verdict> verdict_of(std::string_view word);  // "trusted", "abusable", "untrusted", "unknown"
[[nodiscard]] std::string_view word_of(v1::Verdict verdict);

}  // namespace ksn_client
