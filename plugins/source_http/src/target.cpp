#include "target.hpp"

#include <strings.h>

#include <boost/json.hpp>

#include "handles.hpp"

namespace source_http {
namespace {

namespace json = boost::json;

// Clear words in place of an echo: a location or a proxy may hold a password.
tl::unexpected<Failure> bad(const std::string& name, const std::string& what) {
  return failed(PICKET_E_INVALID, "source '" + name + "': " + what);
}

bool has_control_or_space(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return true;
  return false;
}

Outcome<json::object> parse_options(const picket::source::v1::Source& source) {
  if (source.options_json().empty()) return json::object();
  json::error_code error;
  auto value = json::parse(source.options_json(), error);
  if (error || !value.is_object()) return bad(source.name(), "options are not a JSON object");
  return std::move(value.get_object());
}

}  // namespace

Outcome<Settings> parse_settings(std::string_view text) {
  json::error_code error;
  const auto value = json::parse(text, error);
  if (error || !value.is_object()) return failed(PICKET_E_INVALID, "settings are not a JSON object");
  Settings settings;
  for (const auto& member : value.get_object()) {
    if (member.key() == "allow_http" && member.value().is_bool()) {
      settings.allow_http = member.value().get_bool();
    } else if (member.key() == "proxy" && member.value().is_string()) {
      settings.proxy = member.value().get_string();
      if (const auto proxy = parse_proxy(settings.proxy); !proxy) return failed(PICKET_E_INVALID, "setting proxy: " + proxy.error().text);
    } else if (member.key() == "parallel_fetches" && member.value().is_int64() && member.value().get_int64() >= 1 && member.value().get_int64() <= 16) {
      settings.parallel_fetches = static_cast<std::size_t>(member.value().get_int64());
    } else {
      return failed(PICKET_E_INVALID, "setting " + std::string(member.key()) + " is unknown or out of range");
    }
  }
  return settings;
}

Outcome<Proxy> parse_proxy(std::string_view text) {
  Proxy proxy;
  if (text == "system") {
    proxy.system = true;
    return proxy;
  }
  if (text == "none") return proxy;
  const Url url(::curl_url());
  const std::string copy(text);
  if (!url || has_control_or_space(text) || copy.find("://") == std::string::npos ||
      ::curl_url_set(url.get(), CURLUPART_URL, copy.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return failed(PICKET_E_INVALID, "is neither 'system' nor 'none' nor a URL");
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https" && scheme != "socks5" && scheme != "socks5h")
    return failed(PICKET_E_INVALID, "scheme " + scheme + " is not one of http, https, socks5, socks5h");
  proxy.user = part_of(url.get(), CURLUPART_USER, CURLU_URLDECODE);
  proxy.password = part_of(url.get(), CURLUPART_PASSWORD, CURLU_URLDECODE);
  const std::string port = part_of(url.get(), CURLUPART_PORT);
  proxy.url = scheme + "://" + part_of(url.get(), CURLUPART_HOST) + (port.empty() ? std::string() : ":" + port);
  return proxy;
}

Outcome<Target> parse_target(const picket::source::v1::Source& source, const Settings& settings) {
  Target target;
  target.name = source.name();
  const Url url(::curl_url());
  if (!url || has_control_or_space(source.location()) || ::curl_url_set(url.get(), CURLUPART_URL, source.location().c_str(), 0) != CURLUE_OK)
    return bad(target.name, "the location is not a URL like https://host/folder/");
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return bad(target.name, "the location must begin with https:// or http://");
  target.is_https = scheme == "https";
  if (!part_of(url.get(), CURLUPART_USER).empty() || !part_of(url.get(), CURLUPART_PASSWORD).empty())
    return bad(target.name, "the location holds a user or a password: put them into the options user and password");
  if (source.location().find_first_of("?#") != std::string::npos) return bad(target.name, "the location must have no '?' and no '#'");
  target.host = part_of(url.get(), CURLUPART_HOST);
  target.base = source.location();
  if (target.base.back() != '/') target.base += '/';

  const auto options = parse_options(source);
  if (!options) return tl::unexpected(options.error());
  bool allow_http = settings.allow_http;
  std::string proxy = settings.proxy;
  for (const auto& option : *options) {
    const std::string key(option.key());
    std::string* text = key == "proxy"                 ? &proxy
                        : key == "ca_file"             ? &target.ca_file
                        : key == "client_certificate"  ? &target.client_certificate
                        : key == "client_key"          ? &target.client_key
                        : key == "client_key_password" ? &target.client_key_password
                        : key == "user"                ? &target.user
                        : key == "password"            ? &target.password
                                                       : nullptr;
    if (key == "allow_http" && option.value().is_bool()) {
      // An administrator's setting says whether http may be used at all; an option can only forbid it for its own source.
      allow_http = allow_http && option.value().get_bool();
    } else if (text != nullptr && option.value().is_string()) {
      *text = option.value().get_string();
      if (text->find('\0') != std::string::npos) return bad(target.name, "option " + key + " contains a NUL byte");
    } else if (text != nullptr || key == "allow_http") {
      return bad(target.name, "option " + key + " must be a " + (text != nullptr ? "text" : "true or false"));
    } else {
      return bad(target.name, "an http source knows no option '" + key + "'");
    }
  }
  for (const auto* path : {&target.ca_file, &target.client_certificate, &target.client_key})
    if (!path->empty() && path->front() != '/') return bad(target.name, "ca_file, client_certificate and client_key must be absolute paths");
  if (target.client_certificate.empty() != target.client_key.empty()) return bad(target.name, "client_certificate and client_key belong together");
  auto parsed = parse_proxy(proxy);
  if (!parsed) return bad(target.name, "proxy: " + parsed.error().text);
  target.proxy = std::move(*parsed);
  if (!target.is_https && !allow_http) return failed(PICKET_E_DENIED, "source '" + target.name + "': plain http is switched off (allow_http)");
  if (!target.is_https && !(target.user.empty() && target.password.empty())) return bad(target.name, "user and password are sent over https only");
  return target;
}

Outcome<std::string> address_of(const Target& target, std::string_view path) {
  const auto refuse = [&](const char* why) { return failed(PICKET_E_INVALID, "path '" + std::string(path.substr(0, 200)) + "' " + why); };
  if (path.empty() || path.size() > 4096) return refuse("is empty or too long");
  if (has_control_or_space(path) || path.find_first_of("?#\\") != std::string_view::npos) return refuse("has a character that must be percent-encoded");
  for (std::string_view rest = path;;) {
    const auto slash = rest.find('/');
    std::string part;  // as a server would read it: %2e is a dot
    for (std::size_t i = 0; i < rest.substr(0, slash).size(); ++i) {
      if (rest[i] == '%' && ::strncasecmp(rest.substr(i).data(), "%2e", std::min<std::size_t>(3, rest.size() - i)) == 0 && rest.size() - i >= 3) {
        part += '.';
        i += 2;
      } else {
        part += rest[i];
      }
    }
    if (part.empty() || part == "." || part == "..") return refuse("has an empty part, '.' or '..'");
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return target.base + std::string(path);
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

}  // namespace source_http
