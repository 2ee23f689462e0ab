#include "repo/archive.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "repo_fixture.hpp"
#include "support/leftovers.hpp"

namespace picket::repo {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Archive : public RepoTest {
 protected:
  Result<Packed> pack(const fs::path& folder, const fs::path& out, int level = 3) const {
    Progress silent("", 0, Progress::Style::off);
    return pack_folder(folder, out, level, silent);
  }
  std::string why_not(const fs::path& folder) const {
    const auto out = base_ / "out" / "x.tar.zst";
    auto packed = pack(folder, out);
    EXPECT_FALSE(fs::exists(out));
    EXPECT_TRUE(!fs::exists(out.parent_path()) || fs::is_empty(out.parent_path())) << "a temporary file stays behind";
    return packed ? "packed" : packed.error().message;
  }
  fs::path sample(const std::string& name) const {
    const auto folder = base_ / name;
    write(folder / "b" / "two.yar", "rule two");
    write(folder / "a-b", "dash sorts before slash");
    write(folder / "a" / "one.yar", std::string(100'000, 'x'));
    write(folder / std::string(150, 'n') / std::string(200, 'l'), "a long name");
    write(folder / "caf\xc3\xa9", "utf-8");
    fs::create_directories(folder / "empty");
    return folder;
  }
};

TEST_F(Archive, is_the_same_bytes_whatever_the_folder_went_through) {
  const auto one = sample("one"), two = sample("two");
  // Times, modes beyond the owner's x, and the order of creation must not matter.
  fs::permissions(two / "b" / "two.yar", fs::perms::owner_read | fs::perms::owner_write);
  fs::last_write_time(two / "a-b", fs::file_time_type::clock::now() - std::chrono::hours(1000));
  auto first = pack(one, base_ / "1.tar.zst", 19), second = pack(two, base_ / "2.tar.zst", 19);
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(first->sha256, second->sha256);
  EXPECT_EQ(first->content_sha256, second->content_sha256);
  EXPECT_EQ(first->files, 5u);
  EXPECT_EQ(first->unpacked, 100'000u + 8 + 23 + 11 + 5);
  fs::permissions(two / "b" / "two.yar", fs::perms::owner_all);
  EXPECT_NE(pack(two, base_ / "3.tar.zst", 19)->sha256, first->sha256) << "executable is part of the content";
}

TEST_F(Archive, unpacks_with_tar_to_what_went_in) {
  const auto folder = sample("one");
  auto packed = pack(folder, base_ / "1.tar.zst");
  ASSERT_TRUE(packed) << packed.error().message;
  const auto out = base_ / "unpacked";
  fs::create_directories(out);
  const auto command = "tar --zstd -xf '" + (base_ / "1.tar.zst").native() + "' -C '" + out.native() + "' && diff -r '" + folder.native() + "' '" + out.native() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST_F(Archive, measures_again_what_it_packed) {
  auto packed = pack(sample("one"), base_ / "1.tar.zst");
  ASSERT_TRUE(packed);
  Progress silent("", 0, Progress::Style::off);
  auto found = measure(base_ / "1.tar.zst", true, packed->content_length, silent);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->length, packed->length);
  EXPECT_EQ(found->sha256, packed->sha256);
  EXPECT_EQ(found->content_length, packed->content_length);
  EXPECT_EQ(found->content_sha256, packed->content_sha256);
  EXPECT_THAT(measure(base_ / "1.tar.zst", true, packed->content_length - 1, silent).error().message, HasSubstr("unpacks to more"));
  fs::resize_file(base_ / "1.tar.zst", packed->length - 1);
  EXPECT_THAT(measure(base_ / "1.tar.zst", true, packed->content_length, silent).error().message, HasSubstr("does not end"));
  EXPECT_THAT(measure(write(base_ / "junk", "junk junk junk"), true, 100, silent).error().message, HasSubstr("not good zstd"));
}

TEST_F(Archive, refuses_everything_but_files_and_folders_and_names_it) {
  const auto folder = sample("one");
  fs::create_symlink("a-b", folder / "b" / "link");
  EXPECT_THAT(why_not(folder), AllOf(HasSubstr("b/link"), HasSubstr("symbolic link")));
  fs::remove(folder / "b" / "link");
  fs::create_directory_symlink("/etc", folder / "b" / "folder-link");
  EXPECT_THAT(why_not(folder), HasSubstr("symbolic link"));
  fs::remove(folder / "b" / "folder-link");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(why_not(folder), AllOf(HasSubstr("pipe"), HasSubstr("only files and folders")));
  fs::remove(folder / "pipe");
  write(folder / "bad\xff", "x");
  EXPECT_THAT(why_not(folder), HasSubstr("not UTF-8"));
  fs::remove(folder / "bad\xff");
  write(folder / "new\nline", "x");
  EXPECT_THAT(why_not(folder), HasSubstr("control character"));
}

TEST_F(Archive, refuses_an_empty_folder_and_a_missing_one) {
  fs::create_directories(base_ / "none" / "inside");
  EXPECT_THAT(why_not(base_ / "none"), HasSubstr("holds no file"));
  EXPECT_THAT(why_not(base_ / "absent"), AllOf(HasSubstr("absent"), HasSubstr("No such file")));
}

TEST_F(Archive, copies_a_single_file_as_it_is) {
  Progress silent("", 0, Progress::Style::off);
  const auto content = std::string(300'000, 'z') + "end";
  support::leave_cut_off_write(base_ / "former.bin");
  auto packed = pack_file(write(base_ / "in.bin", content), base_ / "out.bin", silent);
  EXPECT_EQ(support::leftovers_below(base_), "") << "of one that was killed: they are large";
  ASSERT_TRUE(packed) << packed.error().message;
  EXPECT_EQ(read_file(base_ / "out.bin", 1 << 20), content);
  EXPECT_EQ(packed->sha256, sha256_hex(content));
  EXPECT_EQ(packed->content_sha256, packed->sha256);
  EXPECT_EQ(packed->length, content.size());
  EXPECT_EQ(packed->files, 1u);
  EXPECT_THAT(pack_file(write(base_ / "empty", ""), base_ / "e", silent).error().message, HasSubstr("is empty"));
  EXPECT_FALSE(fs::exists(base_ / "e"));
}

class AddRelease : public RepoTest {
 protected:
  std::string why_not(const NewRelease& wanted) const {
    auto workspace = open();
    auto added = add_to(workspace, wanted);
    return added ? "added" : added.error().message;
  }
  NewRelease changed(const std::function<void(NewRelease&)>& change) const {
    auto out = release(5);
    change(out);
    return out;
  }
};

TEST_F(AddRelease, refuses_a_number_that_is_not_newer) {
  published(4);
  EXPECT_THAT(why_not(release(4)), HasSubstr("release 4 of yara-rules full is not newer than release 4"));
  EXPECT_THAT(why_not(release(3)), HasSubstr("not newer"));
  EXPECT_EQ(why_not(release(4, "yara-rules", "light")), "added") << "the variants of a release share its number";
  EXPECT_EQ(why_not(release(5)), "added");
  EXPECT_THAT(why_not(release(5)), HasSubstr("not newer than release 5")) << "staged counts too";
}

TEST_F(AddRelease, refuses_names_and_values_that_clients_would_refuse) {
  init();
  for (const std::string bad : {"", "Yara", "yara_rules", "-yara", "root", "targets", "a/b", "..", "caf\xc3\xa9", "a b"})
    EXPECT_THAT(why_not(changed([&](auto& each) { each.component = bad; })), HasSubstr("component")) << bad;
  EXPECT_THAT(why_not(changed([&](auto& each) { each.component = std::string(65, 'a'); })), HasSubstr("longer"));
  EXPECT_THAT(why_not(changed([](auto& each) { each.variant = "huge"; })), HasSubstr("full or light"));
  EXPECT_THAT(why_not(changed([](auto& each) { each.cls = "rules"; })), HasSubstr("class"));
  EXPECT_THAT(why_not(changed([](auto& each) { each.minimum_agent = "1.2"; })), HasSubstr("1.2.3"));
  EXPECT_THAT(why_not(changed([](auto& each) { each.version = "\xc3\xa9"; })), HasSubstr("ASCII"));
  EXPECT_THAT(why_not(changed([](auto& each) { each.version = std::string(65, 'v'); })), HasSubstr("version"));
  EXPECT_THAT(why_not(changed([](auto& each) { each.source = "/nonexistent"; })), HasSubstr("no such file or folder"));
  EXPECT_THAT(why_not(changed([&](auto& each) { each.source = write(base_ / "caf\xc3\xa9.bin", "x"); })), HasSubstr("ASCII"));
  EXPECT_FALSE(fs::exists(folder() / "staged" / "targets" / "yara-rules"));
}

TEST_F(AddRelease, keeps_the_class_and_minimum_agent_of_the_component) {
  init();
  auto first = release(1);
  first.cls = "application";
  first.minimum_agent = "1.4.0";
  EXPECT_EQ(why_not(first), "added");
  EXPECT_EQ(why_not(release(2)), "added");
  for (const auto& each : releases_in(*open().current("yara-rules"))) {
    EXPECT_EQ(each.cls, "application");
    EXPECT_EQ(each.minimum_agent, "1.4.0");
  }
  EXPECT_THAT(why_not(changed([](auto& each) { each.cls = "databases"; })), HasSubstr("is of class application"));
}

TEST_F(AddRelease, publishes_a_single_file_under_its_name) {
  init();
  auto wanted = release(1, "my-app");
  wanted.source = write(base_ / "my-app-1.0.bin", "program");
  EXPECT_EQ(why_not(wanted), "added");
  sign();
  publish_now();
  EXPECT_EQ(seen_by("a"), "my-app/full/1.bin");
  const auto found = releases_in(*open().published("my-app"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "my-app-1.0.bin");
  EXPECT_EQ(found[0].format, "file");
}

}  // namespace
}  // namespace picket::repo
