#include "survey.hpp"

#include "curl_source/handles.hpp"

namespace source_distribution_point {
namespace {

struct FreeMulti {
  void operator()(CURLM* multi) const { ::curl_multi_cleanup(multi); }
};

}  // namespace

void survey(const std::vector<std::string>& urls, std::chrono::milliseconds limit, Points& points) {
  const std::unique_ptr<CURLM, FreeMulti> multi(::curl_multi_init());
  if (!multi) return;
  std::vector<curl_source::Easy> handles;
  for (const auto& url : urls) {
    curl_source::Easy easy(::curl_easy_init());
    if (!easy) continue;
    // The TCP connection only: "http" also for https, since its handshake says nothing of the distance.
    std::string plain = url;
    if (plain.starts_with("https://")) {
      const curl_source::Url parsed(::curl_url());
      if (!parsed || ::curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) continue;
      const std::string port = curl_source::part_of(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
      plain = "http://" + curl_source::part_of(parsed.get(), CURLUPART_HOST) + ":" + port + "/";
    }
    ::curl_easy_setopt(easy.get(), CURLOPT_URL, plain.c_str());
    ::curl_easy_setopt(easy.get(), CURLOPT_CONNECT_ONLY, 1L);
    ::curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(easy.get(), CURLOPT_QUICK_EXIT, 1L);
    ::curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
    ::curl_easy_setopt(easy.get(), CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limit.count()));
    ::curl_easy_setopt(easy.get(), CURLOPT_PRIVATE, static_cast<const void*>(&url));
    ::curl_multi_add_handle(multi.get(), easy.get());
    handles.push_back(std::move(easy));
  }
  const auto end = Points::Clock::now() + limit;
  std::size_t open = handles.size();
  for (const auto& url : urls) points.measured(url, std::nullopt, Points::Clock::now());
  while (open > 0 && Points::Clock::now() < end) {
    int running = 0, left = 0;
    ::curl_multi_perform(multi.get(), &running);
    while (const CURLMsg* message = ::curl_multi_info_read(multi.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      --open;
      const std::string* url = nullptr;
      curl_off_t connect = 0;
      ::curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &url);
      ::curl_easy_getinfo(message->easy_handle, CURLINFO_CONNECT_TIME_T, &connect);
      if (message->data.result == CURLE_OK) points.measured(*url, std::chrono::milliseconds(connect / 1000), Points::Clock::now());
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(end - Points::Clock::now()).count();
    if (open > 0 && wait > 0) ::curl_multi_poll(multi.get(), nullptr, 0, static_cast<int>(wait), nullptr);
  }
  for (const auto& easy : handles) ::curl_multi_remove_handle(multi.get(), easy.get());
}

}  // namespace source_distribution_point
