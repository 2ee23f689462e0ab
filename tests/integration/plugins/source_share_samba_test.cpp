// The share source against a real Samba: guest and user, SMB2 and SMB3 only, and what goes wrong.
#include "integration/plugins/served_rig.hpp"
#include "support/smbd.hpp"

// libsmbclient forgets about a hundred bytes with each connection; it is not ours to free.
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libtalloc.so\nleak:libsmbclient.so\n"; }

using namespace picket::plugin_tests;
using picket::support::Smbd;

namespace {

class SourceShareSamba : public ServedRig {
 protected:
  void SetUp() override {
    load_source("org.picket.source-share");
    root_.write("targets/with space & umlaut \xc3\xa4", "named");
  }
  [[nodiscard]] std::string server_log() const override { return server_->log(); }
  Smbd& serve(const std::string& lines = {}) {
    server_ = must(Smbd::start(root_.path(), kSecret, lines));
    return *server_;
  }
  Fetched fetch_f(const std::string& share, const std::string& options = {}) { return fetch(fetch_of(server_->url(share), "targets/f", options)); }

  const std::string right_ = R"({"user":"tester","password":"hunter2"})";
  std::unique_ptr<Smbd> server_;
};

TEST_F(SourceShareSamba, brings_a_file_as_guest) {
  serve();
  for (int i = 0; i < 3; ++i) expect_all(fetch_f("guest"));
  EXPECT_EQ(fetch_f("guest").reply.from(), server_->url("guest") + "targets/f");
  EXPECT_EQ(probe(server_->url("guest")).status, PICKET_OK);
  EXPECT_EQ(fetch(fetch_of(server_->url("guest"), "targets/with%20space%20%26%20umlaut%20%C3%A4")).answer.stream, "named");
  ASSERT_EQ(host_.apply(R"({"allow_guest":false})", 2), PICKET_OK);
  expect(fetch_f("guest"), PICKET_E_DENIED, "guests are switched off");
}

TEST_F(SourceShareSamba, brings_a_file_with_user_and_password_and_refuses_a_wrong_one) {
  serve();
  expect_all(fetch_f("closed", right_));
  expect_all(fetch_f("closed", R"({"user":"tester","password":"hunter2","domain":"PICKET"})"));
  expect(fetch_f("closed", R"({"user":"tester","password":"wrong"})"), PICKET_E_DENIED, "does not accept user and password");
  expect(fetch_f("closed"), PICKET_E_DENIED, "lets no guest in");
  EXPECT_EQ(probe(server_->url("closed"), R"({"user":"tester","password":"wrong"})").status, PICKET_E_DENIED);
  for (const auto& record : host_.logs()) EXPECT_EQ(record.text.find("hunter2"), std::string::npos) << record.text;
}

TEST_F(SourceShareSamba, encrypts_where_the_server_requires_it) {
  serve("smb encrypt = required");
  expect_all(fetch_f("closed", right_));
}

TEST_F(SourceShareSamba, does_not_speak_smb1) {
  serve("server min protocol = NT1\nserver max protocol = NT1");
  EXPECT_EQ(fetch_f("guest").answer.status, PICKET_E_UNAVAILABLE);
}

TEST_F(SourceShareSamba, resumes_where_it_is_told_to_and_pauses_as_credit_allows) {
  serve();
  expect_resumed(fetch_of(server_->url("guest"), "targets/f"), "fewer");
  expect_all(finish(ask(fetch_of(server_->url("guest"), "targets/f"), 5000), 5000));
}

TEST_F(SourceShareSamba, tells_apart_missing_file_missing_share_and_no_server) {
  serve();
  expect(fetch(fetch_of(server_->url("guest"), "targets/none")), PICKET_E_NOT_FOUND, "does not exist");
  expect(fetch(fetch_of(server_->url("guest") + "no/such/", "targets/f")), PICKET_E_UNAVAILABLE, "no such share or folder");
  expect(fetch(fetch_of(server_->url("guest"), "targets")), PICKET_E_NOT_FOUND, "does not exist");
  EXPECT_EQ(probe(server_->url("guest") + "targets").status, PICKET_E_NOT_FOUND);
  expect(fetch_f("nothing", right_), PICKET_E_UNAVAILABLE, "no such share or folder");
  const auto url = server_->url("guest");
  server_->process().end();
  expect(fetch(fetch_of(url, "targets/f")), PICKET_E_UNAVAILABLE, "127.0.0.1");
}

TEST_F(SourceShareSamba, says_that_the_server_was_killed_in_the_middle) {
  serve();
  const auto id = ask(fetch_of(server_->url("guest"), "targets/f"), 1000);
  ASSERT_TRUE(begins(id));
  server_->process().kill();
  const auto got = finish(id, 10'000'000);
  EXPECT_EQ(got.answer.status, PICKET_E_IO) << got.answer.payload;
  EXPECT_TRUE(content_.starts_with(got.answer.stream));
}

TEST_F(SourceShareSamba, gives_up_on_a_server_that_hangs_in_the_middle_and_at_the_door) {
  serve();
  auto request = fetch_of(server_->url("guest"), "targets/f");
  request.set_stall_timeout_ms(3000);
  const auto id = ask(request, 1000);
  ASSERT_TRUE(begins(id));
  server_->process().hold();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_NE(finish(id, 10'000'000).answer.status, PICKET_OK);
  request.set_stall_timeout_ms(1000);  // nothing more is to come in time
  request.set_connect_timeout_ms(1000);
  const auto door = fetch(request);
  EXPECT_TRUE(door.answer.status == PICKET_E_TIMEOUT || door.answer.status == PICKET_E_UNAVAILABLE) << door.answer.payload;
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(60));
}

TEST_F(SourceShareSamba, takes_a_path_as_a_local_folder) {  // as a share is that the system has mounted; none is mounted here
  EXPECT_TRUE(fetch(fetch_of(root_.path().string(), "targets/f")).answer.stream == content_);
  EXPECT_TRUE(fetch(fetch_of("file://" + root_.path().string(), "targets/f")).answer.stream == content_);
  EXPECT_EQ(probe(root_.path().string()).status, PICKET_OK);
  expect(fetch(fetch_of("/no/such/mount", "targets/f")), PICKET_E_UNAVAILABLE, "does not exist");
}

TEST_F(SourceShareSamba, names_a_wrong_location_or_option_and_repeats_no_secret) {
  const auto refused = [&](const std::string& location, const std::string& options, const std::string& text) {
    expect(fetch(fetch_of(location, "targets/f", options)), PICKET_E_INVALID, text);
  };
  refused("smb://u:hunter2@host/share", "", "put them into the options");
  refused("smb://D;u:hunter2@host/share", "", "put them into the options");
  refused("ftp://host/share", "", "must begin with smb://");
  refused("smb:///share", "", "names no server");
  refused("smb://host", "", "names no share");
  refused("smb://host/", "", "names no share");
  refused("smb://host:0/share", "", "the port");
  refused("smb://host:99999/share", "", "the port");
  refused("smb://host/share/../x", "", "has a part '..'");
  refused("smb://host/share/%2e%2e", "", "has a part '..'");
  refused("smb://host/share", R"({"passwort":"hunter2"})", "knows no option 'passwort'");
  refused("smb://host/share", R"({"password":"hunter2"})", "without the option user");
  refused("smb://host/share", R"({"user":7})", "option user must be a text");
  refused("smb://host/share", "[1]", "not a JSON object");
}

}  // namespace
