// A content that several sets have takes its space once, and a damaged file stays alone.
#include "unit/update/world_test.hpp"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "update/set_store.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

struct Space {
  std::uint64_t names = 0, named_bytes = 0;   // as one would count who knows nothing of links
  std::uint64_t files = 0, stored_bytes = 0;  // each file once
};

Space space_of(const fs::path& folder) {
  Space out;
  std::set<ino_t> seen;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat info {};
    if (::lstat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode) || entry.path().extension() == ".json") continue;
    ++out.names;
    out.named_bytes += static_cast<std::uint64_t>(info.st_size);
    if (!seen.insert(info.st_ino).second) continue;
    ++out.files;
    out.stored_bytes += static_cast<std::uint64_t>(info.st_size);
  }
  return out;
}

class UpdateSharing : public UpdateTest {
 protected:
  static constexpr std::size_t kLarge = 400'000;
  // One large file that never changes, one small that does.
  static Offer of(const std::string& component, std::int64_t number) {
    Offer offer;
    offer.component = component;
    offer.release = number;
    offer.files = {{"base/common.bin", std::string(kLarge, 'c')}, {"own.txt", component + " " + std::to_string(number)}};
    return offer;
  }
  [[nodiscard]] fs::path common(const std::string& component) const { return folder_ / "data/sets" / component / "current/base/common.bin"; }
  [[nodiscard]] std::size_t kept() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_ / "data/shared"), fs::directory_iterator())); }
  static void damage(const fs::path& file) {  // as a disk does: the bytes change, the file stays
    ::chmod(file.c_str(), 0644);
    const UniqueFd fd(::open(file.c_str(), O_WRONLY));
    ASSERT_EQ(::pwrite(fd.get(), "X", 1, 1000), 1);
    ::chmod(file.c_str(), 0444);
  }
};

TEST_F(UpdateSharing, keeps_a_content_once_for_all_components_and_releases) {
  world_->demands = {{"lists", "databases", "scanner", true}, {"rules", "databases", "scanner", true}};
  for (const auto* component : {"rules", "lists"}) publish(of(component, 1));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  for (const auto* component : {"rules", "lists"}) publish(of(component, 2));
  ASSERT_EQ(world_->run().result(), "ok");
  const auto space = space_of(folder_ / "data/sets");
  EXPECT_EQ(space.names, 8u);
  EXPECT_GT(space.named_bytes, 4 * kLarge);
  EXPECT_EQ(space.files, 5u) << "four small ones, and the large one once";
  EXPECT_LT(space.stored_bytes, kLarge + 100);
  EXPECT_TRUE(fs::equivalent(common("rules"), common("lists")));
  for (const auto* component : {"rules", "lists"}) EXPECT_EQ(world_->file_of(component, "base/common.bin"), std::string(kLarge, 'c'));
}

TEST_F(UpdateSharing, gives_the_space_back_when_no_set_has_it_any_more) {
  publish(of("rules", 1));
  open(R"("keep_sets":1)");
  ASSERT_EQ(world_->run().result(), "ok");
  const auto before = kept();
  for (std::int64_t number = 2; number < 6; ++number) {
    auto offer = of("rules", number);
    offer.files[0].second = std::string(kLarge, static_cast<char>('a' + number));
    publish(offer);
    ASSERT_EQ(world_->run().result(), "ok");
  }
  EXPECT_EQ(before, 2u);
  EXPECT_EQ(kept(), 4u) << "of the set in force and of the one that is kept";
  EXPECT_LT(space_of(folder_ / "data").stored_bytes, 2 * kLarge + 100'000);
}

TEST_F(UpdateSharing, a_damaged_file_is_not_lent_and_its_repair_touches_no_other_set) {
  world_->demands = {{"lists", "databases", "scanner", true}, {"rules", "databases", "scanner", true}};
  for (const auto* component : {"rules", "lists"}) publish(of(component, 1));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  ASSERT_TRUE(fs::equivalent(common("rules"), common("lists")));
  damage(common("rules"));
  // A new set of the same content does not take over the damage...
  publish(of("lists", 2));
  const auto path = world_->status_of("rules").path();
  ASSERT_EQ(world_->run({"lists"}).result(), "ok");
  EXPECT_EQ(world_->file_of("lists", "base/common.bin"), std::string(kLarge, 'c'));
  EXPECT_NE(world_->file_of("rules", "base/common.bin"), std::string(kLarge, 'c'));
  // ... and the repair replaces the file: the undamaged one has not been written to.
  struct stat before {}, after {};
  ASSERT_EQ(::stat(common("lists").c_str(), &before), 0);
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text();
  EXPECT_THAT(result.components(1).text(), HasSubstr("damaged"));
  EXPECT_EQ(world_->file_of("rules", "base/common.bin"), std::string(kLarge, 'c'));
  ASSERT_EQ(::stat(common("lists").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
  EXPECT_TRUE(fs::equivalent(common("rules"), common("lists")));
  EXPECT_EQ(world_->run().result(), "current");
}

TEST_F(UpdateSharing, a_damaged_file_of_two_sets_in_force_is_found_and_repaired_in_both) {
  world_->demands = {{"lists", "databases", "scanner", true}, {"rules", "databases", "scanner", true}};
  for (const auto* component : {"rules", "lists"}) publish(of(component, 1));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  damage(common("rules"));
  ASSERT_EQ(world_->run().result(), "ok");
  for (const auto* component : {"rules", "lists"}) EXPECT_EQ(world_->file_of(component, "base/common.bin"), std::string(kLarge, 'c'));
  EXPECT_TRUE(fs::equivalent(common("rules"), common("lists")));
}

// Also where nobody looks now: a set that is kept for the way back.
TEST_F(UpdateSharing, the_repair_of_a_file_reaches_every_set_that_shares_it) {
  world_->demands = {{"lists", "databases", "scanner", true}, {"rules", "databases", "scanner", true}};
  for (const auto* component : {"rules", "lists"}) publish(of(component, 1));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  publish(of("rules", 2));
  ASSERT_EQ(world_->run().result(), "ok");
  damage(common("rules"));
  EXPECT_NE(world_->file_of("lists", "base/common.bin"), std::string(kLarge, 'c'));
  ASSERT_EQ(world_->run({"rules"}).result(), "ok");
  EXPECT_EQ(world_->file_of("rules", "base/common.bin"), std::string(kLarge, 'c'));
  EXPECT_EQ(world_->file_of("lists", "base/common.bin"), std::string(kLarge, 'c'));
  EXPECT_TRUE(fs::equivalent(common("rules"), common("lists")));
  EXPECT_THAT(world_->explain(), HasSubstr("2 files of other sets, damaged with those of 2-full-"));
  // The way back is whole again: before, it would have been refused.
  const auto back = world_->rollback("rules");
  EXPECT_EQ(back.result(), "ok") << back.components(0).text();
  EXPECT_EQ(world_->file_of("rules", "own.txt"), "rules 1");
  EXPECT_EQ(world_->file_of("rules", "base/common.bin"), std::string(kLarge, 'c'));
}

TEST_F(UpdateSharing, the_archive_that_several_components_need_is_fetched_once) {
  std::string noise(kLarge, '\0');
  std::uint32_t state = 1;
  for (auto& byte : noise) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  for (const auto* component : {"rules", "lists", "zones", "late"}) {
    auto offer = of("rules", 1);
    offer.component = component;
    offer.files[0].second = noise;
    publish(offer);
  }
  for (const auto* parallel : {"3", "1"}) {
    SCOPED_TRACE(cat("parallel_downloads ", parallel));
    source_->forget_asked();
    world_->demands = {{"lists", "databases", "scanner", true}, {"rules", "databases", "scanner", true}, {"zones", "databases", "scanner", true}};
    open(cat(R"("parallel_downloads":)", parallel));
    const auto result = world_->run();
    ASSERT_EQ(result.result(), "ok") << result.text();
    const auto once = source_->sent_of("targets/");
    EXPECT_GT(once, kLarge);
    EXPECT_LT(once, kLarge + 10'000) << "one archive of three that are equal";
    EXPECT_THAT(world_->explain(), HasSubstr("nothing to fetch: the content is that of "));
    for (const auto* component : {"rules", "lists", "zones"}) EXPECT_EQ(world_->file_of(component, "base/common.bin"), noise);
    EXPECT_TRUE(fs::equivalent(common("rules"), common("zones")));
    // And one that is demanded later.
    world_->demands.push_back({"late", "databases", "scanner", true});
    ASSERT_EQ(world_->run().result(), "ok");
    EXPECT_EQ(source_->sent_of("targets/"), once);
    EXPECT_EQ(world_->file_of("late", "own.txt"), "rules 1");
    world_->close();
    remove_tree(folder_ / "data");
  }
}

TEST_F(UpdateSharing, what_may_be_executed_is_kept_apart_from_what_may_not) {
  auto shared = SharedFiles::open(folder_ / "shared", Steps()).value();
  const auto put = [&](const char* name, unsigned mode) {
    EXPECT_TRUE(write_file_atomic(folder_ / name, "same", mode));
    const auto settled = shared.settle(folder_ / name, sha256_hex("same"), {});
    EXPECT_TRUE(settled) << settled.error().message;
  };
  put("a", 0444);
  put("b", 0555);
  put("c", 0444);
  put("d", 0555);
  EXPECT_TRUE(fs::equivalent(folder_ / "a", folder_ / "c"));
  EXPECT_TRUE(fs::equivalent(folder_ / "b", folder_ / "d"));
  EXPECT_FALSE(fs::equivalent(folder_ / "a", folder_ / "b"));
  EXPECT_EQ(shared.sweep(), 0u);
  fs::remove(folder_ / "a");
  fs::remove(folder_ / "c");
  EXPECT_EQ(shared.sweep(), 1u);
}

TEST_F(UpdateSharing, a_store_that_was_emptied_or_filled_with_rubbish_costs_space_and_nothing_else) {
  publish(of("rules", 1));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  world_->close();
  for (const auto& entry : fs::directory_iterator(folder_ / "data/shared")) {
    fs::remove(entry.path());
    ASSERT_TRUE(write_file_atomic(entry.path(), std::string(kLarge, 'z'), 0444));
    fs::create_hard_link(entry.path(), entry.path().native() + ".other");
  }
  open();
  publish(of("rules", 2));
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(world_->file_of("rules", "base/common.bin"), std::string(kLarge, 'c'));
  EXPECT_EQ(world_->file_of("rules", "own.txt"), "rules 2");
}

}  // namespace
}  // namespace picket::update
