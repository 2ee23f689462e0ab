#include "repo/publish.hpp"

#include <sys/stat.h>

#include "repo/verify.hpp"
#include "repo_fixture.hpp"
#include "support/leftovers.hpp"

namespace picket::repo {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Not;
using testing::UnorderedElementsAre;

class Publish : public RepoTest {};

void replace(std::string& text, std::string_view what, std::string_view with) {
  const auto at = text.find(what);
  ASSERT_NE(at, text.npos) << what << " in " << text;
  text.replace(at, what.size(), with);
}

TEST_F(Publish, gives_clients_what_was_added) {
  published(1);
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst");
  add(1, "yara-rules", "light");
  add(2);
  sign();
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst") << "staged is not published";
  publish_now();
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst yara-rules/full/2.tar.zst yara-rules/light/1.tar.zst");
  EXPECT_EQ(seen_by("b"), seen_by("a"));
}

TEST_F(Publish, leaves_nothing_staged_and_only_consistent_names) {
  published(1);
  EXPECT_THAT(open().all_staged(), IsEmpty());
  EXPECT_TRUE(fs::is_empty(folder() / "staged" / "targets" / "yara-rules" / "full"));
  const auto files = tree();
  for (const char* name : {"1.root.json", "1.targets.json", "1.snapshot.json", "1.yara-rules.json", "timestamp.json"})
    EXPECT_THAT(files, Contains(Key(std::string("repository/metadata/") + name)));
  for (const char* name : {"root.json", "targets.json", "snapshot.json"}) EXPECT_THAT(files, Not(Contains(Key(std::string("repository/metadata/") + name))));
  for (const char* name : {"1.targets.json.gz", "1.snapshot.json.gz", "1.yara-rules.json.gz"}) EXPECT_THAT(files, Contains(Key(std::string("repository/metadata/") + name)));
  EXPECT_EQ(files.size(), 9u);
}

TEST_F(Publish, who_writes_begins_without_what_one_that_was_killed_left) {
  published(1);
  for (const auto& file : {folder() / "staged" / "targets.json", metadata() / "timestamp.json"}) support::leave_cut_off_write(file);
  const auto left = support::leftovers_below(folder());
  open(Workspace::Access::read);
  EXPECT_EQ(support::leftovers_below(folder()), left) << "another one may be writing";
  open();
  EXPECT_EQ(support::leftovers_below(folder()), "");
}

TEST_F(Publish, changes_only_what_is_new) {
  published(1);
  const auto before = tree();
  add(2);
  sign();
  auto report = try_publish();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->versions, (std::map<std::string, std::int64_t>{{"snapshot", 2}, {"timestamp", 2}, {"yara-rules", 2}}));
  const auto after = tree();
  for (const auto& [name, bytes] : before) EXPECT_TRUE(name.ends_with("timestamp.json") || after.at(name) == bytes) << name;
}

TEST_F(Publish, refuses_what_is_not_signed_and_says_by_whom) {
  init();
  add(1);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("root needs 1 more signature, by root"), HasSubstr("targets needs 1 more signature, by targets"),
                               HasSubstr("yara-rules needs 1 more signature, by targets")));
  {
    auto workspace = open();
    ASSERT_TRUE(sign_staged(workspace, keys(), {"root", "targets"}, {}));
  }
  EXPECT_THAT(refusal(), AllOf(HasSubstr("yara-rules needs"), Not(HasSubstr("root needs"))));
}

TEST_F(Publish, refuses_when_nothing_is_staged) {
  published(1);
  EXPECT_THAT(refusal(), HasSubstr("nothing is staged"));
}

TEST_F(Publish, refuses_without_the_online_keys) {
  published(1);
  add(2);
  sign();
  fs::rename(folder() / "keys" / "timestamp.key.pem", base_ / "gone");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("timestamp needs 1 more signature"), HasSubstr("private key is not here")));
  fs::rename(base_ / "gone", folder() / "keys" / "timestamp.key.pem");
  publish_now();
}

TEST_F(Publish, refuses_what_has_expired_since_it_was_signed) {
  published(1);
  add(2);
  sign();
  now_ += 181 * day;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("clients would refuse this"), HasSubstr("yara-rules"), HasSubstr("expired")));
}

TEST_F(Publish, refuses_a_target_that_was_changed_after_it_was_signed) {
  published(1);
  add(2);
  sign();
  const auto staged = folder() / "staged" / "targets" / "yara-rules" / "full" / "2.tar.zst";
  const auto good = read_file(staged, 1 << 20).value();
  auto bad = good;
  bad.back() = static_cast<char>(bad.back() ^ 1);
  write(staged, bad);
  EXPECT_THAT(refusal(), HasSubstr("2.tar.zst"));
  write(staged, good + "x");
  EXPECT_THAT(refusal(), HasSubstr("2.tar.zst"));
  fs::remove(staged);
  EXPECT_THAT(refusal(), HasSubstr("the file of target yara-rules/full/2.tar.zst is missing"));
  write(staged, good);
  publish_now();
}

TEST_F(Publish, refuses_other_content_under_a_published_path) {
  published(1);
  add(2);
  sign();
  publish_now();
  add(3);
  edit_staged("yara-rules", [](std::string& text) {
    // What release 3 is, under the path of release 2.
    auto at = text.find("\"yara-rules/full/2.tar.zst\"");
    auto from = text.find("\"content\":", at);
    auto sha = text.find("\"sha256\":\"", from) + 10;
    text.replace(sha, 64, std::string(64, 'a'));
  });
  sign();
  EXPECT_THAT(refusal(), HasSubstr("yara-rules/full/2.tar.zst is published already, with other content"));
}

TEST_F(Publish, refuses_patterns_that_clients_read_differently) {
  init();
  add(1);
  edit_staged("targets", [](std::string& text) { replace(text, "yara-rules/*/*", "yara-[rq]ules/*/*"); });
  sign();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("targets.json"), HasSubstr("holds [")));
}

TEST_F(Publish, refuses_patterns_that_do_not_cover_the_component) {
  init();
  add(1);
  edit_staged("targets", [](std::string& text) { replace(text, "yara-rules/*/*", "other/*/*"); });
  sign();
  EXPECT_THAT(refusal(), HasSubstr("no client would find it"));
}

TEST_F(Publish, refuses_names_that_are_not_ascii) {
  init();
  add(1);
  edit_staged("yara-rules", [](std::string& text) { replace(text, "yara-rules/full/1.tar.zst", "yara-rules/full/\xc3\xa9.tar.zst"); });
  sign();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("yara-rules.json"), HasSubstr("not ASCII")));
}

TEST_F(Publish, refuses_paths_that_climb) {
  init();
  add(1);
  edit_staged("yara-rules", [](std::string& text) { replace(text, "yara-rules/full/1.tar.zst", "yara-rules/../1.tar.zst"); });
  sign();
  EXPECT_THAT(refusal(), HasSubstr("yara-rules.json"));
}

TEST_F(Publish, refuses_names_that_clash_without_case) {
  init();
  add(1);
  edit_staged("yara-rules", [](std::string& text) {
    replace(text, "\"yara-rules/full/1.tar.zst\":", R"("yara-rules/FULL/1.tar.zst":{"length":1,"hashes":{"sha256":"00"}},"yara-rules/full/1.tar.zst":)");
  });
  sign();
  EXPECT_THAT(refusal(), HasSubstr("two targets are called"));
}

TEST_F(Publish, refuses_targets_that_are_no_releases) {
  init();
  add(1);
  edit_staged("yara-rules", [](std::string& text) { replace(text, "\"custom\":{\"picket\"", "\"custom\":{\"pocket\""); });
  sign();
  EXPECT_THAT(refusal(), HasSubstr("is not a release"));
}

TEST_F(Publish, refuses_numbers_that_are_not_integers) {
  init();
  add(1);
  edit_staged("yara-rules", [](std::string& text) { replace(text, "\"files\":2", "\"files\":2.0"); });
  EXPECT_THAT(refusal(), AllOf(HasSubstr("staged/yara-rules.json"), HasSubstr("not an integer")));
}

TEST_F(Publish, refuses_a_staged_version_below_the_published_one) {
  published(1);
  add(2);
  sign();
  publish_now();
  add(3);
  edit_staged("yara-rules", [](std::string& text) { replace(text, "\"version\":3,", "\"version\":1,"); });
  EXPECT_THAT(refusal(), AllOf(HasSubstr("staged/yara-rules.json is version 1"), HasSubstr("version 2 is published")));
}

TEST_F(Publish, refuses_metadata_that_nothing_delegates_to) {
  init();
  add(1);
  fs::copy(folder() / "staged" / "yara-rules.json", folder() / "staged" / "stranger.json");
  {
    auto workspace = open();
    auto signed_now = sign_staged(workspace, keys(), {"root", "targets", "yara-rules"}, {});
    ASSERT_TRUE(signed_now) << signed_now.error().message;
  }
  EXPECT_THAT(refusal(), HasSubstr("stranger is staged, but nothing delegates to it"));
}

TEST_F(Publish, renews_an_expired_timestamp_and_the_snapshot_only_when_it_is_due) {
  published(1);
  now_ += 8 * day;
  EXPECT_THAT(seen_by("a"), AllOf(HasSubstr("timestamp"), HasSubstr("expired")));
  PublishOptions online;
  online.online_only = true;
  auto report = try_publish(online);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->versions, (std::map<std::string, std::int64_t>{{"timestamp", 2}}));
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst");
  now_ += 8 * day;  // 16 of the snapshot's 30 days
  report = try_publish(online);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->versions, (std::map<std::string, std::int64_t>{{"snapshot", 2}, {"timestamp", 3}}));
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst");
}

TEST_F(Publish, renewing_the_timestamp_leaves_what_is_staged_alone) {
  published(1);
  add(2);
  PublishOptions online;
  online.online_only = true;
  ASSERT_TRUE(try_publish(online));
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst");
  sign();
  publish_now();
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst yara-rules/full/2.tar.zst");
}

TEST_F(Publish, cannot_renew_what_was_never_published) {
  init();
  PublishOptions online;
  online.online_only = true;
  EXPECT_THAT(refusal(online), HasSubstr("nothing is published yet"));
}

TEST_F(Publish, what_is_staged_can_be_thrown_away) {
  const auto thrown_away = [&] {
    auto workspace = open();
    const auto roles = discard(workspace);
    return roles ? *roles : std::vector<std::string>{roles.error().message};
  };
  init();
  EXPECT_THAT(thrown_away(), ElementsAre("nothing is staged but the first root and targets"));
  add(1, "yara-rulse");
  sign();
  EXPECT_THAT(thrown_away(), ElementsAre("yara-rulse", "targets"));
  add(1);
  sign();
  publish_now();
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst");
  const auto before = tree();
  add(2);
  add(1, "other");
  ASSERT_TRUE([&] { auto workspace = open(); return renew(workspace, "root"); }());
  EXPECT_THAT(thrown_away(), ElementsAre("yara-rules", "other", "targets", "root"));
  EXPECT_THAT(thrown_away(), ElementsAre("nothing is staged"));
  EXPECT_EQ(refusal(), "nothing is staged (picket-repo timestamp renews what is published)");
  EXPECT_TRUE(tree() == before);
  EXPECT_TRUE(fs::is_empty(folder() / "staged" / "targets"));
  fs::remove_all(base_ / "content" / "yara-rules" / "full" / "2");
  write(base_ / "content" / "yara-rules" / "full" / "2" / "rules" / "right.yar", "rule right");
  add(2);
  sign();
  publish_now();
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst yara-rules/full/2.tar.zst");
  EXPECT_EQ(seen_by("b"), seen_by("a"));
}

TEST_F(Publish, takes_one_publisher_at_a_time) {
  init();
  const auto first = open();
  auto second = Workspace::open(folder(), now_, Workspace::Access::write);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_TRUE(Workspace::open(folder(), now_, Workspace::Access::read)) << "looking needs no lock";
}

TEST_F(Publish, keeps_old_releases_readable_until_they_are_cleaned) {
  published(1);
  {
    auto workspace = open();
    auto wanted = release(2);
    wanted.keep = 1;
    auto added = add_to(workspace, wanted);
    ASSERT_TRUE(added) << added.error().message;
    EXPECT_EQ(added->dropped, std::vector<std::string>{"yara-rules/full/1.tar.zst"});
  }
  sign();
  publish_now();
  EXPECT_EQ(seen_by("a"), "yara-rules/full/2.tar.zst");
  const auto count = tree().size();
  auto workspace = open();
  auto cleaned = clean(workspace, static_cast<UnixTime>(std::time(nullptr)) - 3600);
  ASSERT_TRUE(cleaned);
  EXPECT_EQ(cleaned->files, 0u) << "an agent in the middle of an update still reads them";
  cleaned = clean(workspace, static_cast<UnixTime>(std::time(nullptr)) + 3600);
  ASSERT_TRUE(cleaned) << cleaned.error().message;
  EXPECT_EQ(cleaned->files, 5u) << "1.snapshot.json and 1.yara-rules.json, each with its .gz, the target of release 1";
  EXPECT_EQ(tree().size(), count - 5);
  EXPECT_THAT(tree(), Contains(Key("repository/metadata/1.root.json")));
  EXPECT_EQ(seen_by("b"), "yara-rules/full/2.tar.zst");
}

TEST_F(Publish, leaves_what_is_asked_for_by_version_packed_beside_it) {
  published(1);
  const auto is_there = [&](const std::string& name) { return fs::exists(metadata() / (name + ".json.gz")); };
  for (const char* name : {"1.snapshot", "1.targets", "1.yara-rules"}) {
    ASSERT_TRUE(is_there(name)) << name;
    EXPECT_THAT(read_file(metadata() / cat(name, ".json.gz"), 1 << 20).value(), testing::StartsWith("\x1f\x8b")) << name;
  }
  EXPECT_FALSE(is_there("1.root") || is_there("timestamp"));
  // What lacks it, as when it was published by an older picket-repo, gets it with the next publish.
  fs::remove(metadata() / "1.targets.json.gz");
  add(2);
  sign();
  publish_now();
  EXPECT_TRUE(is_there("1.targets") && is_there("2.yara-rules") && is_there("2.snapshot"));
}

TEST_F(Publish, verify_tells_packed_metadata_that_are_stale_damaged_or_missing_and_a_new_timestamp_mends_them) {
  published(1);
  const auto older = read_file(metadata() / "1.snapshot.json.gz", 1 << 20).value();
  add(2);
  sign();
  publish_now();
  const auto targets_json = metadata() / "1.targets.json.gz", rules = metadata() / "2.yara-rules.json.gz", snapshot = metadata() / "2.snapshot.json.gz";
  const auto verified = [&] {
    Progress silent("", 0, Progress::Style::off);
    auto found = verify_repository(folder() / "repository", read_file(metadata() / "1.root.json", 1 << 20).value(), now_, false, silent);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(Verified{});
  };
  EXPECT_THAT(verified().problems, IsEmpty());
  EXPECT_EQ(verified().packed, 3u);
  const auto before = tree();
  const auto half = read_file(rules, 1 << 20).value();
  write(rules, half.substr(0, half.size() / 2));
  write(snapshot, older);
  fs::remove(targets_json);
  EXPECT_THAT(verified().problems, UnorderedElementsAre(AllOf(HasSubstr(rules.native()), HasSubstr("does not unpack to 2.yara-rules.json")),
                                                        AllOf(HasSubstr(snapshot.native()), HasSubstr("does not unpack to 2.snapshot.json")),
                                                        AllOf(HasSubstr(targets_json.native()), HasSubstr("is missing"))));
  PublishOptions timestamp;
  timestamp.online_only = true;
  ASSERT_TRUE(try_publish(timestamp));
  EXPECT_THAT(verified().problems, IsEmpty());
  for (const auto& [name, bytes] : tree()) EXPECT_TRUE(name.ends_with("timestamp.json") || before.at(name) == bytes) << name;
  // A copy that was made for a folder has none: agents ask for none there.
  for (const auto& file : {targets_json, rules, snapshot}) fs::remove(file);
  EXPECT_THAT(verified().problems, IsEmpty());
  EXPECT_EQ(verified().packed, 0u);
}

TEST_F(Publish, verify_tells_every_target_that_is_not_what_was_signed) {
  published(1);
  add(2);
  add(1, "yara-rules", "light");
  sign();
  publish_now();
  const auto root = read_file(metadata() / "1.root.json", 1 << 20).value();
  const auto problems = [&](bool read) {
    Progress silent("", 0, Progress::Style::off);
    auto found = verify_repository(folder() / "repository", root, now_, read, silent);
    EXPECT_TRUE(found) << found.error().message;
    return found ? found->problems : std::vector<std::string>{"error"};
  };
  EXPECT_THAT(problems(true), IsEmpty());
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(targets() / "yara-rules" / "full")) files.push_back(entry.path());
  auto bytes = read_file(files.at(0), 1 << 20).value();
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write(files.at(0), bytes);
  fs::resize_file(files.at(1), 10);
  EXPECT_EQ(problems(true).size(), 2u);
  EXPECT_EQ(problems(false).size(), 1u) << "a changed byte shows only when it is read";
  write(metadata() / "2.yara-rules.json", "{}");
  Progress silent("", 0, Progress::Style::off);
  EXPECT_FALSE(verify_repository(folder() / "repository", root, now_, true, silent));
}

}  // namespace
}  // namespace picket::repo
