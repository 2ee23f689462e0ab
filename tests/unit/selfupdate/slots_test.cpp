#include "selfupdate/slots.hpp"

#include <cstdlib>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.hpp"
#include "runtime/io_loop.hpp"
#include "support/temporary_folder.hpp"
#include "trust/dsse.hpp"

namespace picket::selfupdate {
namespace {

namespace fs = std::filesystem;
using launcher::Slot;

class SlotsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write("set/bin/picketd", "#!/bin/sh\necho picketd 0.2.0\n");
    write("set/bin/picket-plugin-host", "#!/bin/sh\n");
    auto made = package::write_release(root_ / "set", "0.2.0", key_);
    ASSERT_TRUE(made) << made.error().message;
    release_ = std::move(*made);
  }
  void write(const fs::path& path, std::string_view text) {
    ASSERT_TRUE(make_folders((root_ / path).parent_path()));
    ASSERT_TRUE(write_file_atomic(root_ / path, text, 0755));
    ::chmod((root_ / path).c_str(), 0755);
  }
  [[nodiscard]] Result<package::AgentRelease> read() const {
    const trust::PublicKey keys[] = {key_.public_key()};
    return package::read_release(root_ / "set", keys);
  }

  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
  trust::PrivateKey key_ = std::move(trust::PrivateKey::generate("ed25519").value());
  package::AgentRelease release_;
};

TEST_F(SlotsTest, a_list_is_read_as_it_was_signed) {
  const auto again = read();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->version, "0.2.0");
  ASSERT_EQ(again->files.size(), 2u);
  EXPECT_EQ(again->files[1].path, "bin/picketd");
}

TEST_F(SlotsTest, a_list_by_somebody_else_or_changed_is_not_trusted) {
  const trust::PublicKey others[] = {trust::PrivateKey::generate("ed25519").value().public_key()};
  EXPECT_EQ(package::read_release(root_ / "set", others).error().code, Code::untrusted);
  auto text = read_file(root_ / "set/release.json", 100'000).value();
  text.replace(text.find("0.2.0"), 5, "0.9.0");
  write("set/release.json", text);
  EXPECT_EQ(read().error().code, Code::untrusted);
  fs::remove(root_ / "set/release.json.dsse");
  EXPECT_FALSE(read());
}

TEST_F(SlotsTest, lists_that_are_no_list_are_refused_with_what_is_wrong) {
  const std::string digest(64, 'a');
  const auto file = [&](std::string_view path) { return cat(R"({"path":")", path, R"(","sha256":")", digest, R"(","size":1})"); };
  const auto list = [&](std::string_view files) { return cat(R"({"release":1,"version":"1.0.0","files":[)", files, "]}"); };
  const auto both = cat(file("bin/picket-plugin-host"), ",", file("bin/picketd"));
  EXPECT_TRUE(package::AgentRelease::parse(list(both)));
  const std::pair<std::string, const char*> wrong[] = {
      {"", "release.json"}, {"[]", "not an object"}, {R"({"release":2,"version":"1.0.0","files":[]})", "release: not 1"}, {R"({"release":1,"version":"x","files":[]})", "version"},
      {R"({"release":1,"version":"1.0.0"})", "files"}, {list(""), "bin/picketd is not among them"}, {list(file("bin/picketd")), "bin/picket-plugin-host is not among them"},
      {list(cat(both, ",", file("bin/picketd"))), "not in order, or twice"}, {list(cat(file("../picketd"), ",", both)), "'../picketd' is not bin/NAME"},
      {list(cat(file("bin/../x"), ",", both)), "is not bin/NAME"}, {list(cat(file("bin/.hidden"), ",", both)), "is not bin/NAME"},
      {R"({"release":1,"version":"1.0.0","files":[{"path":"bin/picketd","sha256":"no","size":1}]})", "sha256"},
      {cat(R"({"release":1,"version":"1.0.0","files":[{"path":"bin/picketd","sha256":")", digest, R"(","size":0}]})"), "size"},
      {R"({"release":1,"version":"1.0.0","files":[],"more":1})", "not known"}, {std::string(package::kMaxReleaseBytes + 1, ' '), "more than"}};
  for (const auto& [text, said] : wrong) {
    const auto parsed = package::AgentRelease::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find(said), std::string::npos) << text << ": " << parsed.error().message;
  }
}

TEST_F(SlotsTest, programs_are_copied_whole_into_the_slot_and_replace_what_was_there) {
  write("slots/b/bin/old", "rubbish");
  write("slots/b.new/rubbish", "of an attempt that was cut off");
  ASSERT_TRUE(install_release(root_ / "set", release_, root_ / "slots", Slot::b));
  EXPECT_TRUE(verify_slot(release_, root_ / "slots", Slot::b));
  EXPECT_FALSE(fs::exists(root_ / "slots/b/bin/old"));
  EXPECT_FALSE(fs::exists(root_ / "slots/b.new"));
  EXPECT_FALSE(fs::exists(root_ / "slots/b.old"));
  EXPECT_EQ(fs::status(root_ / "slots/b/bin/picketd").permissions() & fs::perms::mask, fs::perms{0555});
  EXPECT_FALSE(fs::exists(root_ / "slots/a"));
}

TEST_F(SlotsTest, a_program_that_is_not_what_was_signed_leaves_the_slot_as_it_was) {
  write("slots/b/bin/picketd", "of before");
  write("set/bin/picketd", "#!/bin/sh\necho picketd 0.6.6\n");  // as long as the right one
  const auto done = install_release(root_ / "set", release_, root_ / "slots", Slot::b);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::untrusted);
  EXPECT_NE(done.error().message.find("bin/picketd: sha256 is"), std::string::npos) << done.error().message;
  EXPECT_EQ(read_file(root_ / "slots/b/bin/picketd", 100).value_or(""), "of before");
  EXPECT_FALSE(fs::exists(root_ / "slots/b.new"));
  write("set/bin/picketd", "longer than it was said to be, by far");
  EXPECT_EQ(install_release(root_ / "set", release_, root_ / "slots", Slot::b).error().code, Code::untrusted);
  fs::remove(root_ / "set/bin/picketd");
  fs::create_symlink("/bin/true", root_ / "set/bin/picketd");
  EXPECT_FALSE(install_release(root_ / "set", release_, root_ / "slots", Slot::b));
  EXPECT_FALSE(install_release(root_ / "set", release_, root_ / "slots", Slot::package));
}

TEST_F(SlotsTest, damage_in_a_slot_is_found) {
  ASSERT_TRUE(install_release(root_ / "set", release_, root_ / "slots", Slot::a));
  fs::remove(root_ / "slots/a/bin/picket-plugin-host");
  write("slots/a/bin/picket-plugin-host", "#!/bin/xx\n");
  EXPECT_NE(verify_slot(release_, root_ / "slots", Slot::a).error().message.find("is damaged in slot A"), std::string::npos);
}

TEST_F(SlotsTest, a_program_says_its_version_before_it_is_tried) {
  const auto io = runtime::IoLoop::make("test");
  const auto check = [&](std::string_view script, std::string_view said) {
    write("program", script);
    const auto done = check_version(*io, root_ / "program", "0.2.0", std::chrono::milliseconds(said == "does not answer" ? 1000 : 60'000));
    if (said.empty()) {
      EXPECT_TRUE(done) << done.error().message;
      return;
    }
    ASSERT_FALSE(done) << script;
    EXPECT_NE(done.error().message.find(said), std::string::npos) << done.error().message;
  };
  check("#!/bin/sh\necho picketd 0.2.0\n", "");
  check("#!/bin/sh\necho picketd 0.3.0\n", "'picketd 0.3.0'");
  check("#!/bin/sh\necho no library >&2; exit 127\n", "no library");
  check("#!/bin/sh\nexec sleep 1000\n", "does not answer");
}

}  // namespace
}  // namespace picket::selfupdate
