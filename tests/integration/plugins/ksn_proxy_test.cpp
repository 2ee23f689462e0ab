// A real picketd that is a KSN proxy, isolated as it ships: killed while devices wait and while messages wait, started again.
#include <gtest/gtest.h>

#include <thread>

#include "picket/ksn/v1/control.pb.h"
#include "support/picketd_process.hpp"
#include "unit/plugins/ksn_proxy/ksn_world.hpp"

using namespace picket::ksn_proxy_tests;
using picket::support::Picketd;
using picket::support::PicketdOptions;
namespace control = picket::ksn::v1;

namespace {

constexpr const char* kProxy = "org.picket.ksn-proxy";

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
  const auto answer = post(proxy, "/ksn/v1/ask", ask_of({digest_of(1), digest_of(2), digest_of(1).substr(0, 8)}));
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->status, 200);
  control::AskReply reply;
  ASSERT_TRUE(reply.ParseFromString(answer->body));
  EXPECT_TRUE(ksn_.verifier().verify(reply, ksn_.now));

  const auto at = port();
  stop_ksn();
  control::StatisticsRequest statistics;
  for (const char id : {'a', 'b', 'c'}) {
    statistics.set_id(std::string(16, id));
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

}  // namespace
