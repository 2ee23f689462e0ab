// The ftp source against a real vsftpd: plain, TLS asked for and implicit, active and passive, resume, and what goes wrong.
#include "integration/plugins/served_rig.hpp"
#include "support/vsftpd.hpp"

using namespace picket::plugin_tests;
using picket::support::Vsftpd;
using picket::support::VsftpdOptions;

namespace {

class SourceFtpVsftpd : public ServedRig {
 protected:
  void SetUp() override {
    load_source("org.picket.source-ftp");
  }
  [[nodiscard]] std::string server_log() const override { return server_->log(); }
  Vsftpd& serve(VsftpdOptions options) {
    options.root = root_.path();
    server_ = must(Vsftpd::start(options));
    return *server_;
  }
  [[nodiscard]] std::string ca(const std::string& more = {}) const { return R"({"ca_file":")" + server_->certificate().string() + "\"" + more + "}"; }
  Fetched fetch_f(const std::string& options = {}) { return fetch(fetch_of(server_->url(), "targets/f", options)); }
  void expect_all(const Fetched& got) {
    ServedRig::expect_all(got);
    EXPECT_EQ(got.reply.from(), server_->url() + "targets/f");
  }
  [[nodiscard]] bool log_has(const std::string& text) const { return server_->log().find(text) != std::string::npos; }

  std::unique_ptr<Vsftpd> server_;
};

TEST_F(SourceFtpVsftpd, brings_a_file_in_passive_mode_and_keeps_the_connection) {
  serve({});
  for (int i = 0; i < 3; ++i) expect_all(fetch_f());
  EXPECT_EQ(probe(server_->url()).status, PICKET_OK);
  EXPECT_TRUE(log_has("EPSV"));
  const auto log = server_->log();
  EXPECT_EQ(log.find("PASS", log.find("PASS") + 4), std::string::npos) << "logged in more than once:\n" << log;
}

TEST_F(SourceFtpVsftpd, takes_metadata_that_lie_packed) {
  serve({});
  const auto expect_from = [&](const std::string& name, const std::string& from) {
    const auto got = fetch(fetch_of(server_->url(), "metadata/" + name));
    EXPECT_EQ(got.answer.stream, "content of " + name) << got.answer.payload;
    EXPECT_EQ(got.reply.from(), server_->url() + "metadata/" + from);
    EXPECT_EQ(got.reply.size(), got.answer.stream.size());
  };
  for (const std::string name : {"1.snapshot.json", "3.snapshot.json"}) write_with_packed("metadata/" + name, "content of " + name);
  for (const std::string name : {"1.targets.json", "2.snapshot.json"}) root_.write("metadata/" + name, "content of " + name);
  expect_from("1.snapshot.json", "1.snapshot.json.gz");
  expect_from("1.targets.json", "1.targets.json");
  expect_from("1.snapshot.json", "1.snapshot.json.gz");
  expect_from("2.snapshot.json", "2.snapshot.json");
  expect_from("3.snapshot.json", "3.snapshot.json");  // a place without the snapshot's is not asked again for a day
  EXPECT_EQ(fetch(fetch_of(server_->url(), "metadata/4.snapshot.json")).answer.status, PICKET_E_NOT_FOUND);
}

TEST_F(SourceFtpVsftpd, brings_a_file_in_active_mode) {
  serve({.lines = "pasv_enable=NO"});
  expect_all(fetch_f(R"({"active":true})"));
  EXPECT_TRUE(log_has("EPRT") || log_has("PORT"));
  EXPECT_EQ(fetch_f(R"({"active":false})").answer.status, PICKET_E_UNAVAILABLE);
}

TEST_F(SourceFtpVsftpd, brings_a_file_over_tls_that_it_asks_for) {
  serve({.tls = VsftpdOptions::Tls::asked_for});
  expect(fetch_f(R"({"tls":true})"), PICKET_E_UNAVAILABLE, "certificate is not accepted");
  expect_all(fetch_f(ca(R"(,"tls":true)")));
  EXPECT_TRUE(log_has("AUTH TLS"));
  EXPECT_TRUE(log_has("PROT P"));
}

TEST_F(SourceFtpVsftpd, brings_a_file_over_implicit_tls) {
  serve({.tls = VsftpdOptions::Tls::implicit});
  expect(fetch_f(), PICKET_E_UNAVAILABLE, "certificate is not accepted");
  expect_all(fetch_f(ca()));
  EXPECT_EQ(probe(server_->url(), ca()).status, PICKET_OK);
}

TEST_F(SourceFtpVsftpd, goes_nowhere_without_the_tls_it_was_told_to_use) {
  serve({});
  expect(fetch_f(R"({"tls":true})"), PICKET_E_UNAVAILABLE, "the server offers no TLS");
  EXPECT_FALSE(log_has("\"USER"));
}

TEST_F(SourceFtpVsftpd, resumes_where_it_is_told_to) {
  for (const auto tls : {VsftpdOptions::Tls::none, VsftpdOptions::Tls::implicit}) {
    serve({.tls = tls});
    expect_resumed(fetch_of(server_->url(), "targets/f", tls == VsftpdOptions::Tls::none ? "" : ca()), "fewer bytes");
    EXPECT_TRUE(log_has("REST 1234567"));
  }
}

TEST_F(SourceFtpVsftpd, begins_anew_where_the_server_cannot_resume) {
  serve({.lines = "cmds_denied=REST"});
  auto request = fetch_of(server_->url(), "targets/f");
  request.set_offset(1000);
  expect_all(fetch(request));
}

TEST_F(SourceFtpVsftpd, brings_an_empty_file_and_pauses_as_credit_allows) {
  root_.write("targets/empty", "");
  serve({});
  const auto empty = fetch(fetch_of(server_->url(), "targets/empty"));
  EXPECT_EQ(empty.answer.status, PICKET_OK) << empty.answer.payload;
  EXPECT_EQ(empty.answer.stream, "");
  expect_all(finish(ask(fetch_of(server_->url(), "targets/f"), 5000), 5000));
}

TEST_F(SourceFtpVsftpd, takes_no_more_than_max_bytes_of_a_huge_file) {
  make_huge();
  serve({});
  expect_no_more_than_asked_of_huge(fetch_of(server_->url(), "huge"));
}

TEST_F(SourceFtpVsftpd, tells_apart_missing_wrong_password_and_unreachable) {
  serve({.password = "hunter2"});
  const std::string right = R"({"user":"anonymous","password":"hunter2"})";
  expect_all(fetch_f(right));
  expect(fetch(fetch_of(server_->url(), "targets/none", right)), PICKET_E_NOT_FOUND, "not found");
  expect(fetch(fetch_of(server_->url(), "no/such/folder/f", right)), PICKET_E_NOT_FOUND, "not found");
  expect(fetch(fetch_of(server_->url(), "targets", right)), PICKET_E_NOT_FOUND, "not found");  // a folder is no file
  expect(fetch_f(R"({"user":"anonymous","password":"wrong"})"), PICKET_E_DENIED, "a password or key it accepts");
  EXPECT_EQ(probe(server_->url(), R"({"user":"anonymous","password":"wrong"})").status, PICKET_E_DENIED);
  server_->process().end();
  expect(fetch_f(right), PICKET_E_UNAVAILABLE, "onnect");
  for (const auto& record : host_.logs()) EXPECT_EQ(record.text.find("hunter2"), std::string::npos) << record.text;
}

TEST_F(SourceFtpVsftpd, says_that_the_server_was_killed_in_the_middle) {
  for (const auto tls : {VsftpdOptions::Tls::none, VsftpdOptions::Tls::implicit}) {
    serve({.tls = tls, .lines = "anon_max_rate=200000"});
    const auto id = ask(fetch_of(server_->url(), "targets/f", tls == VsftpdOptions::Tls::none ? "" : ca()), 10'000'000);
    ASSERT_TRUE(host_.wait_for([&] { return !host_.answer(id).stream.empty(); }));
    server_->process().kill();
    const auto got = finish(id, 10'000'000);
    EXPECT_EQ(got.answer.status, PICKET_E_IO) << got.answer.payload;
    EXPECT_TRUE(content_.starts_with(got.answer.stream));
    EXPECT_LT(got.answer.stream.size(), content_.size());
  }
}

TEST_F(SourceFtpVsftpd, gives_up_on_a_server_that_hangs_and_still_stops_at_once) {
  serve({.lines = "anon_max_rate=200000"});
  auto request = fetch_of(server_->url(), "targets/f");
  request.set_stall_timeout_ms(4000);
  const auto id = ask(request, 10'000'000);
  ASSERT_TRUE(host_.wait_for([&] { return !host_.answer(id).stream.empty(); }));
  server_->process().hold();
  const auto got = finish(id, 10'000'000);
  EXPECT_EQ(got.answer.status, PICKET_E_TIMEOUT) << got.answer.payload;
  // Nobody greets a new connection either.
  request.set_connect_timeout_ms(500);
  const auto again = fetch(request);
  EXPECT_EQ(again.answer.status, PICKET_E_TIMEOUT) << again.answer.payload;
}

TEST_F(SourceFtpVsftpd, stops_at_once_though_a_kept_connection_leads_to_a_server_that_hangs) {
  serve({});
  auto request = fetch_of(server_->url(), "targets/f");
  request.set_connect_timeout_ms(60'000);  // who said goodbye to the server would wait as long for its answer
  expect_all(fetch(request));
  server_->process().hold();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(host_.stop(10'000), PICKET_OK);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

TEST_F(SourceFtpVsftpd, says_that_what_goes_without_tls_can_be_read_and_can_be_forbidden_to) {
  serve({});
  const auto logged = [&](const std::string& text) {
    return std::ranges::any_of(host_.logs(), [&](const auto& record) { return record.text.find(text) != std::string::npos; });
  };
  expect_all(fetch_f());
  EXPECT_TRUE(logged("FTP without TLS"));
  EXPECT_FALSE(logged("password"));
  expect(fetch_f(R"({"allow_plain_ftp":false})"), PICKET_E_DENIED, "switched off");
  ASSERT_EQ(host_.apply(R"({"allow_plain_ftp":false})", 2), PICKET_OK);
  expect(fetch_f(), PICKET_E_DENIED, "switched off");
  ASSERT_EQ(host_.apply("{}", 3), PICKET_OK);
  expect_all(fetch_f(R"({"user":"anonymous","password":"hunter2"})"));
}

TEST_F(SourceFtpVsftpd, refuses_paths_that_mean_more_than_a_file) {
  serve({});
  for (const char* path : {"../x", "a//b", "", "targets/%2e%2e/f", "targets/f;type=a", "%2Fetc/passwd", "a b", "a\r\nDELE f"})
    EXPECT_EQ(fetch(fetch_of(server_->url(), path)).answer.status, PICKET_E_INVALID) << path;
  EXPECT_FALSE(log_has("DELE"));
}

}  // namespace
