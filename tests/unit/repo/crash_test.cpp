// The process dies at every step of a publish. Clients see the old set or the new one, and the next publish finishes the work.
#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include "repo_fixture.hpp"

namespace picket::repo {
namespace {

class CrashedPublish : public RepoTest {
 protected:
  // Publishes in a child that kills itself at step `at`. False: it finished before.
  bool dies_at(int at) const {
    const auto child = ::fork();
    if (child == 0) {
      int step = 0;
      PublishOptions options;
      options.at_step = [&](std::string_view) {
        if (step++ == at) ::raise(SIGKILL);
      };
      const auto report = try_publish(options);
      ::_exit(report ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) != 0) << "the publish failed by itself";
    return WIFSIGNALED(status);
  }

  // From the state that is in the folder now: kills at every step, each time from a fresh copy.
  void kill_everywhere(const std::string& old_set, const std::string& new_set, bool with_follower) {
    const auto saved = base_ / "saved";
    if (with_follower) {
      ASSERT_EQ(seen_by("follower"), old_set);
    }
    fs::create_directories(saved);
    fs::copy(folder(), saved / "publisher", fs::copy_options::recursive);
    if (with_follower) fs::copy(base_ / "clients" / "follower", saved / "follower", fs::copy_options::recursive);
    int step = 0;
    int old_seen = 0, new_seen = 0;
    for (bool died = true; died; ++step) {
      ASSERT_LT(step, 100);
      SCOPED_TRACE("killed at step " + std::to_string(step));
      fs::remove_all(folder());
      fs::remove_all(base_ / "clients");
      fs::copy(saved / "publisher", folder(), fs::copy_options::recursive);
      if (with_follower) {
        fs::create_directories(base_ / "clients");
        fs::copy(saved / "follower", base_ / "clients" / "follower", fs::copy_options::recursive);
      }
      died = dies_at(step);
      const auto newcomer = seen_by("newcomer");
      EXPECT_TRUE(newcomer == old_set || newcomer == new_set) << newcomer;
      (newcomer == old_set ? old_seen : new_seen)++;
      EXPECT_TRUE(!with_follower || seen_by("follower") == newcomer) << seen_by("follower");
      if (died) {
        auto again = try_publish();
        // Killed after the last step that counts: nothing is left to do.
        EXPECT_TRUE(again || (newcomer == new_set && again.error().message.find("nothing is staged") != std::string::npos)) << again.error().message;
      }
      EXPECT_EQ(seen_by("newcomer"), new_set);
      EXPECT_TRUE(!with_follower || seen_by("follower") == new_set) << seen_by("follower");
      EXPECT_TRUE(open().all_staged().empty());
    }
    EXPECT_GE(step, 4) << "there are steps to die at";
    EXPECT_GE(old_seen, 1);
    EXPECT_GE(new_seen, 2) << "also one that died after the switch";
  }
};

TEST_F(CrashedPublish, of_a_new_release_leaves_the_old_or_the_new) {
  published(1);
  add(2);
  add(1, "other");
  sign();
  kill_everywhere("yara-rules/full/1.tar.zst", "yara-rules/full/1.tar.zst yara-rules/full/2.tar.zst other/full/1.tar.zst", true);
}

TEST_F(CrashedPublish, for_the_first_time_leaves_nothing_or_all) {
  init();
  add(1);
  sign();
  kill_everywhere("nothing", "yara-rules/full/1.tar.zst", false);
}

TEST_F(CrashedPublish, that_rotates_every_key_leaves_the_old_or_the_new) {
  published(1);
  add(2);
  {
    auto workspace = open();
    for (const std::string role : {"root", "targets", "snapshot", "timestamp", "yara-rules"}) {
      const auto old = workspace.authority(role).value().role.keyids.front();
      ASSERT_TRUE(add_role_key(workspace, role, make_key("new-" + role)));
      ASSERT_TRUE(remove_role_key(workspace, role, old));
    }
  }
  sign();
  kill_everywhere("yara-rules/full/1.tar.zst", "yara-rules/full/1.tar.zst yara-rules/full/2.tar.zst", true);
}

}  // namespace
}  // namespace picket::repo
