// A third party's plugin, signed by a key that is trusted, that would be a part of the host: it gets nowhere, and what is its own still works.
#include "conformance/host/host_fixture.hpp"

#include <atomic>

namespace picket::test {

namespace {

constexpr const char* kClaims = "org.example.claims";

// Plays those whom it would deceive.
class Victim final : public bus::Handler {
 public:
  void on_request(bus::RequestId, const bus::MessagePtr&) override { ++asked; }
  std::atomic<int> asked{0};
};

class Claiming : public HostFixture, public ::testing::WithParamInterface<Home> {
 protected:
  void start_claims(const std::string& topics) {
    if (GetParam() == Home::in_process) grant_in_process(kClaims);
    install_neighbour();
    install({.library = "bad_claims_host_topics", .id = kClaims, .topics = topics});
    start();
  }
  void expect_refused(const std::string& topics, const std::string& reason) {
    start_claims(topics);
    EXPECT_EQ(status(kClaims).state, State::refused) << topics;
    EXPECT_NE(status(kClaims).text.find(reason), std::string::npos) << status(kClaims).text;
    expect_neighbour_answers(3);
  }
  std::unique_ptr<bus::Peer> attach(std::string name, bus::AllowList allow) {
    auto peer = router->attach({.name = std::move(name), .allow = std::move(allow)}, victim);
    EXPECT_TRUE(peer) << peer.error().message;
    return peer ? std::move(*peer) : nullptr;
  }
  Victim victim;
};
INSTANTIATE_TEST_SUITE_P(Homes, Claiming, ::testing::Values(Home::in_process, Home::isolated),
                         [](const auto& which) { return which.param == Home::in_process ? "in_process" : "isolated"; });

TEST_P(Claiming, what_the_host_answers_refuses_the_plugin) {
  expect_refused(R"({"answers":["picket.plugin.list"]})", "topics.answers: picket.plugin.list: only picketd itself may answer it");
}

TEST_P(Claiming, what_the_update_engine_says_refuses_the_plugin) {
  expect_refused(R"({"publishes":[{"topic":"picket.component.active","kind":"state"}]})", "topics.publishes: picket.component.active: only picketd itself may publish it");
}

TEST_P(Claiming, to_be_the_update_engine_refuses_the_plugin) {
  expect_refused(R"({"asks":["picket.component.activate"]})", "topics.asks: picket.component.activate: only picketd itself may ask it");
}

TEST_P(Claiming, what_the_scanner_answers_refuses_the_plugin_unless_it_may_stand_in) {
  expect_refused(R"({"answers":["picket.scan.run"]})", "topics.answers: picket.scan.run: of plugins only Picket's own (org.picket.*) may answer it, and those that the administrator names as stand-in");
  stop();
  options.stand_in = {kClaims};
  start();
  EXPECT_EQ(status(kClaims).state, State::running) << status(kClaims).text;
}

TEST_P(Claiming, to_hear_everything_refuses_the_plugin) {
  expect_refused(R"({"subscribes":["*"]})", "topics.subscribes[0] must be a dotted topic");
}

TEST_P(Claiming, to_ask_everything_behind_a_wildcard_brings_it_nothing) {
  const auto scanner = attach("org.picket.scanner", {.answers = {"picket.component.activate", "picket.ksn.decide"}});
  const auto policy = attach("picket.policy", {.answers = {"picket.policy.apply"}});
  const auto watch = attach("picket.watch", {.answers = {"picket.bus.watch"}});
  start_claims(R"({"answers":["org.example.claims.try"],"asks":["*","picket.*"]})");
  const auto got = ask("org.example.claims.try");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got,
            "ask picket.bus.watch -2\nask picket.component.activate -2\nask picket.ksn.decide -2\nask picket.policy.apply -2\n"
            "publish active -2\npublish variant -2\nsubscribe all -2\n");
  EXPECT_EQ(victim.asked, 0);
  EXPECT_GE(host->info(kClaims)->counters.denied, 4u);
  expect_neighbour_answers(3);
}

TEST_P(Claiming, its_own_part_in_pickets_topics_is_granted) {
  start_claims(R"({"answers":["picket.component.activate","picket.source.fetch","picket.source.probe","picket.task.type.example"],"asks":["picket.update.status"],)"
               R"("subscribes":["picket.component.*"],"publishes":[{"topic":"picket.source.appeared","kind":"event"},{"topic":"picket.device.concern","kind":"state"}]})");
  EXPECT_EQ(status(kClaims).state, State::running) << status(kClaims).text;
}

}  // namespace

}  // namespace picket::test
