// A real picketd that is a KSN proxy, isolated as it ships: killed while devices wait and while messages wait, started again.
#include <gtest/gtest.h>

#include <thread>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "picket/ksn/v1/check.pb.h"
#include "picket/ksn/v1/control.pb.h"
#include "support/picketd_process.hpp"
#include "support/server_process.hpp"
#include "tls_server/own_certificate.hpp"
#include "unit/plugins/ksn_proxy/ksn_world.hpp"

using namespace picket::ksn_proxy_tests;
using picket::support::Picketd;
using picket::support::PicketdOptions;
namespace control = picket::ksn::v1;

namespace {

constexpr const char* kProxy = "org.picket.ksn-proxy";

using picket::cat;

class KsnProxy : public ::testing::Test, protected KsnWorld {
 protected:
  void start() {
    PicketdOptions options{.build = PICKET_BUILD, .folder = folder_ / "picketd", .root_file = {}, .plugins = {kProxy}, .isolated = {kProxy}, .settings = {{kProxy, settings()}}};
    auto started = Picketd::start(options);
    ASSERT_TRUE(started) << started.error().message;
    picketd_ = std::move(*started);
  }
  control::ServerStatusReply status() {
    auto reply = picketd_->ask<control::ServerStatusReply>("picket.ksn.proxy.status", control::ServerStatusRequest());
    EXPECT_TRUE(reply) << (reply ? "" : reply.error().message) << "\n" << picketd_->log();
    return reply ? *reply : control::ServerStatusReply();
  }
  std::uint64_t counter(const std::string& name) {
    const auto said = status();
    const auto found = said.counters().find(name);
    return found == said.counters().end() ? ~std::uint64_t{0} : found->second;
  }
  std::unique_ptr<Picketd> picketd_;
};

TEST_F(KsnProxy, killed_with_devices_and_messages_waiting_loses_no_message) {
  ASSERT_NO_FATAL_FAILURE(start());
  auto said = status();
  ASSERT_EQ(said.addresses_size(), 1) << said.state() << picketd_->log();
  auto proxy = road(said.addresses(0));
  const auto body = ask_of({digest_of(1), digest_of(2), digest_of(1).substr(0, 8)});
  const auto answer = post(proxy, "/ksn/v1/ask", body);
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->status, 200);
  control::AskReply reply;
  ASSERT_TRUE(reply.ParseFromString(answer->body));
  control::AskRequest request;
  ASSERT_TRUE(request.ParseFromString(body));
  EXPECT_TRUE(ksn_.verifier().verify(reply, picket::ksn::questions_of(request), ksn_.now));

  const auto at = port();
  stop_ksn();
  control::StatisticsRequest statistics;
  for (const char id : {'a', 'b', 'c'}) {
    statistics.set_id(std::string(16, id));
    statistics.mutable_asker()->set_licence("good");
    const auto taken = post(proxy, "/ksn/v1/statistics", statistics.SerializeAsString());
    ASSERT_TRUE(taken) << taken.error().message;
    ASSERT_EQ(taken->status, 200);
  }
  // Its word was given: nothing may take it back.
  picketd_->kill();
  const auto nobody = post(proxy, "/ksn/v1/ask", ask_of({digest_of(1)}));
  EXPECT_FALSE(nobody);
  picketd_.reset();
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(counter("waiting_messages"), 3u) << picketd_->log();
  start_ksn(at);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (counter("messages_delivered") != 3 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_EQ(counter("messages_delivered"), 3u);
  proxy = road(status().addresses(0));
  EXPECT_TRUE(post(proxy, "/ksn/v1/ask", ask_of({digest_of(1)})));
}

// The private KSN of this tree instead of one that a test plays, set up as an administrator does it.
class KsnProxyOfAPrivateKsn : public KsnProxy {
 protected:
  void SetUp() override {
    const auto at = picket::support::free_port();
    ASSERT_TRUE(at);
    run(cat("init '", home_, "' --name 'Real KSN' --listen 127.0.0.1 --server https://127.0.0.1:", std::to_string(*at)));
    prepare();
    ASSERT_TRUE(service_.start({tool_, "run", home_, "--", "--plugin-dir", PICKET_BUILD "/plugins", "--plugin-keys", PICKET_BUILD "/devkey"},
                               folder_ / "service.log", [&] { return picket::support::accepts(*at); }))
        << service_.log();
    ASSERT_TRUE(picket::write_file_atomic(folder_ / "bad.txt", cat(picket::to_hex(digest_of(1)), "\n", picket::to_hex(digest_of(2)), "\n")));
    run(cat("licence add L-1 --until 2099-12-31 --ksn '", home_, "'"));
    run(cat("import '", (folder_ / "bad.txt").native(), "' --verdict untrusted --kind file --category malware --ksn '", home_, "'"));
    ASSERT_TRUE(picket::make_folders(folder_ / "real-keys"));
    std::filesystem::copy(std::filesystem::path(home_) / "provider.pub.json", folder_ / "real-keys" / "provider.pub.json");
    const auto provider = cat(R"("provider_file":")", home_, R"(/provider.json","provider_keys":")", (folder_ / "real-keys").native(), "\"");
    const auto json = cat(R"({"enabled":true,"address":"127.0.0.1","longest_rest_seconds":1,"port":)", std::to_string(proxy_port_), R"(,"folder":")", (folder_ / "proxy").native(), "\",", provider, "}");
    PicketdOptions options{.build = PICKET_BUILD, .folder = folder_ / "picketd", .root_file = {}, .plugins = {kProxy}, .isolated = {kProxy}, .settings = {{kProxy, json}}};
    add_plugins(options, provider);
    auto started = Picketd::start(options);
    ASSERT_TRUE(started) << started.error().message;
    picketd_ = std::move(*started);
  }
  virtual void prepare() {}
  virtual void add_plugins(PicketdOptions&, const std::string& /*provider*/) {}
  void run(const std::string& arguments) const {
    const auto command = cat("'", tool_, "' ", arguments, " >> '", (folder_ / "tool.log").native(), "' 2>&1");
    ASSERT_EQ(std::system(command.c_str()), 0) << command << "\n" << picket::read_file(folder_ / "tool.log", 1 << 20).value_or("");
  }
  const std::string tool_ = PICKET_BUILD "/bin/picket-ksn", home_ = (folder_ / "ksn").native();
  std::uint16_t proxy_port_ = 0;
  picket::support::ServerProcess service_;
};

// And a client behind the proxy, in extended mode.
class KsnRoadOfAFile : public KsnProxyOfAPrivateKsn {
 protected:
  void prepare() override {
    const auto file = std::filesystem::path(home_) / "settings" / "org.picket.ksn-service.json";
    auto settings = boost::json::parse(picket::read_file(file, 1 << 20).value()).as_object();
    settings["samples"] = {{"folder", (folder_ / "samples").native()}, {"wish_unknown", true}, {"wish_first_kb", 1}};
    ASSERT_TRUE(picket::write_file_atomic(file, boost::json::serialize(settings)));
    proxy_port_ = picket::support::free_port().value();
    ASSERT_TRUE(tls_server::own_certificate(folder_ / "proxy" / "tls", {"localhost", "127.0.0.1"}));  // as if the proxy had run before
  }
  void add_plugins(PicketdOptions& options, const std::string& provider) override {
    options.plugins.emplace_back(kClient);
    options.isolated.emplace_back(kClient);
    options.settings.emplace_back(kClient, cat(R"({"licence":"L-1","web_proxy":"none","fallback_resolvers":[],"proxy":"127.0.0.1:)", std::to_string(proxy_port_), R"(","proxy_certificate":")",
                                               (folder_ / "proxy" / "tls" / "server.pem").native(), R"(","folder":")", (folder_ / "client").native(), R"(","statements_folder":")", PICKET_STATEMENTS, "\",",
                                               provider, "}"));
  }
  template <class Reply, class Request>
  Reply ask(std::string_view topic, const Request& request) {
    auto reply = picketd_->ask<Reply>(topic, request);
    EXPECT_TRUE(reply) << topic << ": " << (reply ? "" : reply.error().message) << picketd_->log();
    return reply.value_or(Reply());
  }
  static constexpr const char* kClient = "org.picket.ksn-client";
};

TEST_F(KsnRoadOfAFile, goes_from_the_wish_for_its_beginning_to_the_service_through_the_proxy) {
  const std::string program = "\x7f" "ELF" + std::string(5000, 'p');
  ASSERT_TRUE(picket::write_file_atomic(folder_ / "program", program));
  control::DecideRequest decide;
  decide.set_accept(true);
  decide.set_digest(ask<control::StatementReply>("picket.ksn.statement", control::StatementRequest()).statement().digest());
  decide.set_who("integration");
  (void)ask<control::DecideReply>("picket.ksn.decide", decide);
  control::CheckRequest request;
  auto& object = *request.add_objects();
  object.set_file_digest(*picket::from_hex(picket::sha256_hex(program)));
  object.set_path((folder_ / "program").native());
  const auto checked = ask<control::CheckReply>("picket.ksn.check", request);
  ASSERT_EQ(checked.checked_size(), 1);
  EXPECT_EQ(checked.checked(0).from(), control::Checked::PROXY) << checked.checked(0).why() << picketd_->log();
  EXPECT_EQ(checked.checked(0).facts().verdict(), control::VERDICT_UNKNOWN);
  const auto piece = folder_ / "samples" / cat(picket::sha256_hex(program), ".0-1024.piece");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!std::filesystem::exists(piece) && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(picket::read_file(piece, 10'000).value_or("nothing came"), program.substr(0, 1024)) << picketd_->log() << service_.log();
}

TEST_F(KsnProxyOfAPrivateKsn, repeats_its_answers_and_its_refusals_and_goes_on_without_it) {
  const auto said = status();
  ASSERT_EQ(said.addresses_size(), 1) << said.state() << picketd_->log();
  EXPECT_NE(said.state().find("Real KSN"), std::string::npos) << said.state();
  const auto proxy = road(said.addresses(0));
  const auto question = ask_of({digest_of(1), digest_of(2), digest_of(3)}, "L-1");
  for (const bool is_there : {true, true, false}) {
    if (!is_there) service_.end();
    const auto answer = post(proxy, "/ksn/v1/ask", question);
    ASSERT_TRUE(answer) << answer.error().message;
    control::AskReply reply;
    ASSERT_TRUE(reply.ParseFromString(answer->body));
    ASSERT_EQ(answer->status, 200) << answer->body << picketd_->log() << service_.log();
    ASSERT_EQ(reply.answers_size(), 3);
    control::Facts facts;
    ASSERT_TRUE(facts.ParseFromString(reply.answers(1).said()));
    EXPECT_EQ(facts.verdict(), control::VERDICT_UNTRUSTED);
    ASSERT_TRUE(facts.ParseFromString(reply.answers(2).said()));
    EXPECT_EQ(facts.verdict(), control::VERDICT_UNKNOWN);
    if (!is_there) continue;
    const auto refused = post(proxy, "/ksn/v1/ask", ask_of({digest_of(1)}, "L-2"));
    ASSERT_TRUE(refused) << refused.error().message;
    EXPECT_EQ(refused->status, 403);
    control::Refusal why;
    ASSERT_TRUE(why.ParseFromString(refused->body));
    EXPECT_EQ(why.why(), control::Refusal::LICENCE_UNKNOWN) << why.text();
  }
  EXPECT_EQ(counter("upstream_requests"), 2u);
}

}  // namespace
