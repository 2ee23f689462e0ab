#include "ftp_target.hpp"

#include <algorithm>

#include <boost/json.hpp>

#include "curl_source/options.hpp"

namespace source_ftp {
namespace {

namespace json = boost::json;
using curl_source::failed;
using curl_source::Option;
using curl_source::Outcome;
using Scheme = Target::Scheme;

// What belongs to another scheme would be ignored in silence.
Outcome<> want_fitting(const Target& target) {
  const auto bad = [&](const char* what) { return curl_source::bad_source(target.name, what); };
  if (target.scheme == Scheme::sftp) {
    if (target.tls || target.active) return bad("the options tls and active are for ftp, not for sftp");
    if (!target.ca_file.empty() || !target.client_certificate.empty()) return bad("certificates are for ftp and ftps; sftp has known_hosts and key_file");
    if (target.known_hosts.empty() && target.host_key_sha256.empty())
      return bad("sftp needs the option known_hosts or host_key_sha256: without it nobody can say who answers");
    if (target.user.empty()) return bad("sftp needs the option user");
    if (target.password.empty() && target.key_file.empty()) return bad("sftp needs the option password or key_file");
  } else {
    if (!target.known_hosts.empty() || !target.host_key_sha256.empty() || !target.key_file.empty())
      return bad("known_hosts, host_key_sha256 and key_file are for sftp only");
    if (target.is_plain() && (!target.ca_file.empty() || !target.client_certificate.empty())) return bad("certificates need ftps:// or the option tls");
    if (target.user.empty() && !target.password.empty()) return bad("a password without the option user");
  }
  if (target.client_certificate.empty() != target.client_key.empty()) return bad("client_certificate and client_key belong together");
  return {};
}

// "SHA256:abc..." as ssh-keygen shows it, or without the prefix: 32 bytes in base64.
Outcome<> normalise_key(Target& target) {
  auto& key = target.host_key_sha256;
  if (key.empty()) return {};
  if (key.starts_with("SHA256:")) key.erase(0, 7);
  while (key.ends_with('=')) key.pop_back();
  const auto is_base64 = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/'; };
  if (key.size() != 43 || !std::ranges::all_of(key, is_base64))
    return curl_source::bad_source(target.name, "option host_key_sha256 is no fingerprint like SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDyTuHYCFaRKAaafpU");
  return {};
}

}  // namespace

Outcome<Settings> parse_settings(std::string_view text) {
  json::error_code error;
  const auto value = json::parse(text, error);
  if (error || !value.is_object()) return failed(PICKET_E_INVALID, "settings are not a JSON object");
  Settings settings;
  for (const auto& member : value.get_object()) {
    if (member.key() == "allow_plain_ftp" && member.value().is_bool()) {
      settings.allow_plain = member.value().get_bool();
      continue;
    }
    const auto taken = curl_source::take_common(member.key(), member.value(), settings.common);
    if (!taken) return tl::unexpected(taken.error());
    if (!*taken) return failed(PICKET_E_INVALID, "setting " + std::string(member.key()) + " is unknown or out of range");
  }
  return settings;
}

Outcome<Target> parse_target(const picket::source::v1::Source& source, const Settings& settings) {
  Target target;
  target.name = source.name();
  const auto bad = [&](const std::string& what) { return curl_source::bad_source(target.name, what); };
  const curl_source::Url url(::curl_url());
  if (!url || curl_source::has_control_or_space(source.location()) || ::curl_url_set(url.get(), CURLUPART_URL, source.location().c_str(), 0) != CURLUE_OK)
    return bad("the location is not a URL like ftp://host/folder/");
  const std::string scheme = curl_source::part_of(url.get(), CURLUPART_SCHEME);
  if (scheme == "ftp") target.scheme = Scheme::ftp;
  else if (scheme == "ftps") target.scheme = Scheme::ftps;
  else if (scheme == "sftp") target.scheme = Scheme::sftp;
  else return bad("the location must begin with ftp://, ftps:// or sftp://");
  if (!curl_source::part_of(url.get(), CURLUPART_USER).empty() || !curl_source::part_of(url.get(), CURLUPART_PASSWORD).empty())
    return bad("the location holds a user or a password: put them into the options user and password");
  if (source.location().find_first_of("?#;") != std::string::npos) return bad("the location must have no '?', no '#' and no ';'");
  target.base = source.location();
  if (target.base.back() != '/') target.base += '/';

  std::string proxy = settings.common.proxy;
  bool allow_plain = true;
  const Option options[] = {{"ca_file", &target.ca_file},
                            {"client_certificate", &target.client_certificate},
                            {"client_key", &target.client_key},
                            {"known_hosts", &target.known_hosts},
                            {"key_file", &target.key_file},
                            {"client_key_password", &target.client_key_password},
                            {"host_key_sha256", &target.host_key_sha256},
                            {"key_password", &target.key_password},
                            {"user", &target.user},
                            {"password", &target.password},
                            {"tls", &target.tls},
                            {"active", &target.active},
                            {"allow_plain_ftp", &allow_plain},
                            {"proxy", &proxy}};
  if (auto read = curl_source::read_options(source, "an ftp source", options); !read) return tl::unexpected(read.error());
  const std::span paths(options, 5);
  if (auto good = curl_source::want_absolute(target.name, paths); !good) return tl::unexpected(good.error());
  if (auto good = curl_source::want_readable(target.name, paths); !good) return tl::unexpected(good.error());
  if (auto good = want_fitting(target); !good) return tl::unexpected(good.error());
  if (auto good = normalise_key(target); !good) return tl::unexpected(good.error());
  // Also in the user name: it goes into a line of the control connection.
  for (const auto* text : {&target.user, &target.password})
    if (text->find_first_of("\r\n") != std::string::npos) return bad("user and password cannot hold a line break");
  auto parsed = curl_source::parse_proxy(proxy);
  if (!parsed) return bad("proxy: " + parsed.error().text);
  target.proxy = std::move(*parsed);
  if (target.is_plain() && !(settings.allow_plain && allow_plain))
    return failed(PICKET_E_DENIED, "source '" + target.name + "': FTP without TLS is switched off (allow_plain_ftp)");
  return target;
}

}  // namespace source_ftp
