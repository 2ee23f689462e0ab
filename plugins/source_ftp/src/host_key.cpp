#include "host_key.hpp"

#include <array>

#include <openssl/evp.h>

namespace source_ftp {
namespace {

// "SHA256:..." as ssh-keygen shows it. Empty when libcurl gave the key in another form.
std::string fingerprint(const curl_khkey* key) {
  if (key == nullptr || key->key == nullptr || key->len == 0) return {};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (::EVP_Digest(key->key, key->len, digest.data(), &size, ::EVP_sha256(), nullptr) != 1) return {};
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> text{};
  const int length = ::EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(size));
  std::string out = "SHA256:";
  for (int i = 0; i < length && text[static_cast<std::size_t>(i)] != '='; ++i) out += static_cast<char>(text[static_cast<std::size_t>(i)]);
  return out;
}

}  // namespace

int judge_host_key(CURL*, const curl_khkey*, const curl_khkey* found, curl_khmatch match, void* verdict) {
  if (match == CURLKHMATCH_OK) return CURLKHSTAT_FINE;
  try {
    auto& why = static_cast<HostKeyVerdict*>(verdict)->why;
    const std::string shown = fingerprint(found);
    const std::string key = shown.empty() ? "" : " " + shown;
    why = match == CURLKHMATCH_MISMATCH ? "the host key" + key + " is not the one in known_hosts: the server was changed, or another one answers in its place"
                                        : "the host key" + key + " is not in known_hosts: add it there once you have compared it on the server";
  } catch (...) {
    return CURLKHSTAT_REJECT;
  }
  return CURLKHSTAT_REJECT;
}

}  // namespace source_ftp
