// The test server itself: what other tests rely on.
#include <csignal>

#include <curl/curl.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "support/nginx.hpp"
#include "support/temporary_folder.hpp"

namespace picket::support {
namespace {

class NginxServer : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(write_file_atomic(folder_ / "hello", "hello")); }

  static CURLcode get(const std::string& url, std::string& body, const std::filesystem::path& certificate = {}) {
    const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
    if (!certificate.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO, certificate.c_str());
    curl_write_callback write = [](char* data, size_t size, size_t count, void* to) {
      static_cast<std::string*>(to)->append(data, size * count);
      return size * count;
    };
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, write);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
    return curl_easy_perform(curl.get());
  }
  const support::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
};

TEST_F(NginxServer, serves_a_folder_and_says_what_was_asked) {
  auto server = Nginx::start({.root = folder_});
  ASSERT_TRUE(server) << server.error().message;
  std::string body;
  ASSERT_EQ(get((*server)->url() + "hello", body), CURLE_OK);
  EXPECT_EQ(body, "hello");
  EXPECT_EQ((*server)->wait_for_requests(1), std::vector<std::string>{"GET /hello 200 5"});
}

TEST_F(NginxServer, speaks_tls_with_a_certificate_that_a_client_can_check) {
  auto server = Nginx::start({.root = folder_, .tls = true});
  ASSERT_TRUE(server) << server.error().message;
  std::string body;
  EXPECT_EQ(get((*server)->url() + "hello", body), CURLE_PEER_FAILED_VERIFICATION);
  ASSERT_EQ(get((*server)->url() + "hello", body, (*server)->certificate()), CURLE_OK);
  EXPECT_EQ(body, "hello");
}

TEST_F(NginxServer, is_gone_after_stop_and_can_come_back_on_the_same_port) {
  auto server = Nginx::start({.root = folder_});
  ASSERT_TRUE(server) << server.error().message;
  const auto port = (*server)->port();
  const auto url = (*server)->url() + "hello";
  const auto pid = (*server)->pid();
  (*server)->stop();
  EXPECT_EQ(::kill(pid, 0), -1);
  std::string body;
  EXPECT_EQ(get(url, body), CURLE_COULDNT_CONNECT);
  auto again = Nginx::start({.root = folder_, .port = port});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(get(url, body), CURLE_OK);
}

TEST_F(NginxServer, a_refused_configuration_is_an_error_with_its_words) {
  const auto server = Nginx::start({.root = folder_, .server_lines = "no_such_directive;"});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Code::invalid);
  EXPECT_NE(server.error().message.find("no_such_directive"), std::string::npos) << server.error().message;
}

}  // namespace
}  // namespace picket::support
