#include "curl_source/proxy.hpp"

#include "curl_source/options.hpp"

namespace curl_source {

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

CURLcode use_proxy(CURL* easy, const Proxy& proxy) {
  CURLcode bad = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    const CURLcode code = ::curl_easy_setopt(easy, option, value);
    if (bad == CURLE_OK) bad = code;
  };
  if (!proxy.system) {
    set(CURLOPT_PROXY, proxy.url.c_str());  // empty: none, whatever the environment says
    set(CURLOPT_NOPROXY, "");
  }
  if (!proxy.user.empty() || !proxy.password.empty()) {
    set(CURLOPT_PROXYUSERNAME, proxy.user.c_str());
    set(CURLOPT_PROXYPASSWORD, proxy.password.c_str());
    set(CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_ANY));
  }
  return bad;
}

}  // namespace curl_source
