#include "update/set_store.hpp"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/digest.hpp"
#include "support/temporary_folder.hpp"
#include "update/activate.hpp"
#include "update/tree_digest.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Sets : public ::testing::Test {
 protected:
  SetStore open() { return SetStore::open({root_ / "sets", root_ / "staging", root_ / "shared"}, Steps()).value(); }
  SetInfo add(SetStore& store, std::uint64_t release, const std::string& content = "x") {
    const auto folder = store.new_staging("rules").value();
    EXPECT_TRUE(write_file_atomic(folder / "a", content));
    const auto tree = tree_digest(folder, {}).value();
    SetInfo info{"rules", "databases", "full", "v", sha256_hex(content), release, 5, tree.files, tree.bytes, tree.digest};
    const auto adopted = store.adopt(info);
    EXPECT_TRUE(adopted) << adopted.error().message;
    return info;
  }
  void flip(const fs::path& file) {
    auto bytes = read_file(file, 1 << 20).value();
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    ASSERT_TRUE(write_file_atomic(file, bytes, 0444));
  }
  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
};

TEST_F(Sets, adopts_what_was_staged_and_finds_it_again) {
  SetInfo info;
  {
    auto store = open();
    info = add(store, 3);
    ASSERT_TRUE(store.point_current("rules", info.name()));
  }
  const auto store = open();
  const auto found = store.info("rules", info.name());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->release, 3u);
  EXPECT_EQ(found->published, 5);
  EXPECT_TRUE(store.verify(*found, {}));
  EXPECT_EQ(store.current("rules"), info.name());
  EXPECT_EQ(read_file(root_ / "sets/rules/current/a", 10).value(), "x");
  EXPECT_EQ(store.list("rules").size(), 1u);
}

TEST_F(Sets, throws_away_what_is_half_there) {
  {
    auto store = open();
    add(store, 1);
    const auto two = add(store, 2), three = add(store, 3);
    fs::remove(root_ / "sets/rules" / (two.name() + ".json"));
    remove_tree(root_ / "sets/rules" / three.name());
    fs::create_directories(root_ / "staging/rules/sub");
  }
  const auto store = open();
  ASSERT_EQ(store.list("rules").size(), 1u);
  EXPECT_EQ(store.list("rules")[0].release, 1u);
  EXPECT_TRUE(fs::is_empty(root_ / "staging"));
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(root_ / "sets/rules")) ++entries;
  EXPECT_EQ(entries, 2u);
}

TEST_F(Sets, notices_every_kind_of_damage) {
  auto store = open();
  const auto info = add(store, 1, "a longer content");
  const auto folder = store.path_of("rules", info.name());
  flip(folder / "a");
  auto good = store.verify(info, {});
  ASSERT_FALSE(good);
  EXPECT_THAT(good.error().message, HasSubstr("damaged on disk"));
  flip(folder / "a");
  ASSERT_TRUE(store.verify(info, {}));
  fs::permissions(folder, fs::perms::owner_all);
  ASSERT_TRUE(write_file_atomic(folder / "more", ""));
  EXPECT_FALSE(store.verify(info, {}));
  fs::remove(folder / "more");
  fs::rename(folder / "a", folder / "b");
  EXPECT_FALSE(store.verify(info, {}));
  fs::remove(folder / "b");
  fs::create_symlink("/etc/hostname", folder / "a");
  EXPECT_FALSE(store.verify(info, {}));
}

TEST_F(Sets, a_flipped_bit_in_the_description_is_not_believed) {
  auto store = open();
  const auto info = add(store, 1);
  flip(root_ / "sets/rules" / (info.name() + ".json"));
  const auto found = store.info("rules", info.name());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::untrusted);
}

TEST_F(Sets, a_damaged_set_is_exchanged_in_one_step_for_a_good_one) {
  auto store = open();
  const auto info = add(store, 1, "content");
  ASSERT_TRUE(store.point_current("rules", info.name()));
  flip(store.path_of("rules", info.name()) / "a");
  add(store, 1, "content");
  EXPECT_TRUE(store.verify(info, {}));
  EXPECT_EQ(read_file(root_ / "sets/rules/current/a", 100).value(), "content");
  EXPECT_TRUE(fs::is_empty(root_ / "staging"));
}

TEST(TreeDigest, of_one_known_file_is_that_of_its_folder) {
  const support::TemporaryFolder root;
  ASSERT_TRUE(write_file_atomic(root / "name", "content"));
  const auto tree = tree_digest(root.path(), {}).value(), one = tree_of_one("name", 7, sha256_hex("content"));
  EXPECT_EQ(tree.digest, one.digest);
  EXPECT_EQ(tree.bytes, one.bytes);
}

class Recovery : public Sets {
 protected:
  std::string recover(SetStore& store, Ledger& ledger) {
    std::string told;
    Activation activation(store, ledger, core::system_clock());
    const auto done = activation.recover([&](std::string_view, std::string_view what) { told += cat(what, "\n"); });
    EXPECT_TRUE(done) << done.error().message;
    return told;
  }
  Ledger ledger() { return Ledger::open(root_ / "journal", Steps()).value(); }
};

TEST_F(Recovery, believes_the_link_when_the_journal_was_lost) {
  auto store = open();
  add(store, 1);
  const auto two = add(store, 2);
  ASSERT_TRUE(store.point_current("rules", two.name()));
  auto fresh = ledger();
  EXPECT_THAT(recover(store, fresh), HasSubstr("did not know"));
  EXPECT_EQ(fresh.record("rules").in_force, two.name());
  EXPECT_EQ(Activation(store, fresh, core::system_clock()).kept("rules").size(), 1u) << "stored sets can still be rolled back to";
}

TEST_F(Recovery, puts_a_lost_link_back) {
  auto store = open();
  const auto one = add(store, 1);
  auto book = ledger();
  ASSERT_TRUE(Activation(store, book, core::system_clock()).switch_to("rules", one.name(), Activation::Why::update));
  fs::remove(root_ / "sets/rules/current");
  EXPECT_THAT(recover(store, book), HasSubstr("put back"));
  EXPECT_EQ(store.current("rules"), one.name());
}

TEST_F(Recovery, goes_to_the_earlier_set_when_the_one_in_force_is_gone) {
  auto store = open();
  const auto one = add(store, 1), two = add(store, 2);
  auto book = ledger();
  Activation activation(store, book, core::system_clock());
  ASSERT_TRUE(activation.switch_to("rules", one.name(), Activation::Why::update));
  ASSERT_TRUE(activation.switch_to("rules", two.name(), Activation::Why::update));
  remove_tree(store.path_of("rules", two.name()));
  EXPECT_THAT(recover(store, book), HasSubstr(one.name() + " is in force"));
  EXPECT_EQ(store.current("rules"), one.name());
  EXPECT_EQ(book.record("rules").in_force, one.name());
}

// As a backup brings it back that knows no links.
TEST_F(Recovery, puts_a_link_back_that_has_become_a_folder) {
  auto book = ledger();
  std::string name;
  {
    auto store = open();
    name = add(store, 1).name();
    ASSERT_TRUE(Activation(store, book, core::system_clock()).switch_to("rules", name, Activation::Why::update));
    fs::remove(root_ / "sets/rules/current");
    fs::create_directory(root_ / "sets/rules/current");
    ASSERT_TRUE(write_file_atomic(root_ / "sets/rules/current/a", "x"));
  }
  auto store = open();
  EXPECT_THAT(recover(store, book), HasSubstr("put back"));
  EXPECT_EQ(store.current("rules"), name);
  EXPECT_TRUE(fs::is_empty(root_ / "staging"));
}

TEST_F(Recovery, a_link_that_leads_elsewhere_is_not_followed) {
  auto store = open();
  const auto one = add(store, 1);
  auto book = ledger();
  ASSERT_TRUE(Activation(store, book, core::system_clock()).switch_to("rules", one.name(), Activation::Why::update));
  fs::remove(root_ / "sets/rules/current");
  fs::create_symlink("/etc", root_ / "sets/rules/current");
  EXPECT_THAT(recover(store, book), HasSubstr("put back"));
  EXPECT_EQ(store.current("rules"), one.name());
}

}  // namespace
}  // namespace picket::update
