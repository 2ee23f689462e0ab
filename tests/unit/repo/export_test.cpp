#include "repo/export.hpp"

#include <fstream>

#include "repo/packed.hpp"
#include "repo_fixture.hpp"
#include "support/without_privilege.hpp"
#include "trust/folder_repository.hpp"

namespace picket::repo {
namespace {

using testing::HasSubstr;

class Export : public RepoTest {
 protected:
  Result<ExportReport> try_export(const std::vector<ExportWish>& wishes, const fs::path& folder) {
    Progress progress("test", 0, Progress::Style::off);
    return export_repository(folder_of_repository(), wishes, folder, now_, progress);
  }
  fs::path folder_of_repository() const { return folder() / "repository"; }
  fs::path stick() const { return base_ / "stick" / "picket"; }
  // An agent that knows only the first root: what it finds of the component in this folder.
  std::string offered(const fs::path& repository, const std::string& component) {
    FolderFetcher fetcher(repository / "metadata");
    trust::ClientOptions options;
    options.metadata_dir = base_ / "agent";
    fs::remove_all(options.metadata_dir);
    options.now = [this] { return now_; };
    options.pinned_root = read_file(metadata() / "1.root.json", 1u << 20).value();
    auto client = trust::Client::open(std::move(options), fetcher);
    EXPECT_TRUE(client) << client.error().message;
    if (auto done = (*client)->refresh(); !done) return done.error().message;
    const auto targets = (*client)->targets_of(component);
    if (!targets) return targets.error().message;
    std::string out;
    for (const auto& target : *targets) {
      const auto file = repository / "targets" / trust::consistent_target_path(target.path, target.file.hashes.at("sha256"));
      out += (out.empty() ? "" : " ") + target.path + (fs::exists(file) ? "" : " (absent)");
      if (fs::exists(file)) {
        EXPECT_EQ(sha256_hex(read_file(file, 1u << 20).value()), target.file.hashes.at("sha256"));
      }
    }
    return out;
  }
  std::size_t files_below(const fs::path& place) const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(place)) count += entry.is_regular_file() ? 1 : 0;
    return count;
  }
};

TEST_F(Export, holds_just_what_is_needed_and_is_a_source_as_it_is) {
  published(1);
  add(1, "mail-filter");
  add(2);
  add(2, "yara-rules", "light");
  sign();
  publish_now();
  const auto report = try_export({{"yara-rules", "light"}}, stick());
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->lines.size(), 1u);
  EXPECT_EQ(report->lines[0].release, 2);
  EXPECT_EQ(offered(stick(), "yara-rules"), "yara-rules/full/1.tar.zst (absent) yara-rules/full/2.tar.zst (absent) yara-rules/light/2.tar.zst");
  EXPECT_THAT(offered(stick(), "mail-filter"), HasSubstr("mail-filter")) << "its metadata is not needed";
  EXPECT_EQ(files_below(stick() / "targets"), 1u);
  EXPECT_EQ(files_below(stick() / "metadata"), 8u) << "root, timestamp, snapshot, targets, yara-rules; the last three packed, too";
  for (const char* name : {"2.snapshot.json", "2.targets.json", "2.yara-rules.json"}) {
    const auto bytes = [&](const std::string& file) { return read_file(stick() / "metadata" / file, 1u << 20).value_or(""); };
    EXPECT_TRUE(unpacks_to(bytes(packed_name(name)), bytes(name))) << name << ": the drive may be carried to a web or FTP server";
  }
}

TEST_F(Export, takes_all_variants_of_a_component_and_replaces_an_earlier_export) {
  published(1);
  ASSERT_TRUE(try_export({{"yara-rules", ""}}, stick()));
  add(2);
  add(2, "yara-rules", "light");
  sign();
  publish_now();
  const auto report = try_export({{"yara-rules", ""}}, stick());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->lines.size(), 2u);
  EXPECT_EQ(files_below(stick() / "targets"), 2u) << "release 1 went";
  EXPECT_EQ(offered(stick(), "yara-rules"), "yara-rules/full/1.tar.zst (absent) yara-rules/full/2.tar.zst yara-rules/light/2.tar.zst");
}

TEST_F(Export, carries_every_root_since_the_first) {
  published(1);
  for (int i = 0; i < 2; ++i) {
    {
      auto workspace = open();
      ASSERT_TRUE(renew(workspace, "root"));
    }
    sign();
    publish_now();
  }
  ASSERT_TRUE(try_export({{"yara-rules", ""}}, stick()));
  EXPECT_TRUE(fs::exists(stick() / "metadata" / "1.root.json"));
  EXPECT_TRUE(fs::exists(stick() / "metadata" / "2.root.json"));
  EXPECT_TRUE(fs::exists(stick() / "metadata" / "3.root.json"));
  EXPECT_EQ(offered(stick(), "yara-rules"), "yara-rules/full/1.tar.zst");
}

TEST_F(Export, refuses_what_would_not_work_at_the_other_end) {
  published(1);
  EXPECT_THAT(try_export({{"colours", ""}}, stick()).error().message, HasSubstr("offers no component colours"));
  EXPECT_FALSE(fs::exists(stick()));
  std::string name;
  for (const auto& entry : fs::recursive_directory_iterator(targets()))
    if (entry.is_regular_file()) name = entry.path();
  std::ofstream(name, std::ios::app) << "x";
  EXPECT_THAT(try_export({{"yara-rules", ""}}, stick()).error().message, HasSubstr("is damaged"));
  now_ += 4000 * day;
  EXPECT_THAT(try_export({{"yara-rules", ""}}, stick()).error().message, HasSubstr("expired"));
}

TEST_F(Export, leaves_other_peoples_folders_alone) {
  published(1);
  write(base_ / "stick" / "letter.txt", "dear");
  EXPECT_THAT(try_export({{"yara-rules", ""}}, base_ / "stick").error().message, HasSubstr("holds 'letter.txt'"));
  EXPECT_THAT(try_export({{"yara-rules", ""}}, base_ / "stick" / "letter.txt").error().message, HasSubstr("is no folder"));
  EXPECT_THAT(try_export({{"yara-rules", ""}}, base_ / "none" / "deep").error().message, HasSubstr("is no folder"));
  EXPECT_EQ(read_file(base_ / "stick" / "letter.txt", 100).value(), "dear");
  fs::create_directories(base_ / "stick" / "empty");
  EXPECT_TRUE(try_export({{"yara-rules", ""}}, base_ / "stick" / "empty/"));
}

TEST_F(Export, leaves_every_repository_alone_that_no_export_made) {
  published(1);
  const auto before = tree();
  EXPECT_THAT(try_export({{"yara-rules", ""}}, folder_of_repository()).error().message, HasSubstr("lies in a publisher's own folder"));
  EXPECT_THAT(try_export({{"yara-rules", ""}}, folder() / "new").error().message, HasSubstr("lies in a publisher's own folder"));
  fs::copy(folder_of_repository(), base_ / "served", fs::copy_options::recursive);
  EXPECT_THAT(try_export({{"yara-rules", ""}}, base_ / "served").error().message, HasSubstr("is a repository without picket-export.txt"));
  EXPECT_EQ(files_below(base_ / "served"), before.size());
  EXPECT_TRUE(tree() == before);
}

TEST_F(Export, what_somebody_laid_into_an_export_is_kept) {
  published(1);
  ASSERT_TRUE(try_export({{"yara-rules", ""}}, stick()));
  write(stick() / "letter.txt", "dear");
  EXPECT_THAT(try_export({{"yara-rules", ""}}, stick()).error().message, HasSubstr("holds 'letter.txt'"));
  EXPECT_EQ(read_file(stick() / "letter.txt", 100).value(), "dear");
}

TEST_F(Export, says_before_all_work_that_nothing_may_be_written_there) {
  fs::create_directories(base_ / "shut");
  fs::permissions(base_ / "shut", fs::perms(0555));
  const support::WithoutPrivilege nobody;
  const auto done = trust::check_export_folder(base_ / "shut" / "picket");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::denied) << done.error().message;
  EXPECT_THAT(done.error().message, HasSubstr("write in "));
}

// /media/stick itself: what takes its place would be written beside it, on another disk.
TEST_F(Export, says_before_all_work_that_a_mounted_drive_needs_a_folder_on_it) {
  const auto done = trust::check_export_folder("/proc");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::conflict);
  EXPECT_THAT(done.error().message, HasSubstr("/proc is where a drive or share is mounted"));
  EXPECT_THAT(done.error().message, HasSubstr("name a folder on it, as /proc/picket"));
}

TEST_F(Export, a_variant_that_a_component_lacks_is_the_other) {
  published(1);
  const auto report = try_export({{"yara-rules", "light"}}, stick());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->lines[0].variant, "full");
}

TEST(DeviceFile, says_what_a_device_demands) {
  const auto wishes = device_wishes(R"({"schema":"picketctl/1","command":"component list","data":{"components":[
    {"component":"a","wanted_variant":"light","demanded_by":["scanner"],"release":3},{"component":"b","wanted_variant":"full","demanded_by":[]}]}})");
  ASSERT_TRUE(wishes) << wishes.error().message;
  ASSERT_EQ(wishes->size(), 1u);
  EXPECT_EQ(wishes->front().component, "a");
  EXPECT_EQ(wishes->front().variant, "light");
  for (const auto* bad : {"", "[]", "{}", R"({"data":{"components":[{"component":"../x"}]}})", R"({"data":{"components":[{}]}})", R"({"data":{"components":[]}})", R"({"data":{"components":[7]}})"})
    EXPECT_FALSE(device_wishes(bad)) << bad;
}

}  // namespace
}  // namespace picket::repo
