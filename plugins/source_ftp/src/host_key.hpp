// Whether the host key that a server shows is the one in known_hosts.
#pragma once

#include <curl/curl.h>

#include <string>

namespace source_ftp {

// Set by the callback during a connection; why a host was not accepted, in words. Empty: it was, or nobody came so far.
struct HostKeyVerdict {
  std::string why;
};

// For CURLOPT_SSH_KEYFUNCTION; `verdict` is a HostKeyVerdict. Never adds to the file.
int judge_host_key(CURL* easy, const curl_khkey* known, const curl_khkey* found, curl_khmatch match, void* verdict);

}  // namespace source_ftp
