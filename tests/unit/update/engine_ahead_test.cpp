// Several components on their way at the same time, and what happens when the newest release is nowhere to be had.
#include "unit/update/world_test.hpp"

#include <condition_variable>
#include <set>

#include <gmock/gmock.h>

namespace picket::update {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using What = Trouble::What;

class UpdateAhead : public UpdateTest {
 protected:
  static std::string noise(std::size_t size, std::uint64_t seed) {
    std::string out(size, '\0');
    for (auto& c : out) seed = seed * 6364136223846793005u + 1442695040888963407u, c = static_cast<char>(seed >> 56);
    return out;
  }
  static std::string name_of(int index) { return "part-" + std::to_string(index); }
  // Each with a content of its own size.
  void offer_parts(int count, std::int64_t number = 1, std::size_t size = 200'000) {
    for (int i = 0; i < count; ++i) {
      Offer offer;
      offer.component = name_of(i);
      offer.release = number;
      offer.single = noise(size + static_cast<std::size_t>(i), static_cast<std::uint64_t>(number * 100 + i));
      paths_.push_back(repository_.offer(offer));
    }
    repository_.publish();
    source_->serve(repository_);
    world_->demands.clear();
    for (int i = 0; i < count; ++i) world_->demands.push_back({name_of(i), "databases", "scanner", true});
  }
  [[nodiscard]] std::string content(int index) const { return world_->file_of(name_of(index), "database.bin"); }

  std::vector<std::string> paths_;
};

TEST_F(UpdateAhead, brings_as_many_at_the_same_time_as_the_settings_say_and_no_more) {
  offer_parts(6);
  source_->gather = 3;  // none is answered before three are asked for
  open(R"("parallel_downloads":3)");
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(source_->most_at_once(), 3u);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(content(i).size(), 200'000u + static_cast<unsigned>(i)) << i;
}

TEST_F(UpdateAhead, brings_one_after_the_other_when_the_settings_say_so) {
  offer_parts(4);
  open(R"("parallel_downloads":1)");
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(source_->most_at_once(), 1u);
}

TEST_F(UpdateAhead, counts_for_each_component_what_came_for_it) {
  offer_parts(4);
  open(R"("parallel_downloads":4)");
  source_->gather = 4;
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text();
  ASSERT_EQ(result.components_size(), 4);
  std::uint64_t sum = 0;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(result.components(i).component(), name_of(i)) << "in their order, whichever came first";
    EXPECT_EQ(result.components(i).bytes(), 200'000u + static_cast<unsigned>(i));
    sum += result.components(i).bytes();
  }
  EXPECT_GT(result.bytes(), sum) << "metadata too";
  EXPECT_LT(result.bytes(), sum + 50'000);
}

TEST_F(UpdateAhead, tells_the_progress_of_each_to_its_end) {
  offer_parts(3);
  open(R"("parallel_downloads":3)");
  source_->gather = 3;
  const auto payload = v1::RunRequest().SerializeAsString();
  auto stream = world_->caller->open({.topic = "picket.update.run", .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(60)}, 4u << 20).value();
  std::map<std::string, std::uint64_t> done;
  std::string last;
  for (;;) {
    auto chunk = stream->next(std::chrono::seconds(30));
    ASSERT_TRUE(chunk) << chunk.error().message;
    if (!*chunk) break;
    v1::Progress progress;
    ASSERT_TRUE(progress.ParseFromArray((*chunk)->payload().data(), static_cast<int>((*chunk)->payload().size())));
    last = progress.step();
    if (progress.step() != "fetch") continue;
    EXPECT_GE(progress.done(), done[progress.component()]) << "backwards";
    EXPECT_LE(progress.done(), progress.total());
    done[progress.component()] = progress.done();
  }
  EXPECT_EQ(last, "done");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(done[name_of(i)], 200'000u + static_cast<unsigned>(i));
}

TEST_F(UpdateAhead, one_that_cannot_be_had_costs_the_others_nothing) {
  offer_parts(4);
  source_->make_trouble({"targets/part-1", What::flips, 50, 1000});
  source_->gather = 2;
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "partial");
  EXPECT_THAT(result.components(1).text(), HasSubstr("wrong digest"));
  for (const int i : {0, 2, 3}) EXPECT_NE(content(i), "") << i;
  EXPECT_EQ(content(1), "");
}

TEST_F(UpdateAhead, two_components_with_the_same_file_are_both_brought_and_it_is_kept_once) {
  for (const char* component : {"part-0", "part-1", "part-2"}) {
    Offer offer;
    offer.component = component;
    offer.single = noise(300'000, 7);
    repository_.offer(offer);
    world_->demands.push_back({component, "databases", "scanner", true});
  }
  repository_.publish();
  source_->serve(repository_);
  world_->demands.erase(world_->demands.begin());
  open(R"("parallel_downloads":3)");
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(content(i), noise(300'000, 7));
  EXPECT_TRUE(std::filesystem::equivalent(folder_ / "data/sets/part-0/current/database.bin", folder_ / "data/sets/part-2/current/database.bin"));
}

TEST_F(UpdateAhead, a_cancelled_run_keeps_what_has_arrived_of_each) {
  offer_parts(2, 1, 2'000'000);
  source_->make_trouble({"targets/", What::silent, 1'500'000, 2});
  open();
  core::CancelSource cancel;
  std::set<std::string> far;
  source_->before_chunk = [&](std::string_view path, std::uint64_t sent) {
    if (path.starts_with("targets/") && sent >= 1'400'000) far.insert(std::string(path));
    if (far.size() == 2) cancel.cancel();
  };
  const auto payload = v1::RunRequest().SerializeAsString();
  const auto answer = world_->caller->call({.topic = "picket.update.run", .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(60)}, cancel.token());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::cancelled);
  source_->before_chunk = nullptr;
  source_->forget_asked();
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text();
  EXPECT_LT(source_->sent_of("targets/"), 3'000'000u) << "what had come was fetched again";
  EXPECT_EQ(content(0).size(), 2'000'000u);
  EXPECT_EQ(content(1).size(), 2'000'001u);
}

TEST_F(UpdateAhead, waits_for_a_plugin_that_serves_one_file_at_a_time) {
  offer_parts(2, 1, 3'000'000);
  source_->one_at_a_time = true;
  source_->chunk_size = 100'000;
  // The first takes longer than a source may be silent: bytes come in a trickle, each of its thirty chunks in a twentieth of the patience.
  std::mutex mutex;
  std::condition_variable never;
  std::atomic<int> chunks = 0;
  world_->at_step = [&](std::string_view step) {
    if (step != "download.write" || ++chunks > 30) return;
    std::unique_lock lock(mutex);
    never.wait_for(lock, std::chrono::milliseconds(250), [] { return false; });
  };
  open(R"("connect_timeout_seconds":1,"stall_timeout_seconds":5,"parallel_downloads":2)");
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(source_->most_at_once(), 2u);
  EXPECT_EQ(content(1).size(), 3'000'001u);
}

class UpdateLacking : public UpdateTest {};

TEST_F(UpdateLacking, a_lower_release_is_taken_when_a_copy_lacks_the_files_of_the_newest) {
  start_with_release_1();
  publish(release(2));
  publish(release(3));
  const auto newest = "targets/" + last_path_;
  const auto bytes = source_->files.at(newest);
  source_->files.erase(newest);
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok");
  EXPECT_EQ(rule(), "rule of 2 full");
  EXPECT_THAT(result.components(0).text(), HasSubstr("release 3 (full) cannot be had: no source could give"));
  EXPECT_THAT(result.components(0).text(), HasSubstr("release 2 (full) is newer than 1"));
  EXPECT_EQ(world_->status_of("rules").release(), 2u);
  source_->files.emplace(newest, bytes);
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 3 full");
}

// As a drive that a computer in cloud mode filled: its metadata name both variants.
TEST_F(UpdateLacking, the_other_variant_is_better_than_nothing_and_only_until_the_wanted_one_can_be_had) {
  publish(release(1));
  publish(release(1, "light"));
  source_->make_trouble({"rules/full/", What::missing, 0, 1000});
  open();
  auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(rule(), "rule of 1 light");
  EXPECT_THAT(result.components(0).text(), HasSubstr("release 1 (full) cannot be had: no source could give"));
  EXPECT_THAT(world_->status_of("rules").text(), HasSubstr("light is in force until then"));
  EXPECT_EQ(world_->run().result(), "failed") << "nothing came";
  EXPECT_EQ(rule(), "rule of 1 light");
  publish(release(2));
  publish(release(2, "light"));
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 2 light");
  source_->no_trouble();
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 2 full");
}

TEST_F(UpdateLacking, the_other_variant_takes_the_place_of_no_release_of_the_wanted_one) {
  start_with_release_1();
  publish(release(2));
  publish(release(2, "light"));
  source_->make_trouble({"rules/full/", What::missing, 0, 1000});
  EXPECT_EQ(world_->run().result(), "failed");
  EXPECT_EQ(rule(), "rule of 1 full");
}

TEST_F(UpdateLacking, a_lower_release_of_which_there_is_only_the_other_variant_takes_its_place_neither) {
  start_with_release_1();
  publish(release(2));
  publish(release(3, "light"));
  publish(release(4));
  source_->files.erase("targets/" + last_path_);
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(rule(), "rule of 2 full") << "the next of the wanted variant";
  publish(release(5, "light"));
  publish(release(6));
  source_->make_trouble({"rules/full/", What::missing, 0, 1000});
  EXPECT_EQ(world_->run().result(), "failed") << "there is none";
  EXPECT_EQ(rule(), "rule of 2 full");
}

TEST_F(UpdateLacking, nothing_lower_than_what_is_in_force_is_taken_and_no_other_trouble_leads_there) {
  publish(release(1));
  publish(release(2));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  publish(release(3));
  source_->make_trouble({"rules/full/", What::missing, 0, 1000});
  auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_EQ(rule(), "rule of 2 full");
  source_->no_trouble();
  publish(release(4));
  source_->make_trouble({last_path_, What::flips, 30, 1000});
  result = world_->run();
  EXPECT_EQ(result.result(), "failed") << "a source with a wrong file is a reason to look closer, not to take another release";
  EXPECT_THAT(result.text(), HasSubstr("wrong digest"));
  EXPECT_EQ(rule(), "rule of 2 full");
}

}  // namespace
}  // namespace picket::update
