// A publisher's folder in a temporary place, and clients that read what it publishes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "repo/candidate.hpp"
#include "repo/edit.hpp"
#include "repo/key_store.hpp"
#include "repo/publish.hpp"
#include "repo/sign.hpp"
#include "repo/workspace.hpp"

namespace picket::repo {

namespace fs = std::filesystem;

class RepoTest : public testing::Test {
 protected:
  static constexpr UnixTime start = 1'790'000'000, day = 86'400;  // 2026-09-21

  void SetUp() override {
    // In memory where there is such a place: every step is an fsync, which costs minutes on a busy disk and proves nothing here.
    const fs::path memory = "/dev/shm";
    base_ = (::access(memory.c_str(), W_OK) == 0 ? memory : fs::path(testing::TempDir())) / ("picket-repo-" + to_hex(random_bytes(6)));
    fs::create_directories(base_ / "stick");
  }
  void TearDown() override { fs::remove_all(base_); }

  fs::path folder() const { return base_ / "publisher"; }
  fs::path metadata() const { return folder() / "repository" / "metadata"; }
  fs::path targets() const { return folder() / "repository" / "targets"; }

  Workspace open(Workspace::Access access = Workspace::Access::write) const {
    auto out = Workspace::open(folder(), now_, access);
    EXPECT_TRUE(out) << out.error().message;
    return std::move(*out);
  }
  KeyStore keys(bool with_stick = true) const {
    std::vector<fs::path> folders{folder() / "keys"};
    if (with_stick) folders.push_back(base_ / "stick");
    auto out = KeyStore::open(folders, {});
    EXPECT_TRUE(out) << out.error().message;
    return std::move(*out);
  }
  trust::PublicKey make_key(const std::string& name, bool on_stick = false) const {
    auto key = trust::PrivateKey::generate("ed25519").value();
    const auto made = write_key_pair(on_stick ? base_ / "stick" : folder() / "keys", name, key, "");
    EXPECT_TRUE(made) << made.error().message;
    return key.public_key();
  }

  // Keys root, targets, snapshot, timestamp; version 1 staged.
  void init() const {
    auto workspace = Workspace::create(folder(), now_);
    ASSERT_TRUE(workspace) << workspace.error().message;
    std::vector<trust::PublicKey> role_keys;
    for (const char* role : {"root", "targets", "snapshot", "timestamp"}) role_keys.push_back(make_key(role));
    ASSERT_TRUE(stage_first(*workspace, role_keys));
    ASSERT_TRUE(workspace->save_settings());
  }

  fs::path write(const fs::path& path, std::string_view bytes) const {
    fs::create_directories(path.parent_path());
    EXPECT_TRUE(write_file_atomic(path, bytes));
    return path;
  }
  NewRelease release(std::int64_t number, const std::string& component = "yara-rules", const std::string& variant = "full") const {
    NewRelease out;
    out.component = component;
    out.variant = variant;
    out.release = number;
    out.level = 1;
    out.source = base_ / "content" / component / variant / std::to_string(number);
    if (!fs::exists(out.source)) {
      write(out.source / "rules" / "a.yar", "rule a" + std::to_string(number));
      write(out.source / "index", variant);
    }
    return out;
  }
  static Result<Added> add_to(Workspace& workspace, const NewRelease& wanted) {
    Progress silent("", 0, Progress::Style::off);
    return add_release(workspace, wanted, silent);
  }
  void add(std::int64_t number, const std::string& component = "yara-rules", const std::string& variant = "full") const {
    auto workspace = open();
    auto added = add_to(workspace, release(number, component, variant));
    ASSERT_TRUE(added) << added.error().message;
  }
  void sign(bool with_stick = true) const {
    auto workspace = open();
    auto signed_now = sign_staged(workspace, keys(with_stick), {}, {});
    ASSERT_TRUE(signed_now) << signed_now.error().message;
  }
  Result<PublishReport> try_publish(PublishOptions options = {}) const {
    auto workspace = Workspace::open(folder(), now_, Workspace::Access::write);
    if (!workspace) return fail(workspace.error());
    Progress silent("", 0, Progress::Style::off);
    return publish(*workspace, keys(), options, silent);
  }
  void publish_now() const {
    auto report = try_publish();
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->warning, "");
  }
  std::string refusal(PublishOptions options = {}) const {
    const auto before = tree();
    auto report = try_publish(std::move(options));
    EXPECT_TRUE(tree() == before) << "a refused publish must change nothing that is published";
    return report ? "published" : report.error().message;
  }
  void published(std::int64_t number) {
    init();
    add(number);
    sign();
    publish_now();
  }

  // Every published file and its bytes.
  std::map<std::string, std::string> tree() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder() / "repository"))
      if (entry.is_regular_file()) out[entry.path().lexically_relative(folder()).native()] = read_file(entry.path(), 1 << 24).value();
    return out;
  }
  // A staged document as text, changed by hand, and written back.
  void edit_staged(const std::string& role, const std::function<void(std::string&)>& change) const {
    auto text = read_file(folder() / "staged" / (role + ".json"), 1 << 24).value();
    change(text);
    write(folder() / "staged" / (role + ".json"), text);
  }

  // What a client sees that keeps its state in `state` (a new one begins with 1.root.json): "component/variant/release ..." in one
  // line, or the error. Every target that it sees must be there with the right bytes.
  std::string seen_by(const std::string& state) const {
    const auto state_folder = base_ / "clients" / state;
    const bool is_new = !fs::exists(state_folder);
    fs::create_directories(state_folder);
    FolderFetcher fetcher(metadata());
    trust::ClientOptions options;
    options.metadata_dir = state_folder;
    options.now = [this] { return now_; };
    options.earliest_time = 0;
    auto client = trust::Client::open(std::move(options), fetcher);
    if (!client) return "error: " + client.error().message;
    if (is_new) {
      auto root = read_file(metadata() / "1.root.json", 1 << 20);
      if (!root) {
        fs::remove_all(state_folder);
        return "nothing";
      }
      if (auto done = (*client)->init(*root); !done) return "error: " + done.error().message;
    }
    if (auto done = (*client)->refresh(); !done) return "error: " + done.error().message;
    std::string out;
    const auto roles = (*client)->delegated_roles().value();
    for (const auto& role : roles) {
      auto found = (*client)->targets_of(role);
      if (!found) return "error: " + found.error().message;
      for (const auto& target : *found) {
        const auto& sha256 = target.file.hashes.at("sha256");
        auto bytes = read_file(targets() / trust::consistent_target_path(target.path, sha256), 1 << 24);
        if (!bytes) return "error: " + bytes.error().message;
        if (sha256_hex(*bytes) != sha256) return "error: wrong bytes of " + target.path;
        out += (out.empty() ? "" : " ") + target.path;
      }
    }
    return out;
  }

  fs::path base_;
  UnixTime now_ = start;
};

}  // namespace picket::repo
