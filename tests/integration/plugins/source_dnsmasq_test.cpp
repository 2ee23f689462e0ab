// Names that the system's DNS does not know, found by the configured resolvers: a real dnsmasq on loopback. ".invalid" never resolves elsewhere.
#include <algorithm>
#include <cstdlib>

#include "support/dnsmasq.hpp"
#include "support/nginx.hpp"
#include "support/vsftpd.hpp"
#include "unit/plugins/source_rig.hpp"

using namespace picket::plugin_tests;
using picket::support::Dnsmasq;

namespace {

class FallbackResolvers : public SourceRig {
 protected:
  void SetUp() override {
    // The system's own attempt ends soon, whatever DNS this computer has.
    ::setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
    auto started = Dnsmasq::start("picket-test.invalid", "127.0.0.1");
    if (!started) throw std::runtime_error(started.error().message);
    dns_ = std::move(*started);
    content_ = pattern(100'000);
    root_.write("targets/f", content_);
  }
  void begin(const char* library, const char* id, const std::string& resolvers, const std::string& more = {}) {
    load(library, id, R"({"proxy":"none","fallback_resolvers":[)" + resolvers + "]" + more + "}");
  }
  void begin_http(const std::string& resolvers) {
    begin(PICKET_SOURCE_HTTP, "org.picket.source-http", resolvers);
    serve();
  }
  void serve() {
    auto started = picket::support::Nginx::start({.root = root_.path()});
    if (!started) throw std::runtime_error(started.error().message);
    nginx_ = std::move(*started);
  }
  [[nodiscard]] std::string quoted(const Dnsmasq& dns) const { return "\"" + dns.resolver() + "\""; }
  [[nodiscard]] std::string url() const { return "http://updates.picket-test.invalid:" + std::to_string(nginx_->port()) + "/"; }
  Fetched get(const std::string& url) {
    auto request = fetch_of(url, "targets/f");
    request.set_connect_timeout_ms(10'000);
    return fetch(request);
  }
  void expect_found(const Fetched& got) {
    ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload << dns_->log();
    EXPECT_TRUE(got.answer.stream == content_);
    ASSERT_EQ(got.reply.notes_size(), 1);
    EXPECT_NE(got.reply.notes(0).find("cannot resolve updates.picket-test.invalid: its address 127.0.0.1 comes from the fallback resolvers"), std::string::npos) << got.reply.notes(0);
  }
  [[nodiscard]] std::size_t times_logged() {
    const auto logs = host_.logs();
    return static_cast<std::size_t>(std::ranges::count_if(logs, [](const auto& record) { return record.text.find("fallback resolvers") != std::string::npos; }));
  }

  TemporaryFolder root_;
  std::string content_;
  std::unique_ptr<Dnsmasq> dns_;
  std::unique_ptr<picket::support::Nginx> nginx_;
};

TEST_F(FallbackResolvers, find_a_web_server_and_each_use_is_logged) {
  begin_http(quoted(*dns_));
  expect_found(get(url()));
  EXPECT_EQ(times_logged(), 1u);
  expect_found(get(url()));
  EXPECT_EQ(times_logged(), 2u);
  EXPECT_NE(dns_->log().find("updates.picket-test.invalid"), std::string::npos);
}

TEST_F(FallbackResolvers, find_an_ftp_server) {
  begin(PICKET_SOURCE_FTP, "org.picket.source-ftp", quoted(*dns_));
  auto server = picket::support::Vsftpd::start({.root = root_.path()});
  ASSERT_TRUE(server) << server.error().message;
  expect_found(get("ftp://updates.picket-test.invalid:" + std::to_string((*server)->port()) + "/"));
}

TEST_F(FallbackResolvers, find_a_distribution_point) {
  begin(PICKET_SOURCE_POINT, "org.picket.source-distribution-point", quoted(*dns_), R"(,"announce":false)");
  serve();
  expect_found(get(url()));
}

TEST_F(FallbackResolvers, are_asked_one_after_the_other_when_one_is_silent) {
  auto silent = Dnsmasq::start("other.invalid", "127.0.0.1");
  ASSERT_TRUE(silent) << silent.error().message;
  (*silent)->process().hold();
  begin_http(quoted(**silent) + "," + quoted(*dns_));
  expect_found(get(url()));
}

TEST_F(FallbackResolvers, that_do_not_know_it_either_are_named) {
  begin_http(quoted(*dns_));
  const auto got = get("http://elsewhere.invalid:" + std::to_string(nginx_->port()) + "/");
  EXPECT_EQ(got.answer.status, PICKET_E_UNAVAILABLE);
  EXPECT_NE(got.answer.payload.find("elsewhere.invalid"), std::string::npos) << got.answer.payload;
  EXPECT_NE(got.answer.payload.find("fallback resolvers (" + dns_->resolver() + ") neither"), std::string::npos) << got.answer.payload;
}

TEST_F(FallbackResolvers, are_not_asked_for_what_the_system_knows_or_when_there_are_none) {
  begin_http(quoted(*dns_));
  EXPECT_TRUE(get("http://localhost:" + std::to_string(nginx_->port()) + "/").answer.stream == content_);
  EXPECT_EQ(dns_->log().find("query"), std::string::npos) << dns_->log();
  ASSERT_EQ(host_.apply(R"({"proxy":"none","fallback_resolvers":[]})", 2), PICKET_OK);
  EXPECT_EQ(get(url()).answer.status, PICKET_E_UNAVAILABLE);
  EXPECT_EQ(dns_->log().find("query"), std::string::npos) << dns_->log();
}

TEST_F(FallbackResolvers, that_are_no_addresses_are_refused_by_name) {
  begin_http(quoted(*dns_));
  for (const char* wrong : {"dns.example.org", "9.9.9.9:", "9.9.9.9:0", "9.9.9.9:70000", "[::1]", "[9.9.9.9]:53", "1.2.3", ""}) {
    EXPECT_EQ(host_.apply(std::string(R"({"fallback_resolvers":[")") + wrong + "\"]}", 2), PICKET_E_INVALID) << wrong;
    EXPECT_NE(host_.error().find("fallback_resolvers"), std::string::npos) << host_.error();
  }
  for (const char* right : {"9.9.9.9", "9.9.9.9:53", "2620:fe::fe", "[2620:fe::fe]:53"})
    EXPECT_EQ(host_.apply(std::string(R"({"fallback_resolvers":[")") + right + "\"]}", 3), PICKET_OK) << right;
}

TEST_F(FallbackResolvers, that_are_no_addresses_are_refused_for_points_too) {
  begin(PICKET_SOURCE_POINT, "org.picket.source-distribution-point", quoted(*dns_), R"(,"announce":false)");
  for (const char* wrong : {R"(["dns.example.org"])", R"("9.9.9.9")", "[9]"}) {
    EXPECT_EQ(host_.apply(std::string(R"({"announce":false,"fallback_resolvers":)") + wrong + "}", 2), PICKET_E_INVALID) << wrong;
    EXPECT_NE(host_.error().find("fallback_resolvers"), std::string::npos) << host_.error();
  }
}

TEST_F(FallbackResolvers, a_cancelled_question_harms_nobody) {
  dns_->process().hold();
  begin_http(quoted(*dns_));
  auto request = fetch_of(url(), "targets/f");
  const auto id = ask(request, 1'000'000);
  ASSERT_TRUE(host_.wait_for([&] { return !host_.answer(id).done; }));
  host_.cancel(id);
  EXPECT_TRUE(get("http://127.0.0.1:" + std::to_string(nginx_->port()) + "/").answer.stream == content_);
  EXPECT_NE(ask(request, 1'000'000), 0u);  // open while the plugin stops
}

}  // namespace
