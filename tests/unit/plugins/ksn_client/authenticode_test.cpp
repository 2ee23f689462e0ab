#include "authenticode.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/files.hpp"
#include "program.hpp"
#include "support/server_process.hpp"

namespace ksn_client {
namespace {

using testing::HasSubstr;

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

struct KsnAuthenticode : testing::Test {
  picket::support::ServerFolder folder;
  std::string base = std::filesystem::canonical(folder.path()).native();
  std::string signed_image;
  void SetUp() override {
    ASSERT_TRUE(picket::write_file_atomic(base + "/plain.exe", image()));
    run("openssl req -x509 -newkey rsa:2048 -nodes -keyout " + base + "/key.pem -out " + base + "/cert.pem -days 2 -subj '/O=Acme Tools/CN=Signer' -addext extendedKeyUsage=codeSigning");
    run("openssl req -x509 -newkey rsa:2048 -nodes -keyout " + base + "/key2.pem -out " + base + "/web.pem -days 2 -subj '/O=Acme Web/CN=Signer' -addext extendedKeyUsage=serverAuth");
    run("osslsigncode sign -h sha256 -certs " + base + "/cert.pem -key " + base + "/key.pem -in " + base + "/plain.exe -out " + base + "/signed.exe");
    run("osslsigncode sign -h sha256 -certs " + base + "/web.pem -key " + base + "/key2.pem -in " + base + "/plain.exe -out " + base + "/web.exe");
    run("osslsigncode sign -h sha1 -certs " + base + "/cert.pem -key " + base + "/key.pem -in " + base + "/plain.exe -out " + base + "/old.exe");
    signed_image = read("signed.exe");
  }
  void run(const std::string& command) const {
    ASSERT_EQ(std::system(("(" + command + ") >" + base + "/log 2>&1").c_str()), 0) << command << "\n" << *picket::read_file(base + "/log", 1 << 16);
  }
  [[nodiscard]] std::string read(const std::string& name) const { return picket::read_file(base + "/" + name, 1 << 20).value_or(""); }
  [[nodiscard]] PeSignature signature_of(const std::string& name, const std::string& authorities) const {
    auto out = pe_signature(read(name), base + "/" + authorities);
    EXPECT_TRUE(out && *out) << name << ": " << (out ? "none" : out.error().message);
    return out && *out ? **out : PeSignature();
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
  EXPECT_FALSE(signature_of("web.exe", "web.pem").trusted) << "not for code";
  EXPECT_FALSE(signature_of("old.exe", "cert.pem").trusted) << "SHA-1";
  EXPECT_FALSE(*pe_signature(image(), ""));

  const auto programs = [&](const std::string& authorities) { return std::make_unique<Programs>(Programs::Places{.dpkg = base + "/none", .rpm = {.folders = {}}, .code_authorities = authorities}); };
  const auto known = programs(base + "/cert.pem");
  const auto program = known->identify(base + "/signed.exe");
  ASSERT_TRUE(program);
  EXPECT_EQ(program->identified_by, "pe-signature");
  EXPECT_TRUE(program->valid) << program->note;
  EXPECT_FALSE(known->identify(base + "/plain.exe")->valid);
  EXPECT_FALSE(programs("")->identify(base + "/signed.exe")->valid);
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

TEST_F(KsnAuthenticode, says_how_its_signer_calls_the_program) {
  run("osslsigncode sign -h sha256 -n 'Toolbox 2' -certs " + base + "/cert.pem -key " + base + "/key.pem -in " + base + "/plain.exe -out " + base + "/named.exe");
  EXPECT_EQ(signature_of("named.exe", "cert.pem").product, "Toolbox 2");
  EXPECT_EQ(signature_of("signed.exe", "cert.pem").product, "");
}

TEST_F(KsnAuthenticode, a_signature_for_old_systems_may_hold_a_newer_one) {
  run("osslsigncode sign -nest -h sha256 -certs " + base + "/cert.pem -key " + base + "/key.pem -in " + base + "/old.exe -out " + base + "/both.exe");
  const auto both = signature_of("both.exe", "cert.pem");
  EXPECT_TRUE(both.trusted) << both.note;
  EXPECT_EQ(both.publisher, "Acme Tools");
}

// A time stamp authority on loopback, whose clock stands at a time of the test's choice; the signer's certificate was good in January 2021 only.
struct KsnTimestamp : KsnAuthenticode {
  void SetUp() override {
    KsnAuthenticode::SetUp();
    const auto certificate = [&](const std::string& name, const std::string& subject, const std::string& use) {
      run("faketime '2021-01-01 12:00:00' openssl req -x509 -newkey rsa:2048 -nodes -keyout " + base + "/" + name + ".key -out " + base + "/" + name + ".pem -days 30 -subj '" + subject +
          "' -addext extendedKeyUsage=" + use);
    };
    certificate("signer", "/O=Acme Tools/CN=Signer", "codeSigning");
    certificate("stamps", "/O=Acme Stamps/CN=Stamps", "critical,timeStamping");
    certificate("other", "/O=Other/CN=Other", "critical,timeStamping");
    run("cat " + base + "/signer.pem " + base + "/stamps.pem > " + base + "/both.pem");
    run("cat " + base + "/signer.pem " + base + "/other.pem > " + base + "/wrong.pem");
    ASSERT_TRUE(picket::write_file_atomic(base + "/ts.conf", "[stamps]\nserial = " + base + "/serial\ndefault_policy = 1.2.3.4\ndigests = sha256, sha384, sha512\nsigner_digest = $ENV::STAMP_DIGEST\n"));
    ASSERT_TRUE(picket::write_file_atomic(base + "/stamp.py", R"(import base64, http.server, subprocess, sys, threading
base, when, key, kind, digest, command = *sys.argv[1:6], sys.argv[6:]
class Stamps(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        query = self.rfile.read(int(self.headers["Content-Length"]))
        if kind == "-t":  # a signature in an envelope, of which it is the end
            query = base64.b64decode(query)[-256:]
            work = ["cms", "-sign", "-binary", "-nodetach", "-md", digest, "-outform", "DER", "-in", base + "/query"]
        else:
            work = ["ts", "-reply", "-config", base + "/ts.conf", "-section", "stamps", "-queryfile", base + "/query"]
        open(base + "/query", "wb").write(query)
        subprocess.check_call(["env", "STAMP_DIGEST=" + digest, "faketime", when, "openssl"] + work + ["-signer", base + "/" + key + ".pem", "-inkey", base + "/" + key + ".key", "-out", base + "/reply"])
        reply = open(base + "/reply", "rb").read()
        if kind == "-t":
            reply = base64.encodebytes(reply)
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if kind == "-t" else "application/timestamp-reply")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)
server = http.server.HTTPServer(("127.0.0.1", 0), Stamps)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.exit(subprocess.call(command + [kind, "http://127.0.0.1:%d/" % server.server_port]))
)"));
  }
  // kind: -ts of RFC 3161, -t of PKCS #9
  void sign(const std::string& out, const std::string& when, const std::string& stamps = "stamps", const std::string& kind = "-ts", const std::string& digest = "sha256") const {
    const std::string sign = "osslsigncode sign -h sha256 -certs " + base + "/signer.pem -key " + base + "/signer.key -in " + base + "/plain.exe -out " + base + "/" + out;
    run(when.empty() ? sign : "python3 " + base + "/stamp.py " + base + " '" + when + "' " + stamps + " " + kind + " " + digest + " " + sign);
  }
};

TEST_F(KsnTimestamp, lets_a_program_outlive_the_certificate_it_was_signed_with) {
  sign("stamped.exe", "2021-01-15 12:00:00");
  sign("bare.exe", "");
  sign("late.exe", "2021-01-31 18:00:00");
  sign("early.exe", "2020-12-24 12:00:00");
  const auto stamped = signature_of("stamped.exe", "both.pem");
  EXPECT_TRUE(stamped.trusted) << stamped.note;
  const auto bare = signature_of("bare.exe", "both.pem");
  EXPECT_TRUE(bare.image_matches);
  EXPECT_FALSE(bare.trusted) << "nobody says that it was not signed today";
  EXPECT_THAT(bare.note, HasSubstr("expired"));
  EXPECT_FALSE(signature_of("late.exe", "both.pem").trusted) << "both had expired";
  EXPECT_FALSE(signature_of("early.exe", "both.pem").trusted);
}

TEST_F(KsnTimestamp, counts_when_an_authority_vouches_for_it) {
  sign("stamped.exe", "2021-01-15 12:00:00");
  for (const char* authorities : {"signer.pem", "wrong.pem"}) {
    const auto signature = signature_of("stamped.exe", authorities);
    EXPECT_FALSE(signature.trusted);
    EXPECT_THAT(signature.note, testing::AllOf(HasSubstr("expired"), HasSubstr("its time stamp does not count: ")));
  }
}

TEST_F(KsnTimestamp, that_was_changed_anywhere_does_not_count_and_ends_in_words) {
  sign("stamped.exe", "2021-01-15 12:00:00");
  const auto good = read("stamped.exe");
  ASSERT_TRUE((*pe_signature(good, base + "/both.pem"))->trusted);
  // The token lies behind the signature that it stamps: in each byte of it that is not padding or beside what is signed.
  const auto token = good.find("\x2b\x06\x01\x04\x01\x82\x37\x03\x03\x01");
  ASSERT_NE(token, std::string::npos);
  unsigned refused = 0, all = 0;
  for (std::size_t at = token; at + 16 < good.size(); at += 7, ++all) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    const auto signature = pe_signature(bad, base + "/both.pem");
    refused += !(signature && *signature && (*signature)->trusted);
  }
  EXPECT_GT(refused, all * 9 / 10);
  for (std::size_t size = token; size < good.size(); size += 13) EXPECT_FALSE(pe_signature(std::string_view(good).substr(0, size), base + "/both.pem"));
}

TEST_F(KsnTimestamp, may_be_a_counter_signature_of_the_older_kind) {
  sign("stamped.exe", "2021-01-15 12:00:00", "stamps", "-t");
  sign("late.exe", "2021-01-31 18:00:00", "stamps", "-t");
  sign("code.exe", "2021-01-15 12:00:00", "signer", "-t");
  const auto stamped = signature_of("stamped.exe", "both.pem");
  EXPECT_TRUE(stamped.trusted) << stamped.note;
  EXPECT_FALSE(signature_of("late.exe", "both.pem").trusted) << "both had expired";
  const auto by_itself = signature_of("code.exe", "both.pem");
  EXPECT_FALSE(by_itself.trusted);
  EXPECT_THAT(by_itself.note, HasSubstr("the certificate is not for time stamps"));
  EXPECT_THAT(signature_of("stamped.exe", "wrong.pem").note, HasSubstr("its time stamp does not count: "));

  const auto good = read("stamped.exe");
  const auto counter = good.find("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x06");
  const auto when = good.find("210115120000Z", counter), signer = good.find("Stamps", counter);
  ASSERT_TRUE(counter != good.npos && when != good.npos && signer != good.npos);
  for (const auto at : {when + 5, signer, good.size() - 64}) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    const auto signature = pe_signature(bad, base + "/both.pem");
    EXPECT_FALSE(signature && *signature && (*signature)->trusted) << at - counter;
  }
  for (std::size_t at = counter; at < good.size(); at += 3) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x41);
    (void)pe_signature(bad, base + "/both.pem");
  }
}

// As many of the older kind are: anybody might have made one, for another time, with the same digest.
TEST_F(KsnTimestamp, over_a_digest_that_can_be_collided_does_not_count_and_is_called_so) {
  for (const char* kind : {"-ts", "-t"}) {
    const std::string name = std::string("weak") + kind + ".exe";
    sign(name, "2021-01-15 12:00:00", "stamps", kind, "sha1");
    const auto weak = signature_of(name, "both.pem");
    EXPECT_TRUE(weak.image_matches) << kind;
    EXPECT_FALSE(weak.trusted) << kind;
    EXPECT_THAT(weak.note, HasSubstr("its time stamp does not count: the signature's digest is of a kind that counts no more")) << kind;
  }
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
