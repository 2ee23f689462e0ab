// What lies on disk: one writer, private, whole, verified, recoverable after any failure.
#include <csignal>

#include <boost/json/array.hpp>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/leftovers.hpp"
#include "support/tuf_client_fixture.hpp"

namespace picket::trust {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using support::TufRepo;
using support::why;

class ClientStore : public support::TufClientTest {
 protected:
  // Two states of a repository with every kind of change between them: root and timestamp keys rotated, all roles newer, a delegation.
  void make_two_states() {
    repo_.delegate("targets", "A");
    repo_.add_target("A", "file", "old");
    repo_.publish_all();
    before_ = repo_.files;
    repo_.rotate("root");
    repo_.rotate("snapshot");
    repo_.publish({"root"});
    repo_.add_target("A", "file", "new");
    repo_.publish_all();
    after_ = repo_.files;
  }
  // Every stored file is byte for byte one that was published.
  void expect_only_published_files() const {
    for (const auto& entry : fs::directory_iterator(folder_ / "metadata")) {
      const auto name = entry.path().filename().native();
      if (!name.ends_with(".json")) continue;
      const auto bytes = stored(name);
      const bool published = std::any_of(after_.begin(), after_.end(), [&](const auto& file) { return file.second == bytes; }) ||
                             std::any_of(before_.begin(), before_.end(), [&](const auto& file) { return file.second == bytes; });
      EXPECT_TRUE(published) << name;
    }
  }
  Result<std::string> find_hash() {
    PICKET_LET(target, find("file"));
    if (!target) return fail(Code::not_found, "file");
    return target->file.hashes.at("sha256");
  }
  std::map<std::string, std::string, std::less<>> before_, after_;
};

TEST_F(ClientStore, survives_a_failure_of_every_single_fetch) {
  make_two_states();
  for (int broken = 0;; ++broken) {
    SCOPED_TRACE(broken);
    fs::remove_all(folder_ / "metadata");
    repo_.files = before_;
    ASSERT_OK(init());
    ASSERT_EQ(find_hash().value(), sha256_hex("old"));
    repo_.files = after_;
    int asked = 0;
    repo_.tamper = [&](std::string_view, Result<std::string> answer) -> Result<std::string> {
      if (asked++ == broken) return fail(Code::unavailable, "the line broke");
      return answer;
    };
    const auto during = find_hash();
    const bool all_asked = asked <= broken;
    repo_.tamper = nullptr;
    EXPECT_EQ(during.has_value(), all_asked);
    expect_only_published_files();
    EXPECT_EQ(find_hash().value(), sha256_hex("new"));
    if (all_asked) break;
    ASSERT_LT(broken, 20);
  }
}

TEST_F(ClientStore, survives_a_power_cut_at_every_single_change_on_disk) {
  keep_marks_ = true;
  make_two_states();
  for (const bool torn : {false, true}) {
    for (int at = 1;; ++at) {
      SCOPED_TRACE(cat(std::to_string(at), torn ? " torn" : ""));
      fs::remove_all(folder_ / "metadata");
      fs::remove(folder_ / "marks");
      disk_.fail_from = 0;
      repo_.files = before_;
      pinned_root_ = repo_.files.at("1.root.json");  // a torn root.json can only heal from a pinned one
      ASSERT_EQ(find_hash().value(), sha256_hex("old"));
      repo_.files = after_;
      disk_.changes = 0;
      disk_.fail_from = at;
      disk_.torn = torn;
      const auto during = find_hash();
      const bool all_written = disk_.changes < at;
      disk_.fail_from = 0;
      EXPECT_EQ(during.has_value(), all_written) << why(during);
      if (!torn) expect_only_published_files();
      const auto afterwards = find_hash();
      ASSERT_OK(afterwards);
      EXPECT_EQ(*afterwards, sha256_hex("new"));
      expect_only_published_files();
      if (all_written) break;
      ASSERT_LT(at, 40);
    }
  }
}

TEST_F(ClientStore, survives_kill_9_at_any_time_and_leaves_no_temporary_files) {
  disk_.real = true;
  make_two_states();
  repo_.files = before_;
  ASSERT_OK(init());
  ASSERT_OK(find_hash());
  repo_.files = after_;
  for (int at = 0; at < 6; ++at) {
    const pid_t child = ::fork();
    if (child == 0) {
      int asked = 0;
      repo_.tamper = [&](std::string_view, Result<std::string> answer) {
        if (asked++ == at) ::raise(SIGKILL);
        return answer;
      };
      (void)find_hash();
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    expect_only_published_files();
  }
  // As if one had been killed inside of a write.
  for (const char* file : {"root.json", "roots/2"}) support::leave_cut_off_write(folder_ / "metadata" / file);
  EXPECT_EQ(find_hash().value(), sha256_hex("new"));
  EXPECT_EQ(support::leftovers_below(folder_ / "metadata"), "");
}

// Property: whatever a hostile source answers, what is stored afterwards was verified.
TEST_F(ClientStore, holds_only_verified_files_whatever_is_answered) {
  make_two_states();
  const std::vector<std::function<std::string(std::string)>> damages = {
      [](std::string) { return std::string(); },
      [](std::string) { return std::string("null"); },
      [](std::string bytes) { return bytes.substr(0, bytes.size() - 1); },
      [](std::string bytes) { return bytes.replace(bytes.find("spec_version"), 4, "SPEC"); },
      [](std::string bytes) { return bytes.replace(bytes.find("\"sig\":\"") + 7, 4, "0000"); },
      [](std::string bytes) { return bytes.insert(bytes.find("\"_type\""), "\"x\":1,"); },
      [](std::string) { return std::string(100'000, '['); },
      [](std::string) { return std::string("\xff\xfe\x00", 3); },
  };
  for (std::size_t damage = 0; damage < damages.size(); ++damage) {
    for (int which = 0; which < 6; ++which) {
      SCOPED_TRACE(cat("damage ", std::to_string(damage), " of answer ", std::to_string(which)));
      fs::remove_all(folder_ / "metadata");
      repo_.files = before_;
      ASSERT_OK(init());
      ASSERT_OK(find_hash());
      repo_.files = after_;
      int answered = 0;
      repo_.tamper = [&](std::string_view, Result<std::string> answer) -> Result<std::string> {
        if (answer && answered++ == which) return damages[damage](*answer);
        return answer;
      };
      const auto during = find_hash();
      repo_.tamper = nullptr;
      EXPECT_EQ(during.has_value(), answered <= which);
      expect_only_published_files();
      EXPECT_EQ(find_hash().value(), sha256_hex("new"));
    }
  }
}

TEST_F(ClientStore, damaged_timestamp_and_snapshot_are_told_and_replaced) {
  ASSERT_OK(init_and_refresh());
  for (const char* name : {"timestamp.json", "snapshot.json", "targets.json"}) {
    events_.clear();
    store(name, "{\"signed\":");
    EXPECT_OK(refresh());
    EXPECT_EQ(stored(name), repo_.files.at(name));
    EXPECT_EQ(events_.size(), 1U) << name;
  }
}

TEST_F(ClientStore, marks_outside_of_the_folder_refuse_a_rollback_that_damage_would_allow) {
  repo_.publish_all();
  const auto old_files = repo_.files;
  repo_.publish_all();
  for (const bool marks : {false, true}) {
    for (const bool lost : {false, true}) {
      SCOPED_TRACE(cat(marks ? "marks" : "no marks", lost ? ", files lost" : ", files damaged"));
      keep_marks_ = marks;
      fs::remove_all(folder_ / "metadata");
      const auto newest = repo_.files;
      ASSERT_OK(init_and_refresh());
      for (const char* name : {"timestamp.json", "snapshot.json"}) {
        if (lost) fs::remove(folder_ / "metadata" / name);
        else store(name, "{}");
      }
      repo_.files = old_files;
      const auto rolled_back = refresh();
      EXPECT_EQ(why(rolled_back), marks ? "untrusted: timestamp version fell from 3 to 2" : "ok");
      EXPECT_EQ(version("targets"), marks ? 3 : 2);
      repo_.files = newest;
      EXPECT_OK(refresh());
    }
  }
}

TEST_F(ClientStore, marks_know_the_files_of_snapshot_too) {
  keep_marks_ = true;
  repo_.publish_all();
  ASSERT_OK(init_and_refresh());
  fs::remove(folder_ / "metadata/timestamp.json");
  fs::remove(folder_ / "metadata/snapshot.json");
  repo_.document("targets")["version"] = 1;
  repo_.publish_as_is("targets");
  repo_.publish({"snapshot", "timestamp"});
  EXPECT_FAILS(refresh(), Code::untrusted, "targets.json (in snapshot) version fell from 2 to 1");
}

TEST_F(ClientStore, marks_refuse_an_older_stored_state_offline) {
  keep_marks_ = true;
  ASSERT_OK(init_and_refresh());
  const auto old_timestamp = stored("timestamp.json"), old_snapshot = stored("snapshot.json"), old_targets = stored("targets.json");
  repo_.publish_all();
  ASSERT_OK(refresh());
  store("timestamp.json", old_timestamp);
  store("snapshot.json", old_snapshot);
  store("targets.json", old_targets);
  EXPECT_FAILS(open()->load_local(), Code::untrusted, "timestamp version fell from 2 to 1");
}

TEST_F(ClientStore, damaged_marks_are_told_and_made_anew) {
  keep_marks_ = true;
  ASSERT_OK(init_and_refresh());
  for (const char* bad : {"", "[]", "{\"root\":null}", "{\"root\":-1,\"timestamp\":1,\"snapshot\":1,\"files\":{},\"timestamp_keys\":[],\"snapshot_keys\":[]}"}) {
    events_.clear();
    ASSERT_TRUE(write_file_atomic(folder_ / "marks", bad));
    repo_.publish({"timestamp"});
    EXPECT_OK(refresh());
    EXPECT_TRUE(told("marks")) << bad;
    EXPECT_NE(read_file(folder_ / "marks", 10'000).value().find("\"timestamp\":"), std::string::npos);
  }
}

TEST_F(ClientStore, init_with_another_repository_forgets_marks_of_the_first) {
  keep_marks_ = true;
  repo_.publish_all();
  repo_.publish({"root", "root"});
  ASSERT_OK(init_and_refresh());
  repo_ = TufRepo();
  EXPECT_OK(init_and_refresh());
  EXPECT_EQ(version("root"), 1);
  EXPECT_EQ(version("timestamp"), 1);
}

TEST_F(ClientStore, init_with_the_same_root_again_keeps_everything) {
  keep_marks_ = true;
  ASSERT_OK(init_and_refresh());
  ASSERT_OK(init());
  EXPECT_EQ(version("targets"), 1);
  ASSERT_OK(refresh());
  EXPECT_EQ(repo_.requests.size(), 2U);
}

TEST_F(ClientStore, one_process_at_a_time) {
  const auto client = open();
  TufRepo other;
  EXPECT_FAILS(Client::open(options(), other), Code::busy, "another process");
}

// go-tuf f400bf4: the folder was readable and writable for all.
TEST_F(ClientStore, folder_and_files_are_private_go_tuf_f400bf4) {
  const auto mode = [](const fs::path& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_mode & 0777;
  };
  disk_.real = true;
  ASSERT_TRUE(make_folders(folder_ / "metadata", 0777));
  ASSERT_EQ(::chmod((folder_ / "metadata").c_str(), 0777), 0);
  ASSERT_OK(init_and_refresh());
  EXPECT_EQ(mode(folder_ / "metadata"), 0700U);
  EXPECT_EQ(mode(folder_ / "metadata/root.json"), 0600U);
}

TEST_F(ClientStore, a_folder_that_cannot_be_made_is_one_clear_error) {
  ASSERT_TRUE(write_file_atomic(folder_ / "metadata", "a file"));
  EXPECT_FAILS(Client::open(options(), repo_), Code::not_found, "metadata: Not a directory");
  auto unnamed = options();
  unnamed.metadata_dir.clear();
  EXPECT_FAILS(Client::open(unnamed, repo_), Code::invalid, "no metadata folder");
}

}  // namespace
}  // namespace picket::trust
