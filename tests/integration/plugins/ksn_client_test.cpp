// A real picketd with the KSN client in its sandboxed child, a KSN on loopback, and the directives that an update brings.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/bytes.hpp"
#include "picket/host/v1/host.pb.h"
#include "picket/ksn/v1/check.pb.h"
#include "picket/ksn/v1/control.pb.h"
#include "picket/update/v1/report.pb.h"
#include "picket/update/v1/update.pb.h"
#include "support/ksn_service_fake.hpp"
#include "support/picketd_process.hpp"

namespace {

namespace fs = std::filesystem;
namespace v1 = picket::ksn::v1;
using picket::cat;
using picket::support::KsnServiceFake;
using picket::support::Picketd;
using picket::support::PicketdOptions;
using testing::HasSubstr;

constexpr const char* kClient = "org.picket.ksn-client";

struct KsnAgent : testing::Test {
  picket::support::ServerFolder folder;
  KsnServiceFake ksn{folder.path() / "ksn"};
  fs::path publisher = folder.path() / "publisher";
  std::unique_ptr<Picketd> agent;

  void repo(const std::string& arguments) const {
    const auto command = cat("'", PICKET_BUILD, "/bin/picket-repo' ", arguments, " --repo '", publisher.native(), "' >'", (folder / "repo.out").native(), "' 2>&1");
    ASSERT_EQ(std::system(command.c_str()), 0) << command << "\n" << picket::read_file(folder / "repo.out", 1u << 20).value_or("");
  }
  void directives(int release, const std::string& text) const {
    const auto content = folder.path() / cat("directives", std::to_string(release));
    fs::create_directories(content);
    std::ofstream(content / "directives.json") << text;
    repo(cat("add --component ksn-directives --variant full --release ", std::to_string(release), " '", content.native(), "'"));
    repo("sign");
    repo("publish");
  }
  void start() {
    PicketdOptions options;
    options.build = PICKET_BUILD;
    options.folder = folder.path() / "agent";
    options.root_file = publisher / "repository/metadata/1.root.json";
    options.plugins = {"org.picket.source-folder", kClient};
    options.isolated = {kClient};
    options.settings = {{"org.picket.update", cat(R"({"interval_minutes":0,"rest_after_failure_seconds":1,"sources":[{"name":"vendor","plugin":"org.picket.source-folder","location":")",
                                                  (publisher / "repository").native(), "\"}]}")},
                        {kClient, cat(R"({"use_proxy":false,"web_proxy":"none","fallback_resolvers":[],"when_unavailable":"Critical","folder":")", (folder / "state").native(), R"(","statements_folder":")",
                                      PICKET_STATEMENTS, R"(","provider_file":")", ksn.provider_file().native(), R"(","provider_keys":")", ksn.provider_keys().native(), "\"}")}};
    auto started = Picketd::start(options);
    ASSERT_TRUE(started) << started.error().message;
    agent = std::move(*started);
  }
  template <class Reply, class Request>
  Reply ask(std::string_view topic, const Request& request) {
    auto reply = agent->ask<Reply>(topic, request);
    EXPECT_TRUE(reply) << topic << ": " << reply.error().message << "\n" << agent->log();
    return reply.value_or(Reply());
  }
  v1::Checked check(const std::string& digest) {
    v1::CheckRequest request;
    request.add_objects()->set_file_digest(digest);
    const auto reply = ask<v1::CheckReply>("picket.ksn.check", request);
    return reply.checked_size() == 1 ? reply.checked(0) : v1::Checked();
  }
  v1::StatusReply status() { return ask<v1::StatusReply>("picket.ksn.status", v1::StatusRequest()); }
  void decide(bool accept) {
    const auto shown = ask<v1::StatementReply>("picket.ksn.statement", v1::StatementRequest());
    v1::DecideRequest request;
    request.set_accept(accept);
    request.set_digest(shown.statement().digest());
    request.set_who("integration");
    ask<v1::DecideReply>("picket.ksn.decide", request);
  }
  static bool wait(const std::function<bool()>& until) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!until()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return true;
  }
};

// More than one message of the bus holds.
TEST_F(KsnAgent, ten_thousand_unknown_files_at_once_are_each_asked_once) {
  repo("init");
  repo("sign");
  repo("publish");
  start();
  decide(true);
  std::string command = cat("'", PICKET_BUILD, "/bin/picketctl' --socket '", (folder.path() / "agent/run/picketd.sock").native(), "' --json ksn check");
  for (unsigned i = 0; i < 10'000; ++i) {
    std::string digest(32, '\x66');
    for (unsigned byte = 0; byte < 4; ++byte) digest[byte] = static_cast<char>(i >> (8 * byte));
    command += cat(" ", picket::to_hex(digest));
  }
  std::ofstream(folder / "check.sh") << command << '\n';
  ASSERT_EQ(std::system(cat("sh '", (folder / "check.sh").native(), "' >'", (folder / "checked").native(), "' 2>&1").c_str()), 0) << picket::read_file(folder / "checked", 64u << 20).value_or("").substr(0, 4000);
  const auto out = picket::read_file(folder / "checked", 64u << 20).value_or("");
  std::size_t answers = 0;
  for (auto at = out.find("\"SERVER\""); at != std::string::npos; at = out.find("\"SERVER\"", at + 1)) ++answers;
  EXPECT_EQ(answers, 10'000U);
  EXPECT_EQ(ksn.seen().times.size(), 10'000U);
  EXPECT_EQ(ksn.seen().digests, 10'000U) << "none of them twice";
  EXPECT_LE(ksn.seen().asks, 20U);
}

TEST_F(KsnAgent, consent_lookup_restart_directives_and_device_status) {
  repo("init");
  directives(1, R"({"directives":1,"mode":"normal"})");
  const std::string bad = std::string(32, '\x42');
  ksn.knows(bad, v1::VERDICT_UNTRUSTED, "Trojan.Test");
  start();
  EXPECT_EQ(check(bad).from(), v1::Checked::NOBODY);
  EXPECT_EQ(status().status(), "Disabled");
  EXPECT_EQ(ksn.messages(), 0U) << "no question without consent";

  decide(true);
  EXPECT_EQ(check(bad).facts().threat(), "Trojan.Test");
  ASSERT_TRUE(wait([&] { return status().status() == "Enabled"; })) << status().line();
  const auto asked = ksn.seen().digests;

  agent->kill();
  start();
  EXPECT_EQ(check(bad).from(), v1::Checked::CACHE) << "killed, the cache is whole";
  EXPECT_EQ(ksn.seen().digests, asked);

  directives(2, R"({"directives":1,"mode":"stopped","until":"2099-01-01T00:00:00Z","reason":"maintenance"})");
  const auto run = agent->ask<picket::update::v1::RunResult>("picket.update.run", picket::update::v1::RunRequest());
  ASSERT_TRUE(run) << run.error().message;
  ASSERT_TRUE(wait([&] { return status().status() == "Enabled with restrictions"; })) << status().line() << agent->log();
  EXPECT_THAT(status().cause(), HasSubstr("maintenance"));
  const auto before = ksn.messages();
  EXPECT_EQ(check(std::string(32, '\x43')).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), before) << "no question outside of the directives";

  directives(3, R"({"directives":1,"mode":"normal"})");
  ASSERT_TRUE((agent->ask<picket::update::v1::RunResult>("picket.update.run", picket::update::v1::RunRequest())));
  ASSERT_TRUE(wait([&] { return check(std::string(32, '\x43')).from() == v1::Checked::SERVER; }));

  ksn.mood(KsnServiceFake::Mood::licence_unknown);
  EXPECT_EQ(check(std::string(32, '\x44')).from(), v1::Checked::NOBODY);
  ASSERT_TRUE(wait([&] {
    return ask<picket::host::v1::HostStatusReply>("picket.host.status", picket::host::v1::HostStatusRequest()).device_status() == "Critical";
  })) << status().line();
  ksn.mood(KsnServiceFake::Mood::honest);
  ASSERT_TRUE(wait([&] { return check(std::string(32, '\x44')).from() == v1::Checked::SERVER; }));
  EXPECT_TRUE(wait([&] {
    return ask<picket::host::v1::HostStatusReply>("picket.host.status", picket::host::v1::HostStatusRequest()).device_status() != "Critical";
  }));

  v1::SwitchRequest off;
  off.set_who("integration");
  EXPECT_THAT(ask<v1::SwitchReply>("picket.ksn.switch", off).status(), HasSubstr("Disabled"));
  const auto silent = ksn.messages();
  EXPECT_EQ(check(std::string(32, '\x45')).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), silent);
}

}  // namespace
