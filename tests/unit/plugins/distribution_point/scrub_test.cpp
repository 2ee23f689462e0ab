// What is stored is read again: what is damaged is served to nobody and fetched anew.
#include "scrub.hpp"

#include <fstream>
#include <set>
#include <tuple>

#include "base/digest.hpp"
#include "mirror_rig.hpp"

namespace distribution_point {
namespace {

void flip(const std::filesystem::path& path, std::uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
  ASSERT_TRUE(file.good()) << path;
}

// Each file of the point's folder, at both ends and between. The size stays, so nothing but reading it again can find it.
TEST_F(PointMirror, heals_a_bit_that_flipped_in_any_stored_file) {
  settings_.releases = 2;
  settings_.grace = std::chrono::seconds(1'000'000);
  for (const int release : {1, 2}) {
    offer("a", release);
    offer("b", release);
    publish();
    if (release == 1) for (const char* component : {"a", "b"}) want(component);
    ASSERT_EQ(run().result_class(), "ok");
  }
  const auto place = folder_.path() / "point";
  const auto whole = [&] {
    for (const char* component : {"a", "b"}) {
      const auto got = seen(component);
      EXPECT_EQ(got.value_or(0), 2) << got.error().message;
    }
    // And everything else that is still served, also of the set before.
    EXPECT_TRUE(Scrub(*store_).read(~std::uint64_t{0}).damaged.empty());
    for (const auto& file : store_->stored()) EXPECT_EQ(store_->look(file, {}), Store::Look::good) << file.path;
  };
  std::set<std::string> kinds;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place))
    if (entry.is_regular_file() && !entry.is_symlink() && entry.file_size() > 0) files.push_back(entry.path().lexically_relative(place));
  for (const auto& file : files) {
    if (file.native().starts_with("sets/")) ASSERT_TRUE(file.native().starts_with("sets/1/") || file.native().starts_with("sets/2/")) << file;
    for (const int part : {0, 1, 2}) {
      SCOPED_TRACE(cat(file.native(), " part ", std::to_string(part)));
      std::error_code gone;
      const auto size = std::filesystem::file_size(place / file, gone);
      if (gone) continue;  // it healed into another set
      flip(place / file, part == 0 ? 0 : part == 1 ? size / 2 : size - 1);
      kinds.insert(file.begin()->native());
      if (part == 1) open();  // found after a restart too
      const auto found = mirror_->look_for_damage();
      // The client finds out about trusted/ by itself, and a set's list may have lost the files that it names by then.
      if (file.filename() != "digests") EXPECT_EQ(found.damaged.empty(), file.native().starts_with("trusted")) << "what is served is found by reading it";
      for (const auto& name : found.damaged) EXPECT_EQ(name.find(".part"), name.npos) << name;
      const auto result = run();
      EXPECT_EQ(result.result_class(), "ok") << result.reason();
      whole();
    }
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"files", "sets", "trusted", "trusted.highest"}));
}

TEST_F(PointMirror, makes_a_set_anew_whose_list_of_digests_is_damaged) {
  offer("a", 1);
  publish();
  want("a");
  ASSERT_EQ(run().result_class(), "ok");
  for (const bool in_a_name : {false, true}) {
    const auto list = store_->set_folder(store_->published()) / "digests";
    flip(list, in_a_name ? 70 : 0);  // 64 digits, two spaces, the name
    EXPECT_FALSE(mirror_->look_for_damage().damaged.empty());
    EXPECT_TRUE(run().published());
    EXPECT_EQ(seen("a").value_or(0), 1);
    EXPECT_TRUE(mirror_->look_for_damage().damaged.empty());
  }
}

TEST_F(PointMirror, serves_nobody_from_a_damaged_file_even_while_no_source_is_there) {
  offer("a", 1);
  offer("b", 1);
  publish();
  for (const char* component : {"a", "b"}) want(component);
  ASSERT_EQ(run().result_class(), "ok");
  std::string path;
  for (const auto& [asked, times] : upstream_.asked)
    if (asked.starts_with("targets/a/")) path = "/" + asked;
  ASSERT_NE(served_->find(path), nullptr) << path;
  const auto key = picket::sha256_hex(upstream_.files.at(path.substr(1)));
  flip(store_->file(key), 50'000);
  EXPECT_EQ(mirror_->look_for_damage().damaged, std::vector<std::string>{path.substr(9)});
  EXPECT_EQ(served_->find(path), nullptr);
  EXPECT_FALSE(seen("a"));
  EXPECT_EQ(seen("b").value_or(0), 1);
  upstream_.trouble = [](const std::string&, const std::string&, std::string&) -> Result<> { return fail(Code::unavailable, "no route to host"); };
  EXPECT_EQ(run().result_class(), "failed");
  upstream_.trouble = {};
  const auto sent = upstream_.sent;
  EXPECT_TRUE(run().published());
  EXPECT_LT(upstream_.sent - sent, 110'000u);  // only what was damaged
  EXPECT_NE(served_->find(path), nullptr);
  EXPECT_EQ(seen("a").value_or(0), 1);
}

TEST_F(PointMirror, reads_everything_once_in_portions_and_goes_on_after_a_restart) {
  for (const char* component : {"a", "b", "c", "d"}) {
    offer(component, 1);
    want(component);
  }
  publish();
  ASSERT_EQ(run().result_class(), "ok");
  std::uint64_t all = 0;
  for (const auto& file : store_->stored()) all += file.size;
  std::uint64_t read = 0;
  int portions = 0;
  for (bool over = false; !over; ++portions) {
    ASSERT_LT(portions, 100);
    const auto portion = mirror_->look_for_damage(1);
    EXPECT_TRUE(portion.damaged.empty());
    read += portion.bytes;
    over = portion.is_round_over;
    if (!over && portions == 2) open();
  }
  EXPECT_EQ(read, all);
  EXPECT_GT(portions, 4);
  // A file that it has to leave in the middle is read the next time.
  int asked = 0;
  const auto left = mirror_->look_for_damage(~std::uint64_t{0}, [&] { return ++asked == 3; });
  EXPECT_FALSE(left.is_round_over);
  EXPECT_EQ(left.bytes + mirror_->look_for_damage(~std::uint64_t{0}).bytes, all);
  EXPECT_EQ(portion_of(1'000, std::chrono::hours(24)), 64u << 20);
  EXPECT_EQ(portion_of(1'440'000'000'000, std::chrono::hours(24)), 1'000'000'001u);
}

}  // namespace
}  // namespace distribution_point
