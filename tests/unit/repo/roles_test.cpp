#include "repo/edit.hpp"

#include "repo_fixture.hpp"

namespace picket::repo {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Roles : public RepoTest {
 protected:
  std::string first_key(std::string_view role) const { return open(Workspace::Access::read).authority(role).value().role.keyids.front(); }
};

class RotateEach : public Roles, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Role, RotateEach, testing::Values("root", "targets", "snapshot", "timestamp", "yara-rules"), [](const auto& each) {
  std::string name = each.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST_P(RotateEach, key_and_clients_follow_from_any_point) {
  const std::string role = GetParam();
  published(1);
  ASSERT_EQ(seen_by("follower"), "yara-rules/full/1.tar.zst");
  const auto old = first_key(role);
  {
    auto workspace = open();
    ASSERT_TRUE(add_role_key(workspace, role, make_key("next")));
    ASSERT_TRUE(remove_role_key(workspace, role, old));
  }
  sign();
  publish_now();
  EXPECT_NE(first_key(role), old);
  EXPECT_EQ(seen_by("follower"), "yara-rules/full/1.tar.zst");
  EXPECT_EQ(seen_by("newcomer"), "yara-rules/full/1.tar.zst");
  // Without the old key everything goes on. (The first key of targets is also the component's, and stays that until it is changed there.)
  const auto store = keys();
  for (const auto& info : store.keys())
    if (info.keyid == old && role != "yara-rules" && role != "targets") fs::remove(*info.private_file);
  add(2);
  sign();
  publish_now();
  EXPECT_EQ(seen_by("follower"), "yara-rules/full/1.tar.zst yara-rules/full/2.tar.zst");
}

TEST_F(Roles, a_key_that_is_here_under_two_names_signs_by_the_one_with_the_private_half) {
  published(1);
  fs::copy_file(folder() / "keys" / "root.pub.json", folder() / "keys" / "alias.pub.json");
  {
    auto workspace = open();
    ASSERT_TRUE(renew(workspace, "root"));
  }
  sign();
  publish_now();
  EXPECT_EQ(keys().name_of(first_key("root")), "root");
}

TEST_F(Roles, a_new_root_needs_the_old_roots_keys) {
  published(1);
  const auto old = first_key("root");
  {
    auto workspace = open();
    ASSERT_TRUE(add_role_key(workspace, "root", make_key("next")));
    ASSERT_TRUE(remove_role_key(workspace, "root", old));
  }
  fs::rename(folder() / "keys" / "root.key.pem", base_ / "gone");
  sign();
  EXPECT_THAT(refusal(), HasSubstr("root (by the keys of the root that is published) needs 1 more signature, by root"));
  fs::rename(base_ / "gone", folder() / "keys" / "root.key.pem");
  sign();
  publish_now();
}

TEST_F(Roles, threshold_two_of_three_is_met_by_separate_signers) {
  published(1);
  {
    auto workspace = open();
    ASSERT_TRUE(add_role_key(workspace, "targets", make_key("bob", true)));
    ASSERT_TRUE(add_role_key(workspace, "targets", make_key("carol", true)));
    ASSERT_TRUE(set_threshold(workspace, "targets", 2));
    EXPECT_NE(workspace.staged("targets"), nullptr) << "one signature is no longer enough for what is published";
  }
  sign(false);  // root, and the first of targets' keys
  EXPECT_THAT(refusal(), AllOf(HasSubstr("targets needs 1 more signature, by "), HasSubstr("bob"), HasSubstr("carol"), Not(HasSubstr("root needs"))));
  {
    auto workspace = open();
    auto report = sign_staged(workspace, keys(), {}, {"carol"});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_THAT(report->missing, IsEmpty());
    ASSERT_EQ(report->added.size(), 1u);
    EXPECT_EQ(report->added[0].key, "carol");
  }
  publish_now();
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst");
}

TEST_F(Roles, a_private_key_that_lies_alone_in_a_further_folder_signs_for_its_public_half_here) {
  init();
  for (const char* name : {"root.key.pem", "targets.key.pem"}) fs::rename(folder() / "keys" / name, base_ / "stick" / name);
  add(1);
  EXPECT_THAT(refusal(), HasSubstr("signatures are missing"));
  sign();
  publish_now();
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst");
}

TEST_F(Roles, a_private_key_of_another_repository_with_the_same_name_signs_nothing) {
  init();
  fs::remove(folder() / "keys" / "root.key.pem");
  write(base_ / "stick" / "root.key.pem", trust::PrivateKey::generate("ed25519").value().to_pem("").value());
  auto workspace = open();
  const auto report = sign_staged(workspace, keys(), {}, {});
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("root.key.pem is not the private half of the key root that is known here"));
}

TEST_F(Roles, a_second_signature_by_the_same_key_does_not_count) {
  published(1);
  {
    auto workspace = open();
    ASSERT_TRUE(add_role_key(workspace, "targets", make_key("bob", true)));
    ASSERT_TRUE(set_threshold(workspace, "targets", 2));
  }
  sign(false);
  auto workspace = open();
  auto again = sign_staged(workspace, keys(false), {}, {});
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, AllOf(HasSubstr("no private key here"), HasSubstr("targets needs 1 more signature")));
}

TEST_F(Roles, changing_what_is_staged_takes_its_signatures_away) {
  init();
  add(1);
  sign();
  add(1, "yara-rules", "light");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("yara-rules needs 1 more signature"), Not(HasSubstr("root needs"))));
}

TEST_F(Roles, a_component_has_keys_of_its_own_when_asked) {
  init();
  const auto vendor = make_key("vendor", true);
  {
    auto workspace = open();
    auto wanted = release(1);
    wanted.keys = {vendor};
    ASSERT_TRUE(add_to(workspace, wanted));
  }
  sign(false);
  EXPECT_THAT(refusal(), HasSubstr("yara-rules needs 1 more signature, by vendor"));
  sign();
  publish_now();
  EXPECT_EQ(first_key("yara-rules"), vendor.key_id());
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst");
}

TEST_F(Roles, refuse_thresholds_that_cannot_be_met) {
  init();
  auto workspace = open();
  for (const std::int64_t bad : {0, -1, 2})
    EXPECT_THAT(set_threshold(workspace, "root", bad).error().message, HasSubstr("must be 1 to 1")) << bad;
  EXPECT_THAT(remove_role_key(workspace, "root", workspace.authority("root")->role.keyids.front()).error().message, HasSubstr("would have 0 left"));
  EXPECT_EQ(set_threshold(workspace, "nobody", 1).error().code, Code::not_found);
  EXPECT_EQ(remove_role_key(workspace, "root", "0123").error().code, Code::not_found);
  EXPECT_EQ(renew(workspace, "nobody").error().code, Code::not_found);
  EXPECT_EQ(renew(workspace, "timestamp").error().code, Code::invalid);
}

TEST_F(Roles, refuse_a_key_twice_however_it_is_spelt) {
  init();
  auto workspace = open();
  auto key = trust::PrivateKey::generate("ecdsa").value().public_key();
  ASSERT_TRUE(add_role_key(workspace, "root", key));
  auto other = key.to_json();
  other["keytype"] = "ecdsa-sha2-nistp256";
  EXPECT_EQ(add_role_key(workspace, "root", trust::PublicKey::parse(other).value()).error().code, Code::conflict);
}

TEST_F(Roles, expiry_is_settable_and_renewable) {
  published(1);
  {
    auto workspace = open();
    ASSERT_TRUE(set_expiry(workspace, "yara-rules", 48));
    ASSERT_TRUE(set_expiry(workspace, "timestamp", 12));
    EXPECT_EQ(workspace.staged("yara-rules")->expires(), now_ + 2 * day);
  }
  sign();
  publish_now();
  EXPECT_EQ(open().published("timestamp")->expires(), now_ + day / 2);
  now_ += day;
  {
    auto workspace = open();
    ASSERT_TRUE(renew(workspace, "yara-rules"));
    EXPECT_EQ(workspace.staged("yara-rules")->expires(), now_ + 2 * day) << "the setting is remembered";
  }
  sign();
  publish_now();
  EXPECT_EQ(seen_by("a"), "yara-rules/full/1.tar.zst");
}

TEST_F(Roles, unused_keys_leave_the_metadata) {
  init();
  const auto old = first_key("snapshot");
  auto workspace = open();
  ASSERT_TRUE(add_role_key(workspace, "snapshot", make_key("next")));
  ASSERT_TRUE(remove_role_key(workspace, "snapshot", old));
  EXPECT_FALSE(workspace.staged("root")->body.at("keys").as_object().contains(old));
}

}  // namespace
}  // namespace picket::repo
