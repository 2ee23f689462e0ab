// What is refused before it runs, and the reason that is given.
#include "conformance/host/host_fixture.hpp"

#include <fstream>
#include <future>
#include <memory>

#include <sys/stat.h>
#include <unistd.h>

#include "base/files.hpp"

namespace picket::test {

namespace fs = std::filesystem;

namespace {

constexpr const char* kBad = "org.picket.test.bad";

struct Refusal {
  const char* library;
  const char* reason;         // part of the text
  bool only_in_process = false;  // harms nobody but itself when isolated
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.library; }

class RefusedLibrary : public HostFixture, public ::testing::WithParamInterface<std::tuple<Refusal, Home>> {};

INSTANTIATE_TEST_SUITE_P(
    All, RefusedLibrary,
    ::testing::Combine(::testing::Values(Refusal{"bad_magic", "magic number is wrong"}, Refusal{"bad_size", "the entry has 8 bytes"},
                                         Refusal{"bad_major", "major version 2"}, Refusal{"bad_minor", "needs minor version 99"},
                                         Refusal{"bad_other_id", "create: invalid"}, Refusal{"bad_any_id", "an id that is not its own", true},
                                         Refusal{"bad_no_instance", "made nothing"}, Refusal{"bad_small_table", "table has 16 bytes"},
                                         Refusal{"bad_lazy", "does not bind all symbols at load"}, Refusal{"bad_rpath", "library search path: /tmp/evil"},
                                         Refusal{"bad_stack", "needs an executable stack"}, Refusal{"bad_no_symbol", "does not export picket_plugin_entry_v1"},
                                         Refusal{"bad_extra_symbol", "exports more than picket_plugin_entry_v1: another_symbol"},
                                         Refusal{"bad_missing_symbol", "a_function_that_nobody_has"},
                                         Refusal{"bad_protobuf", "only the lite runtime", true}),
                       ::testing::Values(Home::in_process, Home::isolated)),
    [](const auto& which) {
      return cat(std::get<0>(which.param).library, std::get<1>(which.param) == Home::in_process ? "_in_process" : "_isolated");
    });

TEST_P(RefusedLibrary, with_its_reason) {
  const auto& [refusal, home] = GetParam();
  if (home == Home::in_process) grant_in_process(kBad);
  install_neighbour();
  install({.library = refusal.library});
  start();
  const auto now = status(kBad);
  if (refusal.only_in_process && home == Home::isolated) {
    EXPECT_EQ(now.state, State::running) << now.text;
  } else {
    EXPECT_EQ(now.state, State::refused);
    EXPECT_NE(now.text.find(refusal.reason), std::string::npos) << now.text;
    await([](const auto& it) { return it.pid == 0; }, "its child has ended", kBad);  // if a moment later
  }
  expect_neighbour_answers(3);
}

class RefusedPackage : public HostFixture {
 protected:
  void expect_refused(const std::string& reason) {
    install_neighbour();
    start();
    const auto now = status(kBad);
    EXPECT_EQ(now.state, State::refused) << now.text;
    EXPECT_NE(now.text.find(reason), std::string::npos) << now.text;
    // It is listed, beside the neighbour that runs.
    EXPECT_EQ(host->list().size(), 2u);
    expect_neighbour_answers(3);
  }
  void overwrite(const fs::path& path, const std::string& bytes) { ASSERT_TRUE(write_file_atomic(path, bytes, 0644)); }
  std::string read(const fs::path& path) { return read_file(path, 64u << 20).value(); }
};

TEST_F(RefusedPackage, folder_whose_name_is_no_id_is_named_once_and_what_holds_no_version_is_not) {
  fs::create_directories(folder() / "Org.Picket.Test" / "1.0.0");
  fs::create_directories(folder() / "Not.A.Package" / "notes");
  install_neighbour();
  start();
  EXPECT_TRUE(await_log((folder() / "Org.Picket.Test").native() + ": its name is no plugin id"));
  EXPECT_FALSE(await_log("Not.A.Package", milliseconds(0)));
  EXPECT_EQ(host->list().size(), 1u);
}

TEST_F(RefusedPackage, library_with_another_byte) {
  const auto folder = install({.library = "bad_crash"});
  auto bytes = read(folder / "plugin.so");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  overwrite(folder / "plugin.so", bytes);
  expect_refused("plugin.so: sha256 is");
}

TEST_F(RefusedPackage, library_that_is_a_symbolic_link) {
  const auto folder = install({.library = "bad_crash"});
  fs::rename(folder / "plugin.so", folder / "real.so");
  fs::create_symlink(folder / "real.so", folder / "plugin.so");
  expect_refused("plugin.so: is a symbolic link");
}

TEST_F(RefusedPackage, version_folder_that_is_a_symbolic_link) {
  const auto folder = install({.library = "bad_crash"});
  fs::rename(folder, folder.parent_path() / "elsewhere");
  fs::create_symlink(folder.parent_path() / "elsewhere", folder);
  expect_refused("symbolic link");
}

TEST_F(RefusedPackage, library_that_others_may_write) {
  const auto folder = install({.library = "bad_crash"});
  ::chmod((folder / "plugin.so").c_str(), 0666);
  expect_refused("plugin.so: others may write to it (mode 0666)");
}

TEST_F(RefusedPackage, folder_that_its_group_may_write) {
  const auto folder = install({.library = "bad_crash"});
  ::chmod(folder.c_str(), 0775);
  expect_refused("others may write to it (mode 0775)");
}

TEST_F(RefusedPackage, library_of_another_user) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const auto folder = install({.library = "bad_crash"});
  ASSERT_EQ(::chown((folder / "plugin.so").c_str(), 12345, 12345), 0);
  expect_refused("plugin.so: belongs to user 12345");
}

TEST_F(RefusedPackage, library_that_is_a_fifo_does_not_hold_up_anybody) {
  const auto folder = install({.library = "bad_crash"});
  fs::remove(folder / "plugin.so");
  ASSERT_EQ(::mkfifo((folder / "plugin.so").c_str(), 0644), 0);
  expect_refused("plugin.so: not a regular file");
}

TEST_F(RefusedPackage, library_that_is_missing) {
  fs::remove(install({.library = "bad_crash"}) / "plugin.so");
  expect_refused("open plugin.so: No such file or directory");
}

TEST_F(RefusedPackage, library_that_is_no_library) {
  overwrite(install({.library = "bad_crash"}) / "plugin.so", "#!/bin/sh\n");
  expect_refused("sha256");
}

TEST_F(RefusedPackage, manifest_with_another_byte) {
  const auto folder = install({.library = "bad_crash"});
  auto text = read(folder / "plugin.json");
  text.replace(text.find("\"vendor\":\"test\""), 15, "\"vendor\":\"best\"");
  overwrite(folder / "plugin.json", text);
  expect_refused("plugin.json is not the text that was signed");
}

TEST_F(RefusedPackage, manifest_without_signature) {
  install({.library = "bad_crash", .sign = false});
  expect_refused("open plugin.json.dsse: No such file or directory");
}

TEST_F(RefusedPackage, signature_by_a_key_that_nobody_trusts) {
  const auto trusted = std::move(key);
  key = std::make_unique<trust::PrivateKey>(trust::PrivateKey::generate("ed25519").value());
  install({.library = "bad_crash"});
  *key = *trusted;
  expect_refused("plugin.json.dsse");
}

TEST_F(RefusedPackage, signature_that_is_garbage) {
  overwrite(install({.library = "bad_crash"}) / "plugin.json.dsse", "{\"payload\":7}");
  expect_refused("plugin.json.dsse");
}

TEST_F(RefusedPackage, signature_without_end) {
  overwrite(install({.library = "bad_crash"}) / "plugin.json.dsse", std::string(3u << 20, '{'));
  expect_refused("plugin.json.dsse");
}

TEST_F(RefusedPackage, moved_to_a_folder_of_another_version) {
  const auto folder = install({.library = "bad_crash"});
  fs::rename(folder, folder.parent_path() / "9.9.9");
  expect_refused("but lies in org.picket.test.bad/9.9.9");
}

TEST_F(RefusedPackage, with_an_unknown_member) {
  install({.library = "bad_crash", .extra = R"("grants":["root"],)"});
  expect_refused("grants is not a known member");
}

TEST_F(RefusedPackage, that_needs_an_extension_nobody_has) {
  install({.library = "bad_crash", .extra = R"("requires_extensions":["com.vendor.teleport/1"],)"});
  expect_refused("needs the extension com.vendor.teleport/1");
}

TEST_F(RefusedPackage, that_needs_a_newer_agent) {
  install({.library = "bad_crash", .extra = R"("minimum_agent":"99.0.0",)"});
  expect_refused("needs agent 99.0.0");
}

TEST_F(RefusedPackage, that_says_a_topic_is_of_another_kind_than_it_is) {
  install_neighbour();
  // The neighbour's state topic, claimed as an event.
  install({.library = "bad_stubborn", .extra = R"("name":"x",)"});
  grant_in_process(kBad);
  bus::PeerOptions other;
  other.name = "other";
  other.allow.publishes = {{"test.bad.state", bus::Kind::event}};
  bus::Handler handler;
  const auto peer = router->attach(std::move(other), handler);
  ASSERT_TRUE(peer);
  expect_refused("test.bad.state");
}

TEST_F(RefusedPackage, is_taken_once_it_is_mended) {
  const auto folder = install({.library = "bad_stubborn"});
  const auto good = read(folder / "plugin.so");
  overwrite(folder / "plugin.so", "x");
  expect_refused("sha256");
  overwrite(folder / "plugin.so", good);
  ASSERT_TRUE(host->restart(kBad));
  await(State::running);
}

TEST_F(RefusedPackage, a_restart_tells_what_came_of_it) {
  const auto folder = install({.library = "bad_stubborn"});
  const auto good = read(folder / "plugin.so");
  overwrite(folder / "plugin.so", "x");
  expect_refused("sha256");
  const auto restarted = [this] {
    const auto settled = std::make_shared<std::promise<plugin_host::Status>>();
    auto answer = settled->get_future();
    EXPECT_TRUE(host->restart(kBad, [settled](const auto& now) { settled->set_value(now); }));
    return answer.wait_for(std::chrono::seconds(30)) == std::future_status::ready ? answer.get() : plugin_host::Status();
  };
  const auto refused = restarted();
  EXPECT_EQ(refused.state, State::refused);
  EXPECT_NE(refused.text.find("sha256"), std::string::npos) << refused.text;
  overwrite(folder / "plugin.so", good);
  EXPECT_EQ(restarted().state, State::running) << "not on the way to it";
  EXPECT_EQ(restarted().state, State::running) << "also when it ran before, and would not stop";
}

TEST_F(RefusedPackage, folder_of_plugins_that_is_not_there_is_no_reason_to_stop) {
  options.folders.push_back("/nonexistent/plugins");
  install_neighbour();
  start();
  EXPECT_TRUE(await_log("no plugins from /nonexistent/plugins"));
  expect_neighbour_answers(3);
}

}  // namespace

}  // namespace picket::test
