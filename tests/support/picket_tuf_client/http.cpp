#include "http.hpp"

#include <algorithm>

#include <curl/curl.h>

#include "base/bytes.hpp"

namespace picket::tuf_client {
namespace {

struct Transfer {
  const std::function<Result<>(std::string_view)>* sink;
  std::uint64_t left;
  bool too_large = false;
  std::optional<Error> error;
};

size_t take(char* data, size_t size, size_t count, void* to) {
  auto& transfer = *static_cast<Transfer*>(to);
  const std::string_view bytes(data, size * count);
  if (bytes.size() > transfer.left) {  // the limit holds without a Content-Length too
    transfer.too_large = true;
    return 0;
  }
  transfer.left -= bytes.size();
  if (auto put = (*transfer.sink)(bytes); !put) {
    transfer.error = std::move(put).error();
    return 0;
  }
  return bytes.size();
}

bool is_loopback(std::string_view url) {
  const auto host = url.substr(url.find("://") + 3);
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

}  // namespace

void Http::Free::operator()(void* handle) const { curl_easy_cleanup(handle); }
void Http::FreeList::operator()(void* list) const { curl_slist_free_all(static_cast<curl_slist*>(list)); }

Http::Http() : handle_(curl_easy_init()), headers_(curl_slist_append(nullptr, "Accept-Encoding: identity")) {
  CURL* curl = handle_.get();
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);  // whoever may redirect may choose the host
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "picket-tuf-client/" PICKET_VERSION);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 15L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 100L);  // with the limit on bytes this bounds the time too
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 20L);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
}

Http::~Http() = default;

Result<> Http::get(const std::string& url, std::uint64_t max_bytes, const std::function<Result<>(std::string_view)>& sink) {
  CURL* curl = handle_.get();
  Transfer transfer{&sink, max_bytes, false, std::nullopt};
  char why[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, is_loopback(url) ? "*" : nullptr);  // nullptr: what the environment says
  const auto code = curl_easy_perform(curl);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (transfer.error) return fail(std::move(*transfer.error));
  if (transfer.too_large) return fail(Code::too_large, cat(url, ": longer than ", std::to_string(max_bytes), " bytes"));
  if (code == CURLE_HTTP_RETURNED_ERROR || code == CURLE_FILE_COULDNT_READ_FILE) {
    if (status == 404 || code == CURLE_FILE_COULDNT_READ_FILE) return fail(Code::not_found, cat(url, ": not found"));
    return fail(Code::unavailable, cat(url, ": HTTP status ", std::to_string(status)));
  }
  if (code == CURLE_OPERATION_TIMEDOUT) return fail(Code::timeout, cat(url, ": ", why[0] != 0 ? why : curl_easy_strerror(code)));
  if (code != CURLE_OK) return fail(Code::unavailable, cat(url, ": ", why[0] != 0 ? why : curl_easy_strerror(code)));
  if (status != 200 && status != 0) return fail(Code::unavailable, cat(url, ": HTTP status ", std::to_string(status)));
  return {};
}

Result<std::string> HttpFetcher::fetch_metadata(std::string_view path, std::uint64_t max_bytes) {
  std::string body;
  body.reserve(std::min<std::uint64_t>(max_bytes, 4u << 20));  // signed metadata says how long the next one is
  PICKET_TRY(http_.get(join_url(base_, path, false), max_bytes, [&](std::string_view bytes) -> Result<> {
    body += bytes;
    return {};
  }));
  return body;
}

Result<std::string> NoFetcher::fetch_metadata(std::string_view path, std::uint64_t) {
  return fail(Code::internal, cat("asked for ", path, " in a command that uses no network"));
}

std::string join_url(std::string_view base, std::string_view path, bool encode) {
  // RFC 3986: what a path may hold as it is.
  return cat(base, base.ends_with('/') ? "" : "/", encode ? percent_encoded(path, "!$&'()*+,;=:@/") : std::string(path));
}

}  // namespace picket::tuf_client
