// With real packages in a real rpm database, both of the test's making.
#include "rpm.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "base/files.hpp"
#include "child.hpp"
#include "program.hpp"
#include "support/server_process.hpp"

namespace ksn_client {
namespace {

using testing::HasSubstr;

struct KsnRpm : testing::Test {
  picket::support::ServerFolder folder;
  std::string base = std::filesystem::canonical(folder.path()).native();

  void run(const std::vector<std::string>& argv) const {
    const auto said = run_child(argv, {.time = std::chrono::seconds(60)});
    ASSERT_TRUE(said) << said.error().message;
    ASSERT_EQ(said->status, 0) << argv.front() << ": " << said->output << said->error;
  }
  // Builds a package with these files, which hold their own names, and installs it where the test is.
  void install(const std::string& name, const std::string& tags, const std::vector<std::string>& files) const {
    const auto spec = base + "/" + name + ".spec";
    {
      std::ofstream out(spec);
      out << "Name: " << name << "\nVersion: 2.0\nRelease: 3\nSummary: For a test\nLicense: none\nBuildArch: noarch\n" << tags << "%description\nFor a test.\n%install\n";
      for (const auto& file : files) out << "mkdir -p \"$(dirname '%{buildroot}" << base << file << "')\"; printf %s '" << file << "' >'%{buildroot}" << base << file << "'\n";
      out << "%files\n";
      for (const auto& file : files) out << "\"" << base << file << "\"\n";
    }
    run({"/usr/bin/rpmbuild", "--quiet", "-bb", "--nodeps", "--define", "_topdir " + base + "/build", "--define", "_tmppath " + base, spec});
    run({"/usr/bin/rpm", "--dbpath", base + "/rpmdb", "--force-debian", "--nodeps", "-i", base + "/build/RPMS/noarch/" + name + "-2.0-3.noarch.rpm"});
  }
  [[nodiscard]] RpmDatabase::Places places() const { return {.program = "/usr/bin/rpm", .folders = {base + "/none", base + "/rpmdb"}}; }
  [[nodiscard]] Programs programs() const { return Programs({.dpkg = base + "/no-dpkg", .rpm = places()}); }
};

TEST_F(KsnRpm, a_file_of_a_package_is_its_publishers_only_while_it_is_unchanged) {
  install("toolbox", "Epoch: 1\nVendor: Acme Tools\nPackager: Somebody <s@example.org>\n", {"/bin/tool", "/bin/a tool; $(touch x)"});
  install("small", "Packager: Somebody Else <s@example.org>\n", {"/bin/small"});
  auto known = programs();
  auto program = known.identify(base + "/bin/tool");
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(program->identified_by, "rpm");
  EXPECT_TRUE(program->valid) << program->note;
  EXPECT_EQ(program->publisher, "Acme Tools");
  EXPECT_EQ(program->product, "toolbox");
  EXPECT_EQ(program->version, "1:2.0-3");
  EXPECT_TRUE(known.identify(base + "/bin/a tool; $(touch x)")->valid);
  EXPECT_EQ(known.identify(base + "/bin/small")->publisher, "Somebody Else") << "without a vendor";
  std::filesystem::create_symlink(base + "/bin/tool", base + "/link");
  EXPECT_TRUE(known.identify(base + "/link")->valid);
  std::ofstream(base + "/bin/tool") << "changed";
  program = known.identify(base + "/bin/tool");
  EXPECT_FALSE(program->valid);
  EXPECT_EQ(program->publisher, "Acme Tools");
  EXPECT_EQ(program->note, "it is not what package toolbox installed: it was changed");
  std::ofstream(base + "/bin/alien") << "alien";
  program = known.identify(base + "/bin/alien");
  EXPECT_EQ(program->identified_by, "none");
  EXPECT_EQ(program->note, "no package installed it");
}

TEST_F(KsnRpm, follows_the_database_when_packages_come_after_their_files_were_seen) {
  std::filesystem::create_directories(base + "/bin");
  std::ofstream(base + "/bin/tool") << "/bin/tool";
  auto known = programs();
  EXPECT_EQ(known.identify(base + "/bin/tool")->identified_by, "none") << "no database at all";
  install("other", "Vendor: Other\n", {"/bin/other"});
  EXPECT_EQ(known.identify(base + "/bin/tool")->note, "no package installed it");
  install("toolbox", "Vendor: Acme Tools\n", {"/bin/tool"});
  EXPECT_TRUE(known.identify(base + "/bin/tool")->valid);
}

TEST_F(KsnRpm, a_folder_that_is_a_link_leads_to_the_same_file) {
  std::filesystem::create_directories(base + "/usr/bin");
  std::filesystem::create_directory_symlink("usr/bin", base + "/bin");
  install("toolbox", "Vendor: Acme Tools\n", {"/bin/tool"});
  EXPECT_TRUE(programs().identify(base + "/usr/bin/tool")->valid) << "the package calls it /bin/tool";
}

TEST_F(KsnRpm, a_database_that_does_not_answer_is_said_and_asked_again) {
  install("toolbox", "Vendor: Acme Tools\n", {"/bin/tool"});
  const auto whole = *picket::read_file(base + "/rpmdb/rpmdb.sqlite", 16u << 20);
  for (const char* file : {"/rpmdb/rpmdb.sqlite-wal", "/rpmdb/rpmdb.sqlite-shm"}) std::filesystem::remove(base + file);
  ASSERT_TRUE(picket::write_file_atomic(base + "/rpmdb/rpmdb.sqlite", "no database at all, and long enough to be one" + std::string(8192, 'x')));
  auto known = programs();
  const auto program = known.identify(base + "/bin/tool");
  ASSERT_TRUE(program);
  EXPECT_EQ(program->identified_by, "none");
  EXPECT_THAT(program->note, HasSubstr("the rpm database: rpm ended with 1: error: "));
  for (const char* file : {"/rpmdb/rpmdb.sqlite-wal", "/rpmdb/rpmdb.sqlite-shm"}) std::filesystem::remove(base + file);
  ASSERT_TRUE(picket::write_file_atomic(base + "/rpmdb/rpmdb.sqlite", whole));
  EXPECT_TRUE(known.identify(base + "/bin/tool")->valid);
}

TEST_F(KsnRpm, without_the_program_there_is_no_database) {
  install("toolbox", "Vendor: Acme Tools\n", {"/bin/tool"});
  RpmDatabase without({.program = base + "/no-rpm", .folders = {base + "/rpmdb"}});
  EXPECT_EQ(without.stamp(), 0);
  const auto owner = without.owner_of(base + "/bin/tool");
  ASSERT_TRUE(owner);
  EXPECT_FALSE(*owner);
  EXPECT_FALSE(std::filesystem::exists(base + "/none")) << "nothing is made where nothing was";
}

}  // namespace
}  // namespace ksn_client
