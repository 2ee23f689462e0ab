#include "settings.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <map>

#include "base/json_members.hpp"
#include "content_kind.hpp"
#include "ksn/limits.hpp"
#include "ksn_channel/channel.hpp"

namespace ksn_client {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostLocal = 10'000, kMostText = 4096;

using Take = Result<> (*)(const json::value&, Settings&);

Result<> wants(std::string_view what) { return fail(Code::invalid, cat("must be ", what)); }

template <bool Settings::*Member>
Result<> flag(const json::value& value, Settings& into) {
  if (!value.is_bool()) return wants("true or false");
  into.*Member = value.get_bool();
  return {};
}
template <std::string Settings::*Member>
Result<> text(const json::value& value, Settings& into) {
  if (!value.is_string() || value.get_string().size() > kMostText) return wants("a text");
  into.*Member = value.get_string();
  return {};
}
template <auto Member, std::int64_t Least, std::int64_t Most, std::int64_t Unit = 1>
Result<> number(const json::value& value, Settings& into) {
  if (!value.is_int64() || value.get_int64() < Least || value.get_int64() > Most)
    return wants(cat("a number from ", std::to_string(Least), " to ", std::to_string(Most)));
  into.*Member = static_cast<std::remove_reference_t<decltype(into.*Member)>>(value.get_int64() * Unit);
  return {};
}
template <std::uint32_t Settings::*Member>
Result<> prefix(const json::value& value, Settings& into) {
  const auto bytes = value.is_int64() ? value.get_int64() : -1;
  if (bytes != 0 && (bytes < static_cast<std::int64_t>(picket::ksn::kLeastPrefixBytes) || bytes > 16)) return wants("0 (the full digest is asked) or 4 to 16 bytes");
  into.*Member = static_cast<std::uint32_t>(bytes);
  return {};
}
Result<std::vector<std::string>> texts(const json::value& value, std::size_t most) {
  if (!value.is_array() || value.get_array().size() > most) return fail(Code::invalid, cat("must be at most ", std::to_string(most), " texts"));
  std::vector<std::string> out;
  for (const auto& item : value.get_array()) {
    if (!item.is_string() || item.get_string().size() > kMostText) return fail(Code::invalid, "must be a list of texts");
    out.emplace_back(item.get_string());
  }
  return out;
}
template <std::vector<std::string> Settings::*Member, std::size_t Most>
Result<> list(const json::value& value, Settings& into) {
  PICKET_LET(items, texts(value, Most));
  into.*Member = std::move(items);
  return {};
}

Result<> local(const json::value& value, Settings& into) {
  if (!value.is_array() || value.get_array().size() > kMostLocal) return wants("a list of at most 10000 objects");
  into.local.clear();
  for (const auto& item : value.get_array()) {
    if (!item.is_object()) return wants("a list of objects");
    LocalEntry entry;
    for (const auto& member : item.get_object()) {
      if (!member.value().is_string()) return wants("a list of objects whose members are texts");
      std::string said(member.value().get_string());
      if (said.size() > (member.key() == "object" ? kMostText : picket::ksn::kMostTextBytes)) return wants("a list of objects with short texts");
      if (member.key() == "object") entry.object = std::move(said);
      else if (member.key() == "category") entry.category = std::move(said);
      else if (member.key() == "threat") entry.threat = std::move(said);
      else if (member.key() == "verdict") {
        PICKET_LET(verdict, verdict_of(said));
        entry.verdict = verdict;
      } else return fail(Code::invalid, cat("knows no member '", std::string_view(member.key()), "'"));
    }
    if (entry.object.empty()) return wants("a list of objects, each with an 'object'");
    into.local.push_back(std::move(entry));
  }
  return {};
}

Result<> proxy(const json::value& value, Settings& into) {
  if (!value.is_string() || value.get_string().size() > kMostText) return wants("a text");
  std::string address(value.get_string());
  if (!address.empty() && address.find("://") == std::string::npos) {
    const auto colon = address.rfind(':'), bracket = address.rfind(']');
    const bool has_port = colon != std::string::npos && (bracket == std::string::npos ? address.find(':') == colon : colon > bracket);
    address = cat("https://", address, has_port ? "" : cat(":", std::to_string(picket::ksn::kProxyPort)));
  }
  if (!address.empty()) PICKET_TRY(ksn_channel::check_road({.base_url = address}));
  into.proxy = std::move(address);
  return {};
}
Result<> resolvers(const json::value& value, Settings& into) {
  PICKET_LET(items, texts(value, 8));
  PICKET_TRY(ksn_channel::check_road({.base_url = "https://localhost", .resolvers = items}));
  into.fallback_resolvers = std::move(items);
  return {};
}
Result<> web_proxy(const json::value& value, Settings& into) {
  if (!value.is_string()) return wants("'system', 'none' or the URL of a web proxy");
  std::string proxy(value.get_string());
  PICKET_TRY(ksn_channel::check_road({.base_url = "https://localhost", .proxy = proxy}));
  into.web_proxy = std::move(proxy);
  return {};
}
Result<> when_unavailable(const json::value& value, Settings& into) {
  if (!value.is_string() || (value.get_string() != "OK" && value.get_string() != "Warning" && value.get_string() != "Critical")) return wants("OK, Warning or Critical");
  into.when_unavailable = value.get_string();
  return {};
}
Result<> kinds(const json::value& value, Settings& into) {
  PICKET_LET(items, texts(value, 8));
  for (const auto& item : items)
    if (std::find(kContentKinds.begin(), kContentKinds.end(), item) == kContentKinds.end()) return wants("kinds of files: executable, script, archive, document");
  into.content_kinds = std::move(items);
  return {};
}

const std::map<std::string_view, Take>& table() {
  static const std::map<std::string_view, Take> rows{
      {"enabled", &flag<&Settings::enabled>},
      {"user_may_switch", &flag<&Settings::user_may_switch>},
      {"extended", &flag<&Settings::extended>},
      {"language", &text<&Settings::language>},
      {"statements_folder", &text<&Settings::statements_folder>},
      {"folder", &text<&Settings::folder>},
      {"provider_file", &text<&Settings::provider_file>},
      {"provider_keys", &text<&Settings::provider_keys>},
      {"licence", &text<&Settings::licence>},
      {"use_proxy", &flag<&Settings::use_proxy>},
      {"proxy", &proxy},
      {"proxy_certificate", &text<&Settings::proxy_certificate>},
      {"servers_when_proxy_is_away", &flag<&Settings::servers_when_proxy_is_away>},
      {"web_proxy", &web_proxy},
      {"fallback_resolvers", &resolvers},
      {"file_prefix_bytes", &prefix<&Settings::file_prefix_bytes>},
      {"address_prefix_bytes", &prefix<&Settings::address_prefix_bytes>},
      {"software_prefix_bytes", &prefix<&Settings::software_prefix_bytes>},
      {"cache_mb", &number<&Settings::cache_mb, 0, 4096>},
      {"memory_entries", &number<&Settings::memory_entries, 64, 16'777'216>},
      {"batch_ms", &number<&Settings::batch, 0, 1000>},
      {"request_timeout_ms", &number<&Settings::request_timeout, 50, 120'000>},
      {"heartbeat_seconds", &number<&Settings::heartbeat, 1, 86'400>},
      {"rest_seconds", &number<&Settings::rest, 1, 3600>},
      {"longest_rest_seconds", &number<&Settings::longest_rest, 1, 86'400>},
      {"when_unavailable", &when_unavailable},
      {"local", &local},
      {"local_files", &list<&Settings::local_files, 64>},
      {"exclusions", &list<&Settings::exclusions, 10'000>},
      {"statistics_hours", &number<&Settings::statistics, 1, 24 * 365>},
      {"content_kinds", &kinds},
      {"content_mb", &number<&Settings::content_bytes, 1, 1024, 1 << 20>},
      {"content_mb_per_day", &number<&Settings::content_bytes_per_day, 0, 1'000'000, 1 << 20>},
      {"installation_days", &number<&Settings::installation, 1, 3650, 24>},
      {"code_authorities", &text<&Settings::code_authorities>},
      {"software_per_second", &number<&Settings::software_per_second, 1, 100'000>},
  };
  return rows;
}

}  // namespace

Result<v1::Verdict> verdict_of(std::string_view word) {
  if (word == "trusted") return v1::VERDICT_TRUSTED;
  if (word == "abusable") return v1::VERDICT_ABUSABLE;
  if (word == "untrusted") return v1::VERDICT_UNTRUSTED;
  if (word == "unknown") return v1::VERDICT_UNKNOWN;
  return fail(Code::invalid, cat("'", word.substr(0, 40), "' is no verdict: trusted, abusable, untrusted, unknown"));
}

std::string_view word_of(v1::Verdict verdict) {
  switch (verdict) {
    case v1::VERDICT_TRUSTED: return "trusted";
    case v1::VERDICT_ABUSABLE: return "abusable";
    case v1::VERDICT_UNTRUSTED: return "untrusted";
    default: return "unknown";
  }
}

Result<Settings> parse_settings(std::string_view text_) {
  PICKET_LET(object, picket::members::settings_from(text_));
  Settings settings;
  for (const auto& member : object) {
    const auto row = table().find(std::string_view(member.key()));
    if (row == table().end()) return fail(Code::invalid, cat("there is no setting '", std::string_view(member.key()), "'"));
    if (auto taken = row->second(member.value(), settings); !taken) return fail(std::move(taken).error(), cat("setting ", std::string_view(member.key())));
  }
  for (const auto& [name, path] : std::initializer_list<std::pair<std::string_view, const std::string&>>{
           {"folder", settings.folder}, {"statements_folder", settings.statements_folder}, {"provider_keys", settings.provider_keys},
           {"provider_file", settings.provider_file}, {"proxy_certificate", settings.proxy_certificate}, {"code_authorities", settings.code_authorities}})
    if (!path.empty() && path.front() != '/') return fail(Code::invalid, cat("setting ", name, ": '", path.substr(0, 200), "' is not an absolute path"));
  if (settings.folder.empty()) return fail(Code::invalid, "setting folder: must be an absolute path");
  for (const char c : settings.language)
    if ((c < 'a' || c > 'z') && c != '-') return fail(Code::invalid, "setting language: must be like 'en' or 'pt-br'");
  if (settings.language.empty() || settings.language.size() > 10) return fail(Code::invalid, "setting language: must be like 'en' or 'pt-br'");
  if (settings.licence.size() > picket::ksn::kMostTextBytes) return fail(Code::invalid, "setting licence: longer than 256 bytes");
  return settings;
}

}  // namespace ksn_client
