// The http source against a real nginx: HTTP/1.1, HTTP/2 over TLS, resume, what a server refuses, and how fast.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "integration/plugins/served_rig.hpp"
#include "support/nginx.hpp"
#include "support/tinyproxy.hpp"
#include "support/tls_certificate.hpp"

using namespace picket::plugin_tests;
using picket::support::Nginx;
using picket::support::Tinyproxy;

namespace {

class SourceHttpNginx : public ServedRig {
 protected:
  void SetUp() override {
    load_source("org.picket.source-http", R"({"proxy":"none"})");
  }
  [[nodiscard]] std::string server_log() const override { return nginx_->error_log(); }
  Nginx& serve(picket::support::NginxOptions options) {
    options.root = root_.path();
    nginx_ = must(Nginx::start(options));
    return *nginx_;
  }
  [[nodiscard]] std::string ca_option() const { return R"({"ca_file":")" + nginx_->certificate().string() + "\"}"; }
  Fetched fetch_f(const std::string& options = {}) { return fetch(fetch_of(nginx_->url(), "targets/f", options)); }

  [[nodiscard]] std::string bare() const { return "127.0.0.1:" + std::to_string(nginx_->port()) + "/"; }
  [[nodiscard]] bool logged(const std::string& text) {
    return std::ranges::any_of(host_.logs(), [&](const auto& record) { return record.text.find(text) != std::string::npos; });
  }
  static std::string all_notes(const Fetched& got) {
    std::string out;
    for (const auto& note : got.reply.notes()) out += note + "\n";
    return out;
  }

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
  const auto requests = nginx.wait_for_requests(3);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_LT(std::stoul(requests[1].substr(requests[1].rfind(' '))), 200u) << requests[1];
  // A bomb ends at what was asked for.
  root_.write("metadata/2.snapshot.json", std::string(20'000'000, '0'));
  auto bounded = fetch_of(nginx.url(), "metadata/2.snapshot.json");
  bounded.set_max_bytes(10'000);
  EXPECT_EQ(fetch(bounded).answer.stream.size(), 10'000u);
}

TEST_F(SourceHttpNginx, takes_metadata_that_lie_packed_from_a_server_that_packs_nothing) {
  const std::string metadata(500'000, 'm');  // more than one message of the bus holds
  write_with_packed("metadata/1.snapshot.json", metadata);
  write_with_packed("metadata/1.root.json", "root");
  for (const char* apache : {"", "location ~ gz$ { add_header Content-Encoding x-gzip; }"}) {  // as nginx and Apache send NAME.gz
    auto& nginx = serve({.server_lines = apache});
    const auto got = finish(ask(fetch_of(nginx.url(), "metadata/1.snapshot.json"), 5000), 5000);
    ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
    EXPECT_TRUE(got.answer.stream == metadata);
    EXPECT_EQ(got.reply.size(), metadata.size());
    EXPECT_EQ(got.reply.from(), nginx.url() + "metadata/1.snapshot.json.gz");
    EXPECT_EQ(fetch(fetch_of(nginx.url(), "metadata/1.root.json")).reply.from(), nginx.url() + "metadata/1.root.json");
    const auto requests = nginx.wait_for_requests(2);
    ASSERT_EQ(requests.size(), 2u);
    EXPECT_LT(std::stoul(requests[0].substr(requests[0].rfind(' '))), 1000u) << requests[0];
  }
  // A bomb ends at what was asked for.
  write_with_packed("metadata/2.snapshot.json", std::string(20'000'000, '0'));
  auto bounded = fetch_of(nginx_->url(), "metadata/2.snapshot.json");
  bounded.set_max_bytes(10'000);
  EXPECT_TRUE(fetch(bounded).answer.stream == std::string(10'000, '0'));
}

TEST_F(SourceHttpNginx, takes_metadata_as_they_are_where_they_do_not_lie_packed) {
  const auto bring = [&](const std::string& name, bool packed) {
    const auto got = fetch(fetch_of(nginx_->url(), "metadata/" + name));
    EXPECT_EQ(got.answer.stream, "content of " + name) << got.answer.payload;
    EXPECT_EQ(got.reply.from().ends_with(".gz"), packed) << got.reply.from();
  };
  const auto write = [&](const std::string& name) { root_.write("metadata/" + name, "content of " + name); };
  for (const char* name : {"1.snapshot.json", "1.targets.json", "1.rules.json"}) write(name);
  serve({});
  for (const char* name : {"1.snapshot.json", "1.targets.json", "1.rules.json"}) bring(name, false);
  const auto requests = nginx_->wait_for_requests(4);
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests.back(), "GET /metadata/1.rules.json 200 23") << "once in vain is enough";
  // Not all of them: the snapshot, which comes first, says whether it is worth asking.
  serve({});
  write_with_packed("metadata/2.snapshot.json", "content of 2.snapshot.json");
  write_with_packed("metadata/2.rules.json", "content of 2.rules.json");
  bring("2.snapshot.json", true);
  bring("1.targets.json", false);
  bring("2.rules.json", true);
  // Damaged, and a page in place of what is not there.
  for (const std::string wrong : {"no gzip", "\x1f\x8b\x08"}) {
    serve({});
    write("3.snapshot.json");
    root_.write("metadata/3.snapshot.json.gz", wrong);
    bring("3.snapshot.json", false);
  }
  root_.write("index.html", "<html>");
  serve({.location_lines = "try_files $uri /index.html;"});
  bring("1.snapshot.json", false);
  EXPECT_EQ(fetch(fetch_of(nginx_->url(), "metadata/9.snapshot.json")).answer.stream, "<html>") << "as it was";
}

TEST_F(SourceHttpNginx, asks_in_vain_for_packed_metadata_only_where_that_may_help) {
  root_.write("metadata/1.snapshot.json", "content");
  for (const int status : {401, 429, 503}) {
    serve({.location_lines = "return " + std::to_string(status) + ";"});
    EXPECT_NE(fetch(fetch_of(nginx_->url(), "metadata/1.snapshot.json")).answer.status, PICKET_OK);
    EXPECT_EQ(nginx_->wait_for_requests(1).size(), 1u) << status;
  }
  serve({.server_lines = "location ~ gz$ { return 403; }"});  // so some say that there is none
  EXPECT_EQ(fetch(fetch_of(nginx_->url(), "metadata/1.snapshot.json")).answer.stream, "content");
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
    expect_resumed(fetch_of(nginx_->url(), "targets/f", tls ? ca_option() : ""), "");
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
  make_huge();
  serve({});
  expect_no_more_than_asked_of_huge(fetch_of(nginx_->url(), "huge"));
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
  request.set_stall_timeout_ms(4000);  // a pause of the machine within them does not bring 20 kB/s below 2
  request.set_min_bytes_per_second(2'000);
  request.set_max_bytes(110'000);
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

TEST_F(SourceHttpNginx, takes_https_first_where_the_location_does_not_say) {
  serve({.tls = true});
  const auto got = fetch(fetch_of(bare(), "targets/f", ca_option()));
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_TRUE(got.answer.stream == content_);
  EXPECT_EQ(got.reply.from(), nginx_->url() + "targets/f");
  EXPECT_EQ(got.reply.notes_size(), 0);
  // A certificate that is not accepted is no reason to go without.
  const auto refused = fetch(fetch_of(bare(), "targets/f"));
  EXPECT_EQ(refused.answer.status, PICKET_E_UNAVAILABLE) << refused.answer.payload;
  EXPECT_NE(refused.answer.payload.find("certificate is not accepted"), std::string::npos) << refused.answer.payload;
}

TEST_F(SourceHttpNginx, uses_http_where_https_cannot_be_had_and_says_so) {
  serve({});
  for (int i = 0; i < 2; ++i) {  // the second time without another attempt at https
    const auto got = fetch(fetch_of(bare(), "targets/f"));
    ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
    EXPECT_TRUE(got.answer.stream == content_);
    EXPECT_EQ(got.reply.from(), nginx_->url() + "targets/f");
    EXPECT_NE(all_notes(got).find("https c"), std::string::npos) << all_notes(got);
  }
  EXPECT_TRUE(logged("https cannot be had"));
  EXPECT_TRUE(fetch(fetch_of(nginx_->url(), "targets/f", R"({"https_first":true})")).answer.stream == content_);
}

TEST_F(SourceHttpNginx, goes_nowhere_where_http_is_forbidden_or_would_show_a_password) {
  serve({});
  EXPECT_EQ(fetch(fetch_of(bare(), "targets/f", R"({"allow_http":false})")).answer.status, PICKET_E_UNAVAILABLE);
  EXPECT_EQ(fetch(fetch_of(bare(), "targets/f", R"({"user":"me","password":"hunter2"})")).answer.status, PICKET_E_UNAVAILABLE);
  EXPECT_TRUE(nginx_->requests().empty() || nginx_->requests().front().find("GET") == std::string::npos);
}

TEST_F(SourceHttpNginx, tries_mirrors_in_their_order) {
  serve({.location_lines = "return 503;"});
  const auto first = std::move(nginx_);
  serve({});
  const std::string mirrors = R"({"mirrors":["http://127.0.0.1:1/",")" + nginx_->url() + R"("]})";
  const auto got = fetch(fetch_of(first->url(), "targets/f", mirrors));
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_TRUE(got.answer.stream == content_);
  EXPECT_EQ(got.reply.from(), nginx_->url() + "targets/f");
  EXPECT_NE(all_notes(got).find("HTTP 503"), std::string::npos) << all_notes(got);
  EXPECT_TRUE(logged("the next mirror is tried"));
  // Those that did not work a moment ago come last.
  const auto again = fetch(fetch_of(first->url(), "targets/f", mirrors));
  EXPECT_EQ(again.reply.notes_size(), 0) << all_notes(again);
  EXPECT_EQ(first->wait_for_requests(1).size(), 1u);
  nginx_->stop();
  const auto none = fetch(fetch_of(first->url(), "targets/f", mirrors));
  EXPECT_EQ(none.answer.status, PICKET_E_UNAVAILABLE);
  EXPECT_NE(none.answer.payload.find("HTTP 503"), std::string::npos) << none.answer.payload;
  EXPECT_NE(none.answer.payload.find("127.0.0.1:1/"), std::string::npos) << none.answer.payload;
}

TEST_F(SourceHttpNginx, asks_mirrors_for_a_file_that_one_lacks_but_takes_its_word_on_metadata) {
  TemporaryFolder empty;
  auto lacks = Nginx::start({.root = empty.path()});
  ASSERT_TRUE(lacks) << lacks.error().message;
  serve({});
  const std::string mirrors = R"({"mirrors":[")" + nginx_->url() + R"("]})";
  EXPECT_TRUE(fetch(fetch_of((*lacks)->url(), "targets/f", mirrors)).answer.stream == content_);
  expect(fetch(fetch_of((*lacks)->url(), "metadata/timestamp.json", mirrors)), PICKET_E_NOT_FOUND, "HTTP 404");
}

TEST_F(SourceHttpNginx, carries_how_long_a_server_wants_to_be_left_alone) {
  for (const char* status : {"429", "503", "403"}) {
    serve({.location_lines = std::string("add_header Retry-After 33 always; return ") + status + ";"});
    EXPECT_EQ(fetch_f().answer.content_type, "text/plain; retry-after=33") << status;
  }
  serve({.location_lines = "return 503;"});
  EXPECT_EQ(fetch_f().answer.content_type, "");
}

TEST_F(SourceHttpNginx, hands_on_a_short_file_as_it_is_and_begins_anew_on_a_plain_200) {
  serve({.location_lines = "return 200 short;"});
  EXPECT_EQ(fetch_f().answer.stream, "short");  // the host checks the length that was signed
  auto request = fetch_of(nginx_->url(), "targets/f");
  request.set_offset(100);
  const auto anew = fetch(request);
  EXPECT_EQ(anew.reply.offset(), 0u);
}

TEST_F(SourceHttpNginx, goes_through_a_real_proxy_with_user_and_password) {
  auto started = Tinyproxy::start("me", "hunter2");
  ASSERT_TRUE(started) << started.error().message;
  const auto& proxy = **started;
  const auto through = [&](const std::string& login, const std::string& more = {}) { return R"({"proxy":"http://)" + login + proxy.address() + "\"" + more + "}"; };
  serve({});
  const auto got = fetch_f(through("me:hunter2@"));
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload << proxy.log();
  EXPECT_TRUE(got.answer.stream == content_);
  EXPECT_NE(proxy.log().find("targets/f"), std::string::npos);
  expect(fetch_f(through("me:wrong@")), PICKET_E_DENIED, "wants a user and a password it accepts");
  expect(fetch_f(through("")), PICKET_E_DENIED, "wants a user and a password it accepts");
  serve({.tls = true});
  const std::string ca = R"(,"ca_file":")" + nginx_->certificate().string() + "\"";
  EXPECT_TRUE(fetch_f(through("me:hunter2@", ca)).answer.stream == content_);
  expect(fetch_f(through("me:wrong@", ca)), PICKET_E_DENIED, "wants a user and a password it accepts");
  for (const auto& record : host_.logs()) EXPECT_EQ(record.text.find("hunter2"), std::string::npos) << record.text;
}

TEST_F(SourceHttpNginx, takes_the_systems_proxy_or_none_as_it_is_told) {
  auto started = Tinyproxy::start();
  ASSERT_TRUE(started) << started.error().message;
  serve({});
  ::setenv("http_proxy", ("http://" + (*started)->address()).c_str(), 1);
  EXPECT_TRUE(fetch_f(R"({"proxy":"none"})").answer.stream == content_);
  EXPECT_EQ((*started)->log().find("targets/f"), std::string::npos);
  EXPECT_TRUE(fetch_f(R"({"proxy":"system"})").answer.stream == content_);
  ::unsetenv("http_proxy");
  EXPECT_NE((*started)->log().find("targets/f"), std::string::npos) << (*started)->log();
}

}  // namespace
