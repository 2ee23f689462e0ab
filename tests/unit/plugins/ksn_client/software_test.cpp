#include <gmock/gmock.h>
#include <openssl/evp.h>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "program.hpp"
#include "support/server_process.hpp"

namespace ksn_client {
namespace {

using testing::HasSubstr;

std::string md5_hex(std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  ::EVP_Digest(bytes.data(), bytes.size(), out, &size, ::EVP_md5(), nullptr);
  return picket::to_hex({reinterpret_cast<const char*>(out), size});
}

struct KsnSoftware : testing::Test {
  picket::support::ServerFolder folder;
  std::string base = std::filesystem::canonical(folder.path()).native();
  void write(const std::string& name, const std::string& bytes) const {
    ASSERT_TRUE(picket::make_folders((folder.path() / name).parent_path()));
    ASSERT_TRUE(picket::write_file_atomic(folder.path() / name, bytes));
  }
  void make_database(const std::string& content) const {
    write("dpkg/info/other.list", "/.\n/usr\n/usr/bin/other\n");
    write("dpkg/info/tool:amd64.list", "/.\n" + base + "/bin/tool\n" + base + "/bin/unlisted\n");
    write("dpkg/info/tool:amd64.md5sums", md5_hex(content) + "  " + base.substr(1) + "/bin/tool\n");
    write("dpkg/status",
          "Package: other\nStatus: install ok installed\nMaintainer: Other <o@example.org>\nArchitecture: amd64\nVersion: 1\n\n"
          "Package: tool\nMaintainer: Wrong Architecture <w@example.org>\nArchitecture: arm64\nVersion: 9\n\n"
          "Package: tool\nStatus: install ok installed\nMaintainer: Acme Tools <tools@example.org>\nArchitecture: amd64\nSource: toolbox (2.0)\nVersion: 2.0-1\n");
  }
  [[nodiscard]] Programs programs(const std::string& authorities = {}) const { return Programs({.dpkg = base + "/dpkg", .rpm = {.folders = {}}, .code_authorities = authorities}); }
};

TEST_F(KsnSoftware, a_file_of_a_package_is_its_publishers_only_while_it_is_unchanged) {
  write("bin/tool", "content");
  make_database("content");
  auto known = programs();
  auto program = known.identify(base + "/bin/tool");
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(program->identified_by, "dpkg");
  EXPECT_TRUE(program->valid) << program->note;
  EXPECT_EQ(program->publisher, "Acme Tools");
  EXPECT_EQ(program->product, "toolbox");
  EXPECT_EQ(program->version, "2.0-1");
  std::filesystem::create_symlink(base + "/bin/tool", base + "/link");
  EXPECT_TRUE(known.identify(base + "/link")->valid);
  write("bin/tool", "changed");
  program = known.identify(base + "/bin/tool");
  EXPECT_FALSE(program->valid);
  EXPECT_THAT(program->note, HasSubstr("was changed"));
  write("bin/unlisted", "x");
  EXPECT_FALSE(known.identify(base + "/bin/unlisted")->valid) << "no digest is recorded";
  write("bin/alien", "x");
  program = known.identify(base + "/bin/alien");
  EXPECT_EQ(program->identified_by, "none");
  EXPECT_EQ(program->digest.size(), 32U);
}

TEST_F(KsnSoftware, follows_the_database_when_it_changes_and_does_without_one) {
  write("bin/tool", "content");
  auto known = programs();
  EXPECT_EQ(known.identify(base + "/bin/tool")->identified_by, "none") << "no database at all";
  make_database("content");
  EXPECT_TRUE(known.identify(base + "/bin/tool")->valid) << "a file is there before its package is recorded";
}

TEST_F(KsnSoftware, what_is_no_file_is_refused) {
  auto known = programs();
  EXPECT_EQ(known.identify("relative").error().code, picket::Code::invalid);
  EXPECT_EQ(known.identify(base).error().code, picket::Code::invalid);
  EXPECT_EQ(known.identify(base + "/nothing").error().code, picket::Code::not_found);
  EXPECT_EQ(known.identify(base + std::string("\0x", 2)).error().code, picket::Code::invalid);
  EXPECT_EQ(known.identify("/dev/null").error().code, picket::Code::invalid);
}

TEST_F(KsnSoftware, reads_this_computers_own_database) {
  if (!std::filesystem::exists("/var/lib/dpkg/status")) GTEST_SKIP() << "no Debian";
  Programs known(Programs::Places{});
  const auto program = known.identify("/usr/bin/dpkg");
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(program->identified_by, "dpkg");
  EXPECT_EQ(program->product, "dpkg");
  EXPECT_TRUE(program->valid) << program->note;
}

}  // namespace
}  // namespace ksn_client
