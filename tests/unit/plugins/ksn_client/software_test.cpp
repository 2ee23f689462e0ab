#include <gmock/gmock.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <fstream>

#include "authenticode.hpp"
#include "base/bytes.hpp"
#include "base/files.hpp"
#include "dpkg.hpp"
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
  [[nodiscard]] Programs programs(const std::string& authorities = {}) const { return Programs({base + "/dpkg", authorities}); }
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
  write("bin/tool", "content");  // another file: what was seen of the old one says nothing
  EXPECT_TRUE(known.identify(base + "/bin/tool")->valid);
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
  Programs known({.dpkg = "/var/lib/dpkg", .code_authorities = {}});
  const auto program = known.identify("/usr/bin/dpkg");
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(program->identified_by, "dpkg");
  EXPECT_EQ(program->product, "dpkg");
  EXPECT_TRUE(program->valid) << program->note;
}

// A PE32+ with one section, such as the tools accept it.
std::string image() {
  std::string out(0x600, '\0');
  const auto put = [&](std::size_t at, std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) out[at + i] = static_cast<char>(value >> (8 * i));
  };
  out[0] = 'M', out[1] = 'Z';
  put(0x3c, 0x80, 4);
  out.replace(0x80, 4, std::string("PE\0\0", 4));
  put(0x84, 0x8664, 2);   // machine
  put(0x86, 1, 2);        // sections
  put(0x94, 0xf0, 2);     // size of the optional header
  put(0x96, 0x22, 2);
  const std::size_t optional = 0x98;
  put(optional, 0x20b, 2);
  put(optional + 32, 0x1000, 4);
  put(optional + 36, 0x200, 4);
  put(optional + 56, 0x2000, 4);
  put(optional + 60, 0x200, 4);
  put(optional + 68, 3, 2);
  put(optional + 108, 16, 4);
  const std::size_t section = optional + 0xf0;
  out.replace(section, 5, ".text");
  put(section + 8, 0x400, 4);
  put(section + 12, 0x1000, 4);
  put(section + 16, 0x400, 4);
  put(section + 20, 0x200, 4);
  put(section + 36, 0x60000020, 4);
  for (std::size_t i = 0x200; i < out.size(); ++i) out[i] = static_cast<char>(i * 7);
  return out;
}

struct KsnAuthenticode : KsnSoftware {
  std::string signed_image;
  void SetUp() override {
    write("plain.exe", image());
    const auto run = [&](const std::string& command) { ASSERT_EQ(std::system((command + " >" + base + "/log 2>&1").c_str()), 0) << *picket::read_file(base + "/log", 1 << 16); };
    run("openssl req -x509 -newkey rsa:2048 -nodes -keyout " + base + "/key.pem -out " + base + "/cert.pem -days 2 -subj '/O=Acme Tools/CN=Signer' -addext extendedKeyUsage=codeSigning");
    run("openssl req -x509 -newkey rsa:2048 -nodes -keyout " + base + "/key2.pem -out " + base + "/web.pem -days 2 -subj '/O=Acme Web/CN=Signer' -addext extendedKeyUsage=serverAuth");
    run("osslsigncode sign -h sha256 -certs " + base + "/cert.pem -key " + base + "/key.pem -in " + base + "/plain.exe -out " + base + "/signed.exe");
    run("osslsigncode sign -h sha256 -certs " + base + "/web.pem -key " + base + "/key2.pem -in " + base + "/plain.exe -out " + base + "/web.exe");
    run("osslsigncode sign -h sha1 -certs " + base + "/cert.pem -key " + base + "/key.pem -in " + base + "/plain.exe -out " + base + "/old.exe");
    signed_image = *picket::read_file(base + "/signed.exe", 1 << 20);
  }
};

TEST_F(KsnAuthenticode, a_signed_image_names_its_publisher_when_an_authority_vouches_for_it) {
  const auto signature = pe_signature(signed_image, base + "/cert.pem");
  ASSERT_TRUE(signature && *signature) << (signature ? "none" : signature.error().message);
  EXPECT_EQ((*signature)->publisher, "Acme Tools");
  EXPECT_TRUE((*signature)->image_matches) << (*signature)->note;
  EXPECT_TRUE((*signature)->trusted) << (*signature)->note;
  const auto stranger = pe_signature(signed_image, base + "/web.pem");
  EXPECT_TRUE((*stranger)->image_matches);
  EXPECT_FALSE((*stranger)->trusted) << "anybody can call himself Acme";
  EXPECT_FALSE((*pe_signature(signed_image, ""))->trusted) << "the system's authorities";
  EXPECT_FALSE((*pe_signature(*picket::read_file(base + "/web.exe", 1 << 20), base + "/web.pem"))->trusted) << "not for code";
  EXPECT_FALSE((*pe_signature(*picket::read_file(base + "/old.exe", 1 << 20), base + "/cert.pem"))->trusted) << "SHA-1";
  EXPECT_FALSE(*pe_signature(image(), ""));

  auto known = programs(base + "/cert.pem");
  const auto program = known.identify(base + "/signed.exe");
  ASSERT_TRUE(program);
  EXPECT_EQ(program->identified_by, "pe-signature");
  EXPECT_TRUE(program->valid) << program->note;
  EXPECT_FALSE(known.identify(base + "/plain.exe")->valid);
  EXPECT_FALSE(programs().identify(base + "/signed.exe")->valid);
}

// Each byte in turn: the signature breaks, or the byte is one that it does not cover and the image means the same.
TEST_F(KsnAuthenticode, an_image_that_was_changed_anywhere_is_not_its_publishers) {
  const auto plain = image();
  for (std::size_t at = 0; at < plain.size(); at += 5) {
    auto bad = signed_image;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    const auto signature = pe_signature(bad, base + "/cert.pem");
    const bool header_field = at >= 0x98 + 64 && at < 0x98 + 68;  // the checksum
    EXPECT_FALSE(signature && *signature && (*signature)->trusted && !header_field) << at;
  }
  auto longer = signed_image + "payload added behind";
  const auto signature = pe_signature(longer, base + "/cert.pem");
  EXPECT_FALSE(signature && *signature && (*signature)->trusted);
}

TEST_F(KsnAuthenticode, damaged_signatures_end_in_words) {
  for (std::size_t size = 0; size < signed_image.size(); size += 13) (void)pe_signature(std::string_view(signed_image).substr(0, size), base + "/cert.pem");
  for (std::size_t at = image().size(); at < signed_image.size(); at += 3) {
    auto bad = signed_image;
    bad[at] = static_cast<char>(bad[at] ^ 0x41);
    (void)pe_signature(bad, base + "/cert.pem");
  }
  EXPECT_FALSE(pe_signature("MZ", ""));
  EXPECT_FALSE(is_pe(""));
}

}  // namespace
}  // namespace ksn_client
