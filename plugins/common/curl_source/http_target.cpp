#include "curl_source/http_target.hpp"

#include <strings.h>

#include "curl_source/options.hpp"

namespace curl_source {

namespace {

struct Rules {
  bool allow_http = true, https_first = false, has_password = false;
};

// Adds a location's base or bases: without a scheme https first and http where https cannot be had, as with https_first for http://.
Outcome<> add_bases(HttpTarget& target, const std::string& location, const Rules& rules) {
  const auto bad = [&](const std::string& what) { return bad_source(target.name, what); };
  const bool has_scheme = location.find("://") != std::string::npos;
  const std::string full = has_scheme ? location : "https://" + location;
  const Url url(::curl_url());
  if (!url || location.empty() || has_control_or_space(location) || (!has_scheme && location.front() == '/') ||
      ::curl_url_set(url.get(), CURLUPART_URL, full.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return bad("the location is not a URL like https://host/folder/");
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return bad("the location must begin with https:// or http://");
  if (!part_of(url.get(), CURLUPART_USER).empty() || !part_of(url.get(), CURLUPART_PASSWORD).empty())
    return bad("the location holds a user or a password: put them into the options user and password");
  if (location.find_first_of("?#") != std::string::npos) return bad("the location must have no '?' and no '#'");
  std::string rest = full.substr(full.find("://") + 3);
  if (rest.back() != '/') rest += '/';
  const bool https_first = !has_scheme || (scheme == "http" && rules.https_first);
  if (scheme == "https" || https_first) target.bases.push_back({"https://" + rest, true, false});
  if (scheme == "https" && has_scheme) return {};
  if (https_first) {  // what is only a way out is left out in silence
    if (rules.allow_http && !rules.has_password) target.bases.push_back({"http://" + rest, false, true});
    return {};
  }
  if (!rules.allow_http) return failed(PICKET_E_DENIED, "source '" + target.name + "': plain http is switched off (allow_http)");
  if (rules.has_password) return bad("user and password are sent over https only");
  target.bases.push_back({"http://" + rest, false, false});
  return {};
}

}  // namespace

Outcome<HttpTarget> parse_http_target(const picket::source::v1::Source& source, const HttpSettings& settings) {
  HttpTarget target;
  target.name = source.name();
  const auto bad = [&](const std::string& what) { return bad_source(target.name, what); };
  bool allow_http = true;
  Rules rules;
  std::string proxy = settings.proxy;
  std::vector<std::string> mirrors;
  const Option options[] = {{"proxy", &proxy},
                            {"allow_http", &allow_http},
                            {"ca_file", &target.ca_file},
                            {"client_certificate", &target.client_certificate},
                            {"client_key", &target.client_key},
                            {"client_key_password", &target.client_key_password},
                            {"user", &target.user},
                            {"password", &target.password},
                            {"mirrors", &mirrors},
                            {"https_first", &rules.https_first}};
  const auto read = read_options(source, "an http source", options);
  // An administrator's setting says whether http may be used at all; an option can only forbid it for its own source.
  rules.allow_http = settings.allow_http && allow_http;
  rules.has_password = !(target.user.empty() && target.password.empty());
  if (auto added = add_bases(target, source.location(), rules); !added && (read || added.error().status == PICKET_E_INVALID)) return tl::unexpected(added.error());
  if (!read) return tl::unexpected(read.error());
  for (const auto& mirror : mirrors)
    if (auto added = add_bases(target, mirror, rules); !added) return failed(added.error().status, added.error().text + " (a mirror)");
  const Option paths[] = {options[2], options[3], options[4]};
  if (auto good = want_absolute(target.name, paths); !good) return tl::unexpected(good.error());
  if (target.client_certificate.empty() != target.client_key.empty()) return bad("client_certificate and client_key belong together");
  auto parsed = parse_proxy(proxy);
  if (!parsed) return bad("proxy: " + parsed.error().text);
  target.proxy = std::move(*parsed);
  return target;
}

bool may_redirect(const std::string& from, const std::string& to) {
  const Url a(::curl_url()), b(::curl_url());
  if (!a || !b || ::curl_url_set(a.get(), CURLUPART_URL, from.c_str(), 0) != CURLUE_OK || ::curl_url_set(b.get(), CURLUPART_URL, to.c_str(), 0) != CURLUE_OK)
    return false;
  if (!part_of(b.get(), CURLUPART_USER).empty() || !part_of(b.get(), CURLUPART_PASSWORD).empty()) return false;
  if (::strcasecmp(part_of(a.get(), CURLUPART_HOST).c_str(), part_of(b.get(), CURLUPART_HOST).c_str()) != 0) return false;
  const std::string scheme_a = part_of(a.get(), CURLUPART_SCHEME), scheme_b = part_of(b.get(), CURLUPART_SCHEME);
  if (scheme_a == "http" && scheme_b == "https") return true;
  return scheme_a == scheme_b && part_of(a.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT) == part_of(b.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

}  // namespace curl_source
