// The http source against a real nginx: HTTP/1.1, HTTP/2 over TLS, resume, what a server refuses, and how fast.
#include <fstream>
#include <string>

#include "support/nginx.hpp"
#include "support/tls_certificate.hpp"
#include "unit/plugins/source_rig.hpp"

using namespace picket::plugin_tests;
using picket::support::Nginx;

namespace {

class SourceHttpNginx : public SourceRig {
 protected:
  void SetUp() override {
    load(PICKET_TEST_LIBRARY, "org.picket.source-http", R"({"proxy":"none"})");
    content_ = pattern(2'000'000);
    root_.write("targets/f", content_);
    root_.write("metadata/timestamp.json", "{}");
  }
  Nginx& serve(picket::support::NginxOptions options) {
    options.root = root_.path();
    auto started = Nginx::start(options);
    if (!started) throw std::runtime_error(started.error().message);
    nginx_ = std::move(*started);
    return *nginx_;
  }
  [[nodiscard]] std::string ca_option() const { return R"({"ca_file":")" + nginx_->certificate().string() + "\"}"; }
  Fetched fetch_f(const std::string& options = {}) { return fetch(fetch_of(nginx_->url(), "targets/f", options)); }
  void expect(const Fetched& got, picket_status status, const std::string& text) {
    EXPECT_EQ(got.answer.status, status) << got.answer.payload;
    EXPECT_NE(got.answer.payload.find(text), std::string::npos) << got.answer.payload;
    EXPECT_EQ(got.answer.stream, "");
  }

  TemporaryFolder root_;
  std::string content_;
  std::unique_ptr<Nginx> nginx_;
};

TEST_F(SourceHttpNginx, brings_a_file_over_http_1_1) {
  serve({});
  const auto got = fetch_f();
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_TRUE(got.answer.stream == content_);
  EXPECT_EQ(got.reply.size(), content_.size());
  EXPECT_EQ(probe(nginx_->url()).status, PICKET_OK);
}

TEST_F(SourceHttpNginx, brings_a_file_over_http_2_and_tls) {
  serve({.tls = true});
  const auto got = fetch_f(ca_option());
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_TRUE(got.answer.stream == content_);
  serve({.tls = true, .location_lines = "return 200 $server_protocol;"});
  EXPECT_EQ(fetch_f(ca_option()).answer.stream, "HTTP/2.0");
}

TEST_F(SourceHttpNginx, takes_metadata_packed_and_content_as_it_is) {
  const std::string metadata(5000, 'm');
  root_.write("metadata/1.snapshot.json", metadata);
  auto& nginx = serve({.server_lines = "gzip on; gzip_types *; gzip_min_length 1;"});
  const auto got = fetch(fetch_of(nginx.url(), "metadata/1.snapshot.json"));
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.answer.stream, metadata);
  EXPECT_EQ(got.reply.size(), 0u);  // the file's is not known
  const auto content = fetch_f();
  EXPECT_TRUE(content.answer.stream == content_) << content.answer.payload;
  EXPECT_EQ(content.reply.size(), content_.size());
  // What nginx says it sent.
  const auto requests = nginx.wait_for_requests(2);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_LT(std::stoul(requests[0].substr(requests[0].rfind(' '))), 200u) << requests[0];
  // A bomb ends at what was asked for.
  root_.write("metadata/2.snapshot.json", std::string(20'000'000, '0'));
  auto bounded = fetch_of(nginx.url(), "metadata/2.snapshot.json");
  bounded.set_max_bytes(10'000);
  EXPECT_EQ(fetch(bounded).answer.stream.size(), 10'000u);
}

TEST_F(SourceHttpNginx, pauses_over_http_2_as_credit_allows) {
  serve({.tls = true});
  const auto got = finish(ask(fetch_of(nginx_->url(), "targets/f", ca_option()), 5000), 5000);
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_TRUE(got.answer.stream == content_);
}

TEST_F(SourceHttpNginx, runs_several_fetches_over_http_2_though_one_waits_for_credit) {
  serve({.tls = true});
  const auto waits = ask(fetch_of(nginx_->url(), "targets/f", ca_option()), 1);
  ASSERT_TRUE(host_.wait_for([&] { return host_.answer(waits).stream.size() == 1; }));
  EXPECT_TRUE(fetch_f(ca_option()).answer.stream == content_);
  EXPECT_TRUE(fetch_f(ca_option()).answer.stream == content_);
  EXPECT_FALSE(host_.answer(waits).done);
  host_.grant(waits, 10'000'000);
  EXPECT_TRUE(finish(waits, 10'000'000).answer.stream == content_);
}

TEST_F(SourceHttpNginx, keeps_the_connection_between_fetches) {
  for (const bool tls : {false, true}) {
    serve({.tls = tls, .location_lines = "return 200 $connection;"});
    const std::string options = tls ? ca_option() : "";
    const std::string first = fetch_f(options).answer.stream;
    EXPECT_NE(first, "");
    for (int i = 0; i < 5; ++i) EXPECT_EQ(fetch_f(options).answer.stream, first);
  }
}

TEST_F(SourceHttpNginx, resumes_where_it_is_told_to) {
  for (const bool tls : {false, true}) {
    serve({.tls = tls});
    auto request = fetch_of(nginx_->url(), "targets/f", tls ? ca_option() : "");
    request.set_offset(1'234'567);
    const auto rest = fetch(request);
    ASSERT_EQ(rest.answer.status, PICKET_OK) << rest.answer.payload;
    EXPECT_TRUE(rest.answer.stream == content_.substr(1'234'567));
    EXPECT_EQ(rest.reply.offset(), 1'234'567u);
    EXPECT_EQ(rest.reply.size(), content_.size());
    request.set_max_bytes(1000);
    EXPECT_TRUE(fetch(request).answer.stream == content_.substr(1'234'567, 1000));
    request.set_offset(content_.size());
    EXPECT_EQ(fetch(request).reply.sent(), 0u);
    request.set_offset(content_.size() + 1);
    EXPECT_EQ(fetch(request).answer.status, PICKET_E_IO);
  }
}

TEST_F(SourceHttpNginx, begins_anew_where_ranges_are_switched_off) {
  serve({.location_lines = "max_ranges 0;"});
  auto request = fetch_of(nginx_->url(), "targets/f");
  request.set_offset(1000);
  const auto got = fetch(request);
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.reply.offset(), 0u);
  EXPECT_TRUE(got.answer.stream == content_);
}

TEST_F(SourceHttpNginx, takes_no_more_than_max_bytes_of_a_huge_file) {
  { std::ofstream sparse(root_.path() / "huge"); }
  std::filesystem::resize_file(root_.path() / "huge", std::uintmax_t{1} << 40);
  serve({});
  auto request = fetch_of(nginx_->url(), "huge");
  request.set_max_bytes(500'000);
  const auto got = fetch(request);
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.answer.stream.size(), 500'000u);
  EXPECT_EQ(got.reply.size(), std::uint64_t{1} << 40);
}

TEST_F(SourceHttpNginx, tells_apart_missing_forbidden_and_overloaded) {
  serve({});
  expect(fetch(fetch_of(nginx_->url(), "targets/none")), PICKET_E_NOT_FOUND, "HTTP 404");
  expect(fetch(fetch_of(nginx_->url(), "targets")), PICKET_E_DENIED, "HTTP 403");  // a folder: nginx sends to "/targets/", which it does not list
  serve({.location_lines = "deny all;"});
  expect(fetch_f(), PICKET_E_DENIED, "HTTP 403");
  EXPECT_EQ(probe(nginx_->url()).status, PICKET_E_DENIED);
  serve({.location_lines = "add_header Retry-After 33 always; return 429;"});
  expect(fetch_f(), PICKET_E_UNAVAILABLE, "try again in 33 s");
  serve({.location_lines = "return 503;"});
  expect(fetch_f(), PICKET_E_UNAVAILABLE, "HTTP 503");
}

TEST_F(SourceHttpNginx, does_not_follow_to_another_host) {
  serve({.location_lines = "return 301 http://localhost:1/stolen;"});
  expect(fetch_f(), PICKET_E_UNAVAILABLE, "another host");
}

TEST_F(SourceHttpNginx, gives_up_when_too_slow_and_not_when_slow_enough) {
  serve({.location_lines = "limit_rate 20k;"});
  auto request = fetch_of(nginx_->url(), "targets/f");
  request.set_stall_timeout_ms(1500);
  request.set_min_bytes_per_second(1'000'000);
  const auto slow = fetch(request);
  EXPECT_EQ(slow.answer.status, PICKET_E_TIMEOUT);
  EXPECT_NE(slow.answer.payload.find("slower than 1000000 bytes per second for 1500 ms"), std::string::npos) << slow.answer.payload;
  EXPECT_EQ(slow.answer.stream, content_.substr(0, slow.answer.stream.size()));
  request.set_min_bytes_per_second(5'000);
  request.set_max_bytes(60'000);
  EXPECT_EQ(fetch(request).answer.status, PICKET_OK);
}

TEST_F(SourceHttpNginx, says_that_the_server_went_away_in_the_middle) {
  serve({.location_lines = "limit_rate 50k;"});
  const auto id = ask(fetch_of(nginx_->url(), "targets/f"), 10'000'000);
  ASSERT_TRUE(host_.wait_for([&] { return !host_.answer(id).stream.empty(); }));
  nginx_->stop();
  const auto got = finish(id, 10'000'000);
  EXPECT_EQ(got.answer.status, PICKET_E_IO) << got.answer.payload;
  EXPECT_EQ(got.answer.stream, content_.substr(0, got.answer.stream.size()));
}

TEST_F(SourceHttpNginx, trusts_no_certificate_that_it_was_not_told_to) {
  serve({.tls = true});
  expect(fetch_f(), PICKET_E_UNAVAILABLE, "certificate is not accepted");
  EXPECT_EQ(probe(nginx_->url()).status, PICKET_E_UNAVAILABLE);
  // The right certificate for another name.
  const std::string other_name = "https://localhost.localdomain:" + std::to_string(nginx_->port()) + "/";
  EXPECT_NE(fetch(fetch_of(other_name, "targets/f", ca_option())).answer.status, PICKET_OK);
  // Plain http to a TLS port.
  EXPECT_NE(fetch(fetch_of("http://127.0.0.1:" + std::to_string(nginx_->port()) + "/", "targets/f")).answer.status, PICKET_OK);
}

TEST_F(SourceHttpNginx, shows_its_own_certificate_where_the_server_asks_for_one) {
  TemporaryFolder own;
  const auto certificate = own.path() / "client.pem", key = own.path() / "client.key";
  ASSERT_TRUE(picket::support::make_certificate(certificate, key));
  serve({.tls = true, .server_lines = "ssl_verify_client on; ssl_client_certificate " + certificate.string() + ";"});
  expect(fetch_f(ca_option()), PICKET_E_UNAVAILABLE, "HTTP 400");
  const std::string with_own = R"({"ca_file":")" + nginx_->certificate().string() + R"(","client_certificate":")" + certificate.string() + R"(","client_key":")" + key.string() + "\"}";
  const auto got = fetch_f(with_own);
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_TRUE(got.answer.stream == content_);
}

TEST_F(SourceHttpNginx, sends_user_and_password_over_tls) {
  root_.write("../" + root_.path().filename().string() + "/users", "me:{PLAIN}hunter2\n");
  serve({.tls = true, .location_lines = "auth_basic x; auth_basic_user_file " + (root_.path() / "users").string() + ";"});
  expect(fetch_f(ca_option()), PICKET_E_DENIED, "HTTP 401");
  const std::string with_password = R"({"ca_file":")" + nginx_->certificate().string() + R"(","user":"me","password":"hunter2"})";
  EXPECT_EQ(fetch_f(with_password).answer.status, PICKET_OK);
}

}  // namespace
