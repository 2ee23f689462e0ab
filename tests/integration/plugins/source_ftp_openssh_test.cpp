// The ftp source's sftp against a real OpenSSH: who answers, who asks, resume, and what goes wrong.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "integration/plugins/served_rig.hpp"
#include "support/sshd.hpp"

using namespace picket::plugin_tests;
using picket::support::Sshd;

namespace {

class SourceFtpOpenssh : public ServedRig {
 protected:
  void SetUp() override {
    load_source("org.picket.source-ftp");
    server_ = start();
  }
  [[nodiscard]] static std::unique_ptr<Sshd> start() { return must(Sshd::start(kSecret)); }
  [[nodiscard]] std::string server_log() const override { return server_->log(); }
  [[nodiscard]] std::string options(const std::string& who, const std::string& known) const { return R"({"user":"tester",)" + who + "," + known + "}"; }
  [[nodiscard]] std::string key() const { return R"("key_file":")" + server_->key_file().string() + "\""; }
  [[nodiscard]] std::string known() const { return R"("known_hosts":")" + server_->known_hosts().string() + "\""; }
  [[nodiscard]] std::string usual() const { return options(key(), known()); }
  Fetched fetch_f(const std::string& options) { return fetch(fetch_of(server_->url(root_.path()), "targets/f", options)); }

  static constexpr const char* kPassword = R"("password":"hunter2")";
  std::unique_ptr<Sshd> server_;
};

TEST_F(SourceFtpOpenssh, brings_a_file_from_a_known_host_with_a_key) {
  for (int i = 0; i < 3; ++i) expect_all(fetch_f(usual()));
  EXPECT_EQ(probe(server_->url(root_.path()), usual()).status, PICKET_OK);
}

TEST_F(SourceFtpOpenssh, brings_a_file_with_a_password_and_refuses_a_wrong_one) {
  expect_all(fetch_f(options(kPassword, known())));
  expect(fetch_f(options(R"("password":"wrong")", known())), PICKET_E_DENIED, "a password or key it accepts");
  EXPECT_EQ(probe(server_->url(root_.path()), options(R"("password":"wrong")", known())).status, PICKET_E_DENIED);
  for (const auto& record : host_.logs()) EXPECT_EQ(record.text.find("hunter2"), std::string::npos) << record.text;
}

TEST_F(SourceFtpOpenssh, refuses_a_host_that_is_not_known_and_says_its_key) {
  TemporaryFolder other;
  other.write("known_hosts", "");
  const std::string empty = R"("known_hosts":")" + (other.path() / "known_hosts").string() + "\"";
  const auto got = fetch_f(options(kPassword, empty));
  expect(got, PICKET_E_UNAVAILABLE, "is not in known_hosts");
  EXPECT_NE(got.answer.payload.find(server_->host_key_sha256()), std::string::npos) << got.answer.payload;
  EXPECT_EQ(std::filesystem::file_size(other.path() / "known_hosts"), 0u);
  EXPECT_EQ(server_->log().find("Accepted"), std::string::npos) << "the password went to a stranger";
}

TEST_F(SourceFtpOpenssh, refuses_a_host_whose_key_has_changed) {
  const auto earlier = start();
  std::ifstream theirs(earlier->known_hosts());
  std::string line((std::istreambuf_iterator<char>(theirs)), {});
  line.replace(line.find(std::to_string(earlier->port())), std::to_string(earlier->port()).size(), std::to_string(server_->port()));
  TemporaryFolder other;
  other.write("known_hosts", line);
  const auto got = fetch_f(options(kPassword, R"("known_hosts":")" + (other.path() / "known_hosts").string() + "\""));
  expect(got, PICKET_E_UNAVAILABLE, "is not the one in known_hosts");
  EXPECT_EQ(server_->log().find("Accepted"), std::string::npos);
}

TEST_F(SourceFtpOpenssh, knows_a_host_by_its_fingerprint) {
  expect_all(fetch_f(options(key(), R"("host_key_sha256":")" + server_->host_key_sha256() + "\"")));
  std::string wrong = server_->host_key_sha256();
  wrong[10] = wrong[10] == 'a' ? 'b' : 'a';
  expect(fetch_f(options(kPassword, R"("host_key_sha256":")" + wrong + "\"")), PICKET_E_UNAVAILABLE, "not the one of host_key_sha256");
}

TEST_F(SourceFtpOpenssh, resumes_where_it_is_told_to) {
  expect_resumed(fetch_of(server_->url(root_.path()), "targets/f", usual()), "fewer bytes");
}

TEST_F(SourceFtpOpenssh, pauses_as_credit_allows_and_brings_an_empty_file) {
  expect_all(finish(ask(fetch_of(server_->url(root_.path()), "targets/f", usual()), 5000), 5000));
  root_.write("targets/empty", "");
  const auto empty = fetch(fetch_of(server_->url(root_.path()), "targets/empty", usual()));
  EXPECT_EQ(empty.answer.status, PICKET_OK) << empty.answer.payload;
}

TEST_F(SourceFtpOpenssh, tells_apart_missing_and_unreachable) {
  expect(fetch(fetch_of(server_->url(root_.path()), "targets/none", usual())), PICKET_E_NOT_FOUND, "not found");
  const auto options = usual();
  server_->process().end();
  expect(fetch_f(options), PICKET_E_UNAVAILABLE, "onnect");
}

TEST_F(SourceFtpOpenssh, says_that_the_server_was_killed_in_the_middle) {
  const auto id = ask(fetch_of(server_->url(root_.path()), "targets/f", usual()), 1000);
  ASSERT_TRUE(begins(id));
  server_->process().kill();
  const auto got = finish(id, 10'000'000);
  EXPECT_EQ(got.answer.status, PICKET_E_IO) << got.answer.payload;
  EXPECT_TRUE(content_.starts_with(got.answer.stream));
}

TEST_F(SourceFtpOpenssh, gives_up_on_a_server_that_hangs) {
  expect_all(fetch_f(usual()));
  auto request = fetch_of(server_->url(root_.path()), "targets/f", usual());
  request.set_stall_timeout_ms(700);
  request.set_connect_timeout_ms(700);
  server_->process().hold();
  const auto got = fetch(request);
  EXPECT_EQ(got.answer.status, PICKET_E_TIMEOUT) << got.answer.payload;
}

TEST_F(SourceFtpOpenssh, wants_to_know_who_answers_and_who_asks) {
  const auto refused = [&](const std::string& options, const std::string& text) { expect(fetch_f(options), PICKET_E_INVALID, text); };
  refused(R"({"user":"tester","password":"hunter2"})", "known_hosts or host_key_sha256");
  refused("{" + std::string(kPassword) + "," + known() + "}", "needs the option user");
  refused(R"({"user":"tester",)" + known() + "}", "password or key_file");
  refused(R"({"user":"tester","password":"hunter2","known_hosts":"/nowhere/known"})", "known_hosts: /nowhere/known cannot be read");
  refused(R"({"user":"tester","password":"hunter2","known_hosts":"known"})", "must be an absolute path");
  refused(R"({"user":"tester","password":"hunter2","host_key_sha256":"hunter"})", "is no fingerprint");
  refused(options(kPassword, known() + R"(,"tls":true)"), "not for sftp");
  refused(options(kPassword, known() + R"(,"passwd":"hunter2")"), "knows no option 'passwd'");
}

}  // namespace
