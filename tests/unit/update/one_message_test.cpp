// A thousand components in messages of the bus.
#include "update/one_message.hpp"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "bus/bus.hpp"

namespace picket::update {
namespace {

std::string name_of(int number) { return cat("component-", std::string(50, 'x'), std::to_string(1000 + number)); }

TEST(UpdateMessages, name_a_thousand_components_page_by_page_each_once) {
  v1::StatusReply whole;
  whole.set_state("idle");
  whole.add_sources()->set_name("a");
  for (int i = 0; i < 1000; ++i) {
    auto& component = *whole.add_components();
    component.set_component(name_of(i));
    component.set_text(std::string(150, 't'));
  }
  std::set<std::string> seen;
  std::string after;
  for (int page = 0;; ++page) {
    const auto reply = page_of(whole, after);
    ASSERT_LT(reply.ByteSizeLong(), bus::kMaxPayload);
    ASSERT_FALSE(reply.components().empty());
    EXPECT_EQ(reply.state(), page == 0 ? "idle" : "");
    EXPECT_EQ(reply.sources_size(), page == 0 ? 1 : 0);
    for (const auto& component : reply.components()) EXPECT_TRUE(seen.insert(component.component()).second) << component.component();
    if (!reply.more()) break;
    after = reply.components().rbegin()->component();
  }
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_FALSE(page_of(whole, name_of(998)).more());
}

// An agent on which every release is tried before it is handed on, and an administrator who declined ten thousand.
TEST(UpdateMessages, name_all_releases_that_nobody_is_to_have_page_by_page_each_once) {
  v1::SourcesReply whole;
  whole.set_initial_root("root");
  whole.add_sources()->set_plugin("source");
  for (int i = 0; i < 1000; ++i) {
    auto& held = *whole.add_held();
    held.set_component(name_of(i));
    held.set_release(1);
    held.set_why(std::string(100, 'w'));
  }
  for (std::uint64_t release = 1; release <= 10'000; ++release) {
    auto& declined = *whole.add_declined();
    declined.set_component(name_of(7));
    declined.set_release(release);
  }
  std::set<std::pair<std::string, std::uint64_t>> held, declined;
  v1::SourcesRequest question;
  for (int page = 0;; ++page) {
    const auto reply = page_of(whole, question);
    ASSERT_LT(reply.ByteSizeLong(), bus::kMaxPayload);
    ASSERT_GT(reply.held_size() + reply.declined_size(), 0);
    EXPECT_EQ(reply.initial_root(), page == 0 ? "root" : "");
    EXPECT_EQ(reply.sources_size(), page == 0 ? 1 : 0);
    for (const auto& one : reply.held()) EXPECT_TRUE(held.emplace(one.component(), one.release()).second);
    for (const auto& one : reply.declined()) EXPECT_TRUE(declined.emplace(one.component(), one.release()).second);
    if (!reply.has_next()) break;
    *question.mutable_after() = reply.next();
  }
  EXPECT_EQ(held.size(), 1000u);
  EXPECT_EQ(declined.size(), 10'000u);
  EXPECT_FALSE(page_of(v1::SourcesReply(), {}).has_next());
}

TEST(UpdateMessages, of_a_long_run_leave_out_what_there_is_most_of_and_count_it) {
  v1::RunResult run;
  run.set_result("partial");
  for (int i = 0; i < 1000; ++i) {
    auto& component = *run.add_components();
    component.set_component(name_of(i));
    component.set_result(i == 999 ? "updated" : i >= 990 ? "failed" : "current");
  }
  const auto bounded = in_one_message(run);
  EXPECT_LT(bounded.ByteSizeLong(), 41'000u);
  EXPECT_EQ(bounded.components_size() + static_cast<int>(bounded.unnamed()), 1000);
  EXPECT_EQ(bounded.components(0).component(), name_of(0));
  EXPECT_EQ(bounded.components().rbegin()->result(), "updated");
  EXPECT_EQ(std::count_if(bounded.components().begin(), bounded.components().end(), [](const auto& one) { return one.result() == "failed"; }), 9);
  EXPECT_EQ(in_one_message(bounded).SerializeAsString(), bounded.SerializeAsString());
  run.mutable_components()->DeleteSubrange(10, 990);
  EXPECT_EQ(in_one_message(run).unnamed(), 0u);
}

}  // namespace
}  // namespace picket::update
