#include "bus/caller.hpp"
#include "unit/bus/fixture.hpp"

namespace picket::bus {
namespace {

class Owners : public BusTest {
 protected:
  [[nodiscard]] std::string why_not(Standing standing, AllowList allow) {
    auto peer = router->attach({.name = "com.vendor.thing", .allow = std::move(allow), .standing = standing}, recorder);
    return peer ? "" : peer.error().message;
  }
  [[nodiscard]] std::unique_ptr<Peer> asker(Standing standing, std::vector<std::string> asks) {
    auto peer = router->attach({.name = "com.vendor.asker", .allow = {.asks = std::move(asks)}, .standing = standing}, asking);
    EXPECT_TRUE(peer) << peer.error().message;
    return std::move(*peer);
  }
  Recorder recorder, asking;
};

TEST_F(Owners, no_plugin_answers_or_publishes_what_is_the_hosts) {
  for (const auto standing : {Standing::stranger, Standing::own}) {
    for (const char* topic : {"picket.plugin.list", "picket.update.run", "picket.policy.apply", "picket.component.list", "picket.invented"})
      EXPECT_EQ(why_not(standing, {.answers = {topic}}), cat("com.vendor.thing: ", topic, ": only picketd itself may answer it"));
    for (const char* topic : {"picket.component.active", "picket.plugin.state", "picket.update.finished"})
      EXPECT_EQ(why_not(standing, {.publishes = {{topic, Kind::state}}}), cat("com.vendor.thing: ", topic, ": only picketd itself may publish it"));
  }
}

TEST_F(Owners, what_pickets_own_plugins_say_is_no_strangers) {
  const AllowList allow{.publishes = {{"picket.update.variant", Kind::state}}, .answers = {"picket.scan.run"}};
  EXPECT_NE(why_not(Standing::stranger, allow), "");
  EXPECT_EQ(why_not(Standing::own, allow), "");
}

TEST_F(Owners, only_the_host_asks_to_activate_behind_whichever_wildcard) {
  const auto scanner = attach(recorder, "org.picket.scanner", {.answers = {"picket.component.activate"}});
  for (const auto standing : {Standing::stranger, Standing::own})
    for (const char* filter : {"*", "picket.*", "picket.component.*", "picket.component.activate"}) {
      const auto peer = asker(standing, {filter});
      EXPECT_EQ(peer->request({.topic = "picket.component.activate", .to = "org.picket.scanner"}, 1), kDenied) << filter;
      EXPECT_EQ(peer->counters().denied, 1U);
    }
  const auto engine = asker(Standing::host, {"picket.component.activate"});
  EXPECT_EQ(engine->request({.topic = "picket.component.activate", .to = "org.picket.scanner"}, 1), kOk);
}

TEST_F(Owners, who_asks_without_a_name_where_several_answer_is_told_who_they_are) {
  const auto one = attach(recorder, "one", {.answers = {"q"}});
  const auto two = attach(recorder, "two", {.answers = {"q"}});
  const auto caller = Caller::attach(*router, {.name = "caller", .allow = {.asks = {"*"}}}).value();
  const auto refused = caller->call({.topic = "q"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "several answer q (one, two); name one");
}

}  // namespace
}  // namespace picket::bus
