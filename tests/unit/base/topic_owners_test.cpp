#include "base/topic_owners.hpp"

#include <gtest/gtest.h>

namespace picket {
namespace {

TEST(TopicOwners, leave_all_topics_outside_of_picket_to_anybody) {
  for (const auto deed : {Deed::publish, Deed::answer, Deed::ask})
    for (const char* topic : {"com.vendor.thing", "picketing.x", "picket", "*", "com.vendor.*"}) EXPECT_TRUE(may(Standing::stranger, deed, topic)) << topic;
}

TEST(TopicOwners, keep_a_topic_that_the_table_does_not_name_for_the_host) {
  EXPECT_FALSE(may(Standing::own, Deed::answer, "picket.invented"));
  EXPECT_FALSE(may(Standing::own, Deed::publish, "picket.invented"));
  EXPECT_TRUE(may(Standing::stranger, Deed::ask, "picket.invented"));
  EXPECT_TRUE(may(Standing::host, Deed::answer, "picket.invented"));
}

TEST(TopicOwners, let_a_third_party_answer_for_itself) {
  for (const char* topic : {"picket.source.fetch", "picket.source.probe", "picket.component.activate", "picket.task.type.mine"}) EXPECT_TRUE(may(Standing::stranger, Deed::answer, topic)) << topic;
  for (const char* topic : {"picket.source.appeared", "picket.device.concern"}) EXPECT_TRUE(may(Standing::stranger, Deed::publish, topic)) << topic;
  for (const char* topic : {"picket.update.status", "picket.ksn.check", "picket.scan.run", "picket.*", "picket.component.*"}) EXPECT_TRUE(may(Standing::stranger, Deed::ask, topic)) << topic;
}

// Who declares a topic as another kind keeps all from it who use it as what it is.
TEST(TopicOwners, let_nobody_make_an_event_of_what_is_asked_nor_a_request_of_what_is_published) {
  for (const char* topic : {"picket.source.fetch", "picket.source.probe", "picket.component.activate", "picket.task.type.mine"}) EXPECT_FALSE(may(Standing::own, Deed::publish, topic)) << topic;
  for (const char* topic : {"picket.source.appeared", "picket.device.concern"}) EXPECT_FALSE(may(Standing::own, Deed::answer, topic)) << topic;
}

TEST(TopicOwners, keep_what_changes_or_reveals_from_strangers) {
  for (const char* topic : {"picket.policy.apply", "picket.plugin.restart", "picket.bus.watch", "picket.update.rollback", "picket.update.sources", "picket.ksn.decide", "picket.task.run", "picket.source.fetch", "picket.task.*"}) {
    EXPECT_FALSE(may(Standing::stranger, Deed::ask, topic)) << topic;
    EXPECT_TRUE(may(Standing::own, Deed::ask, topic)) << topic;
  }
  for (const char* topic : {"picket.component.activate", "picket.task.type.mine"}) EXPECT_FALSE(may(Standing::own, Deed::ask, topic)) << topic;
}

TEST(TopicOwners, say_who_may_in_one_line) {
  EXPECT_EQ(check_may(Standing::own, Deed::answer, "picket.plugin.list").error().message, "picket.plugin.list: only picketd itself may answer it");
  EXPECT_EQ(check_may(Standing::stranger, Deed::publish, "picket.ksn.state").error().message,
            "picket.ksn.state: of plugins only Picket's own (org.picket.*) may publish it, and those that the administrator names as stand-in");
  EXPECT_TRUE(is_own_plugin("org.picket.scanner"));
  EXPECT_FALSE(is_own_plugin("org.picketing.scanner"));
}

}  // namespace
}  // namespace picket
