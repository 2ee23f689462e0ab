// The plugin as it ships, in the SDK's FakeHost, with a real KSN on loopback.
#pragma once

#include <picket/testing/fake_host.hpp>

#include <boost/json.hpp>
#include <gmock/gmock.h>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "ksn/address.hpp"
#include "picket/component/v1/component.pb.h"
#include "picket/ksn/v1/check.pb.h"
#include "picket/ksn/v1/control.pb.h"
#include "picket/ksn/v1/state.pb.h"
#include "support/ksn_service_fake.hpp"

namespace ksn_client_test {

namespace v1 = picket::ksn::v1;
namespace json = boost::json;
using picket::support::KsnServiceFake;
using Mood = KsnServiceFake::Mood;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

inline std::string digest_number(unsigned number) {
  std::string out(32, '\x5a');
  for (int i = 0; i < 4; ++i) out[static_cast<std::size_t>(i)] = static_cast<char>(number >> (8 * i));
  return out;
}

struct KsnClientPlugin : testing::Test {
  picket::support::ServerFolder folder;
  KsnServiceFake ksn{folder.path() / "provider"};
  picket::testing::FakeHost host;
  json::object settings;

  void SetUp() override {
    ASSERT_TRUE(picket::make_folders(folder.path() / "statements"));
    write_statement("en", "1");
    settings = {{"provider_file", ksn.provider_file().native()},
                {"provider_keys", ksn.provider_keys().native()},
                {"statements_folder", (folder.path() / "statements").native()},
                {"folder", (folder.path() / "state").native()},
                {"use_proxy", false},
                {"web_proxy", "none"},
                {"fallback_resolvers", json::array()},
                {"cache_mb", 1},
                {"request_timeout_ms", 20'000}};
    ASSERT_TRUE(host.load(PICKET_TEST_LIBRARY)) << host.why();
  }
  void TearDown() override {
    host.stop();
    host.destroy();
    EXPECT_THAT(host.violations(), IsEmpty());
  }

  void write_statement(const std::string& language, const std::string& version) const {
    ASSERT_TRUE(picket::write_file_atomic(folder.path() / "statements" / ("ksn_" + language + ".txt"), "Version: " + version + "\nThe text of version " + version + ".\n"));
  }
  void start() {
    ASSERT_EQ(host.create("org.picket.ksn-client"), PICKET_OK);
    ASSERT_EQ(host.start(json::serialize(settings)), PICKET_OK) << host.error();
  }
  void restart() {
    host.stop();
    host.destroy();
    start();
  }
  picket_status apply() {
    return host.apply(json::serialize(settings), ++revision_);
  }

  // ---- asks over the bus
  std::string asker = "picketctl";
  picket::testing::Answered ask_raw(const std::string& topic, const std::string& payload, std::uint32_t timeout_ms = 30'000) {
    const auto id = host.request({.topic = topic, .payload = payload, .sender = asker, .timeout_ms = timeout_ms});
    EXPECT_TRUE(host.wait_for([&] { return host.answer(id).done; }, 60s)) << topic << " was not answered";
    return host.answer(id);
  }
  template <class Reply, class Request>
  Reply ask(const std::string& topic, const Request& request, std::uint32_t timeout_ms = 30'000) {
    const auto answer = ask_raw(topic, request.SerializeAsString(), timeout_ms);
    Reply reply;
    EXPECT_EQ(answer.status, PICKET_OK) << topic << ": " << answer.payload;
    EXPECT_TRUE(answer.status != PICKET_OK || reply.ParseFromString(answer.payload));
    return reply;
  }
  v1::StatusReply status() { return ask<v1::StatusReply>("picket.ksn.status", v1::StatusRequest()); }
  v1::StatementReply statement(const std::string& language = {}) {
    v1::StatementRequest request;
    request.set_language(language);
    return ask<v1::StatementReply>("picket.ksn.statement", request);
  }
  picket::testing::Answered decide(bool accept, std::string digest = {}, const std::string& language = {}) {
    v1::DecideRequest request;
    request.set_accept(accept);
    request.set_language(language);
    request.set_digest(digest.empty() ? statement(language).statement().digest() : digest);
    request.set_who("ann");
    return ask_raw("picket.ksn.decide", request.SerializeAsString());
  }
  void accept() { ASSERT_EQ(decide(true).status, PICKET_OK); }
  // The greeting that follows from it is over, too: nothing is under way any more.
  void accept_and_be_greeted() {
    accept();
    ASSERT_TRUE(wait([&] { return status().counters().at("exchanges") > 0; }));
  }
  picket::testing::Answered turn(bool on) {
    v1::SwitchRequest request;
    request.set_on(on);
    request.set_who("bob");
    return ask_raw("picket.ksn.switch", request.SerializeAsString());
  }
  static v1::CheckRequest files(const std::vector<std::string>& digests) {
    v1::CheckRequest request;
    for (const auto& digest : digests) request.add_objects()->set_file_digest(digest);
    return request;
  }
  v1::CheckReply check(const std::vector<std::string>& digests, std::uint32_t timeout_ms = 30'000) { return ask<v1::CheckReply>("picket.ksn.check", files(digests), timeout_ms); }
  v1::Checked check_one(const std::string& digest, std::uint32_t timeout_ms = 30'000) {
    const auto reply = check({digest}, timeout_ms);
    return reply.checked_size() == 1 ? reply.checked(0) : v1::Checked();
  }
  v1::Checked check_address(const std::string& address) {
    v1::CheckRequest request;
    request.add_objects()->set_address(address);
    const auto reply = ask<v1::CheckReply>("picket.ksn.check", request);
    return reply.checked_size() == 1 ? reply.checked(0) : v1::Checked();
  }
  // Timers of the host fire when its clock moves.
  v1::KsnState state() {
    host.advance(600);
    v1::KsnState out;
    const auto published = host.published("picket.ksn.state");
    EXPECT_FALSE(published.empty());
    EXPECT_TRUE(published.empty() || out.ParseFromString(published.back().payload));
    return out;
  }
  picket::testing::Answered activate(const std::string& directives) {
    const auto set = folder.path() / "set";
    EXPECT_TRUE(picket::make_folders(set));
    EXPECT_TRUE(picket::write_file_atomic(set / "directives.json", directives));
    picket::component::v1::ActivateRequest request;
    request.mutable_set()->set_component("ksn-directives");
    request.mutable_set()->set_release(7);
    request.mutable_set()->set_path(set.native());
    return ask_raw("picket.component.activate", request.SerializeAsString());
  }
  bool wait(const std::function<bool()>& until) { return host.wait_for(until, 60s); }

 private:
  std::uint64_t revision_ = 1;
};

}  // namespace ksn_client_test
