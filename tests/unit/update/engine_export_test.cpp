// What an agent hands on, and what it fetches in advance.
#include <algorithm>
#include <fstream>

#include <gmock/gmock.h>

#include "base/files.hpp"
#include "unit/update/world_test.hpp"
#include "update/set_store.hpp"

namespace picket::update {
namespace {

using testing::HasSubstr;
using testing::Not;
using What = Trouble::What;

class UpdateExport : public UpdateTest {
 protected:
  v1::RunResult export_to(const std::vector<std::filesystem::path>& folders, const std::vector<std::string>& components = {}) {
    v1::ExportRequest order;
    for (const auto& folder : folders) order.add_folders(folder.native());
    for (const auto& component : components) order.add_components(component);
    auto result = world_->ask<v1::RunResult>("picket.update.export", order);
    EXPECT_TRUE(result) << result.error().message;
    return result ? *result : v1::RunResult();
  }
  v1::RunResult prefetch() {
    v1::RunRequest order;
    order.set_prefetch(true);
    order.set_force_check(true);
    auto result = world_->ask<v1::RunResult>("picket.update.run", order);
    EXPECT_TRUE(result) << result.error().message;
    return result ? *result : v1::RunResult();
  }
  void start_with_root_3() {
    publish(release(1));
    for (int i = 0; i < 2; ++i) {
      for (const char* role : {"root", "timestamp"}) repository_.tuf.rotate(role);
      repository_.tuf.publish({"root"});
    }
    publish(release(2));
    world_->write_root(repository_.tuf.files.at("3.root.json"));
    open();
    ASSERT_EQ(world_->run().result(), "ok");
  }
  // Another agent that has only this folder.
  std::string brings(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder_ / "other");
    UpdateWorld other(folder_ / "other");
    other.write_root(repository_.tuf.first_root());
    FakeSource drive(*other.router, "source.drive");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      if (entry.is_regular_file()) drive.files[entry.path().lexically_relative(folder).native()] = read_file(entry.path(), 64u << 20).value();
    other.demands = {{"rules", "databases", "nobody", false}};
    EXPECT_TRUE(other.open());
    EXPECT_TRUE(other.settings({"source.drive"}));
    const auto result = other.run();
    auto out = cat(result.result(), "|", result.text(), "|", other.file_of("rules", "a.yar"));
    other.close();
    remove_tree(folder_ / "other");
    return out;
  }
  std::filesystem::path stick() const { return folder_ / "stick"; }
};

TEST_F(UpdateExport, is_a_source_for_others_as_it_is) {
  start_with_release_1();
  const auto result = export_to({stick()});
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(result.kind(), "export");
  ASSERT_EQ(result.components_size(), 1);
  EXPECT_EQ(result.components(0).result(), "exported");
  EXPECT_EQ(brings(stick()), "ok|new from source.drive: rules 1|rule of 1 full");
  EXPECT_EQ(world_->status().last().kind(), "update") << "it says nothing about the updates here";
}

// This one was installed when keys had been rotated, the other long before.
TEST_F(UpdateExport, leads_those_on_who_were_installed_with_an_older_root) {
  start_with_root_3();
  ASSERT_EQ(export_to({stick()}).result(), "ok");
  EXPECT_EQ(brings(stick()), "ok|new from source.drive: rules 2|rule of 2 full");
  // Without the sources it is as good as it can be, for those who have this agent's root or a newer one.
  source_->make_trouble({.path_part = "2.root.json", .what = What::missing});
  source_->forget_asked();
  ASSERT_EQ(export_to({stick()}).result(), "ok");
  EXPECT_FALSE(std::filesystem::exists(stick() / "metadata/1.root.json")) << "it would lead nowhere";
  EXPECT_TRUE(std::filesystem::exists(stick() / "metadata/3.root.json"));
  for (const auto& asked : source_->asked()) EXPECT_EQ(asked.path.find("1.root.json"), std::string::npos) << asked.path;
}

TEST_F(UpdateExport, waits_once_for_a_source_that_is_away_however_many_older_roots_there_are) {
  add_second();
  start_with_root_3();
  source_->make_trouble({.path_part = ".root.json", .what = What::unreachable});
  source_->forget_asked();
  ASSERT_EQ(export_to({stick()}).result(), "ok");
  EXPECT_TRUE(std::filesystem::exists(stick() / "metadata/1.root.json")) << "the other one has it";
  EXPECT_EQ(std::ranges::count_if(source_->asked(), [](const auto& asked) { return asked.path.ends_with(".root.json"); }), 1);
}

TEST_F(UpdateExport, holds_the_state_of_the_last_update_not_what_was_published_since) {
  start_with_release_1();
  publish(release(2));
  ASSERT_EQ(export_to({stick()}).result(), "ok");
  EXPECT_EQ(brings(stick()), "ok|new from source.drive: rules 1|rule of 1 full");
}

TEST_F(UpdateExport, says_which_newer_releases_it_does_not_hold_on_purpose) {
  publish(release(1));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  publish(release(2));
  ASSERT_EQ(export_to({stick()}).result(), "ok");
  EXPECT_FALSE(std::filesystem::exists(stick() / "metadata/held.json")) << "what has not come yet is not held back";
  ASSERT_EQ(world_->run().result(), "ok");
  ASSERT_EQ(world_->rollback("rules").result(), "ok");
  ASSERT_EQ(export_to({stick()}).result(), "ok");
  EXPECT_EQ(read_file(stick() / "metadata/held.json", 1000).value(), R"({"held":{"rules":[2]}})");
  EXPECT_EQ(brings(stick()), "ok|new from source.drive: rules 1|rule of 1 full");
  // Others may have a newer agent, or get what did not come here.
  publish(release(3));
  auto newer = release(4);
  newer.minimum_agent = "9.0.0";
  publish(newer);
  source_->make_trouble({.path_part = "targets/", .what = What::missing});
  ASSERT_EQ(world_->run().result(), "failed");
  source_->no_trouble();
  ASSERT_EQ(export_to({stick()}).result(), "ok");
  EXPECT_EQ(read_file(stick() / "metadata/held.json", 1000).value(), R"({"held":{"rules":[2]}})");
}

TEST_F(UpdateExport, asks_a_source_with_its_own_timeouts) {
  publish(release(1));
  open();
  ASSERT_TRUE(world_->engine->apply_settings(
      R"({"interval_minutes":0,"sources":[{"name":"source.a","plugin":"source.a","location":"nowhere","connect_timeout_seconds":2,"stall_timeout_seconds":3}]})"));
  ASSERT_EQ(world_->run().result(), "ok");
  source_->forget_asked();
  ASSERT_EQ(export_to({stick()}).result(), "ok");
  ASSERT_FALSE(source_->asked().empty());
  for (const auto& asked : source_->asked()) {
    EXPECT_EQ(asked.connect_timeout_ms, 2000u) << asked.path;
    EXPECT_EQ(asked.stall_timeout_ms, 3000u) << asked.path;
  }
}

TEST_F(UpdateExport, needs_no_source_when_archives_are_kept) {
  publish(release(1));
  open(R"("keep_archives":true)");
  ASSERT_EQ(world_->run().result(), "ok");
  ASSERT_EQ(world_->run().result(), "current") << "an update with nothing new keeps it too";
  source_->make_trouble({.path_part = "", .what = What::unreachable});
  EXPECT_EQ(export_to({stick()}).result(), "ok");
  EXPECT_EQ(brings(stick()), "ok|new from source.drive: rules 1|rule of 1 full");
}

TEST_F(UpdateExport, goes_to_several_folders_and_says_which_one_failed) {
  start_with_release_1();
  std::filesystem::create_directories(folder_ / "home");
  std::ofstream(folder_ / "home" / "letter.txt") << "dear";
  const auto result = export_to({stick(), folder_ / "home", folder_ / "none" / "deep"});
  EXPECT_EQ(result.result(), "partial");
  EXPECT_THAT(result.text(), HasSubstr("letter.txt"));
  EXPECT_THAT(result.text(), HasSubstr("none is no folder"));
  EXPECT_EQ(read_file(folder_ / "home" / "letter.txt", 100).value(), "dear");
  EXPECT_THAT(brings(stick()), HasSubstr("rule of 1"));
}

TEST_F(UpdateExport, brings_nothing_for_folders_that_cannot_take_it) {
  start_with_release_1();
  std::filesystem::create_directories(folder_ / "served" / "metadata");
  std::ofstream(folder_ / "file") << "x";
  source_->forget_asked();
  for (const auto& [folder, why] : {std::pair(folder_ / "none" / "deep", "none is no folder"), std::pair(folder_ / "file", "is there and is no folder"),
                                    std::pair(folder_ / "served", "is a repository without picket-export.txt")}) {
    const auto result = export_to({folder});
    EXPECT_EQ(result.result(), "failed") << folder;
    EXPECT_THAT(result.text(), HasSubstr(why));
  }
  EXPECT_TRUE(source_->asked().empty());
  EXPECT_EQ(export_to({folder_ / "none" / "deep", stick()}).result(), "partial") << "the other one gets its copy";
  EXPECT_THAT(brings(stick()), HasSubstr("rule of 1"));
}

TEST_F(UpdateExport, that_fails_leaves_the_earlier_copy) {
  start_with_release_1();
  ASSERT_EQ(export_to({stick()}).result(), "ok");
  publish(release(2));
  ASSERT_EQ(world_->run().result(), "ok");
  source_->make_trouble({.path_part = "targets/", .what = What::dies, .after = 10});
  const auto failed = export_to({stick()});
  EXPECT_EQ(failed.result(), "failed");
  EXPECT_THAT(failed.text(), HasSubstr("nothing was copied: rules: "));
  EXPECT_THAT(brings(stick()), HasSubstr("rule of 1"));
  source_->no_trouble();
  ASSERT_EQ(export_to({stick()}).result(), "ok");
  EXPECT_THAT(brings(stick()), HasSubstr("rule of 2"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / ".stick.new"));
}

TEST_F(UpdateExport, says_what_cannot_be_exported) {
  publish(release(1));
  open();
  EXPECT_THAT(export_to({stick()}).text(), HasSubstr("run an update first"));
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_THAT(export_to({stick()}, {"colours"}).text(), HasSubstr("colours: nothing of it is in force"));
  EXPECT_THAT(export_to({"relative"}).text(), HasSubstr("no absolute path"));
  EXPECT_THAT(export_to({}).text(), HasSubstr("no folder was named"));
  repository_.withdraw(release(1));
  publish(release(2));
  world_->demands = {};
  ASSERT_TRUE(world_->settings({"source.a"}, R"("components":["rules"],"declined":[{"component":"rules","release":2}])"));
  (void)world_->run();
  EXPECT_THAT(export_to({stick()}).text(), HasSubstr("does not offer it any more"));
  EXPECT_FALSE(std::filesystem::exists(stick()));
}

TEST_F(UpdateExport, fetched_in_advance_it_is_put_in_force_without_a_network) {
  start_with_release_1();
  publish(release(2));
  const auto fetched = prefetch();
  EXPECT_EQ(fetched.result(), "ok") << fetched.text();
  EXPECT_EQ(fetched.kind(), "prefetch");
  EXPECT_EQ(fetched.components(0).result(), "fetched");
  EXPECT_EQ(rule(), "rule of 1 full") << "in force stays what is";
  EXPECT_EQ(consumer_->seen().size(), 1u) << "nobody was asked to load it";
  source_->make_trouble({.path_part = "", .what = What::unreachable});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_THAT(result.text(), HasSubstr("what was fetched in advance is taken"));
  EXPECT_EQ(rule(), "rule of 2 full");
  EXPECT_EQ(world_->run().result(), "failed") << "now nothing is at hand, and the sources' failure is told";
}

TEST_F(UpdateExport, fetched_in_advance_it_is_not_fetched_again) {
  start_with_release_1();
  publish(release(2));
  ASSERT_EQ(prefetch().result(), "ok");
  ASSERT_EQ(prefetch().result(), "ok") << "and stays until it is taken";
  source_->forget_asked();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(source_->sent_of("targets/"), 0u);
  EXPECT_EQ(rule(), "rule of 2 full");
}

TEST_F(UpdateExport, fetched_in_advance_it_outlives_a_restart) {
  start_with_release_1();
  publish(release(2));
  ASSERT_EQ(prefetch().result(), "ok");
  reopen();
  EXPECT_EQ(rule(), "rule of 1 full");
  source_->make_trouble({.path_part = "", .what = What::unreachable});
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 2 full");
}

TEST_F(UpdateExport, a_report_says_what_a_source_brought) {
  publish(release(1));
  Offer other;
  other.component = "lists";
  publish(other);
  world_->demands.push_back({"lists", "databases", "nobody", false});
  open();
  EXPECT_THAT(world_->run().text(), HasSubstr("new from source.a: lists 1, rules 1"));
  publish(release(2));
  EXPECT_EQ(world_->run().text(), "new from source.a: rules 1 > 2; 1 current already");
  EXPECT_EQ(world_->run().text(), "");
}

TEST_F(UpdateExport, a_declined_release_is_left_for_an_earlier_one_that_is_offered) {
  publish(release(1));
  publish(release(2));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  ASSERT_EQ(rule(), "rule of 2 full");
  ASSERT_TRUE(world_->settings({"source.a"}, R"("declined":[{"component":"rules","release":2}])"));
  const auto result = world_->run();
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_THAT(result.components(0).text(), HasSubstr("back to release 1 (full): release 2 is declined in the settings"));
  EXPECT_EQ(world_->run().result(), "current") << "and stays there";
}

TEST_F(UpdateExport, a_declined_release_is_left_for_one_that_was_kept) {
  start_with_release_1();
  repository_.withdraw(release(1));
  publish(release(2));
  ASSERT_EQ(world_->run().result(), "ok");
  ASSERT_TRUE(world_->settings({"source.a"}, R"("declined":[{"component":"rules","release":2}])"));
  const auto result = world_->run();
  EXPECT_EQ(result.components(0).result(), "rolled-back") << result.components(0).text();
  EXPECT_EQ(rule(), "rule of 1 full");
}

TEST_F(UpdateExport, a_declined_release_stays_when_nothing_else_is_at_hand) {
  start_with_release_1();
  ASSERT_TRUE(world_->settings({"source.a"}, R"("declined":[{"component":"rules"}])"));
  const auto result = world_->run();
  EXPECT_EQ(result.components(0).result(), "current");
  EXPECT_THAT(result.components(0).text(), HasSubstr("nothing earlier is at hand"));
  EXPECT_EQ(rule(), "rule of 1 full");
}

}  // namespace
}  // namespace picket::update
