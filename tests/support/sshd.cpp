#include "support/sshd.hpp"

#include <crypt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/files.hpp"

namespace picket::support {
namespace {

// The standard output of a short-lived program.
Result<std::string> output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return fail_errno(cat("run ", command));
  std::string out;
  std::array<char, 4096> buffer{};
  for (std::size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) out.append(buffer.data(), got);
  if (::pclose(pipe) != 0) return fail(Code::not_found, cat("failed: ", command));
  return out;
}

}  // namespace

Result<std::unique_ptr<Sshd>> Sshd::start(const std::string& password, const std::string& lines) {
  std::unique_ptr<Sshd> self(new Sshd);
  PICKET_TRY(self->make_keys());
  crypt_data data{};
  const char* hash = ::crypt_r(password.c_str(), "$6$picket$", &data);
  if (hash == nullptr) return fail(Code::internal, "crypt gives no hash");
  // sshd run by root wants its folder for unprivileged children, which the system makes at boot.
  if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);
  for (int tries = 1;; ++tries) {
    PICKET_LET(port, free_port());
    self->port_ = port;
    auto started = self->launch(hash, lines);
    if (started) break;
    if (tries == 5 || started.error().message.find("Address already in use") == std::string::npos) return fail(std::move(started).error());
  }
  PICKET_LET(key, read_file(self->folder_ / "host.pub", 4096));
  PICKET_TRY(write_file_atomic(self->known_hosts(), cat("[127.0.0.1]:", std::to_string(self->port_), " ", key)));
  return self;
}

Result<> Sshd::make_keys() {
  for (const char* name : {"host", "user"}) {
    PICKET_LET(made, output_of(cat("ssh-keygen -q -t ed25519 -N '' -C '' -f '", (folder_ / name).native(), "'")));
    if (!made.empty()) return fail(Code::internal, made);
  }
  PICKET_LET(line, output_of(cat("ssh-keygen -lf '", (folder_ / "host.pub").native(), "'")));  // "256 SHA256:... no comment (ED25519)"
  const auto from = line.find("SHA256:");
  if (from == std::string::npos) return fail(Code::internal, line);
  host_key_sha256_ = line.substr(from, line.find(' ', from) - from);
  return {};
}

Result<> Sshd::launch(const std::string& password_hash, const std::string& lines) {
  const auto in = [&](const char* name) { return (folder_ / name).native(); };
  const auto id = std::to_string(::geteuid()), group = std::to_string(::getegid());
  PICKET_TRY(write_file_atomic(in("passwd"), cat("tester:x:", id, ":", group, "::", folder_.path().native(), ":/bin/sh\n", "sshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n")));
  PICKET_TRY(write_file_atomic(in("shadow"), cat("tester:", password_hash, ":19000:0:99999:7:::\n")));
  PICKET_TRY(write_file_atomic(in("group"), cat("tester:x:", group, ":\n")));
  PICKET_TRY(write_file_atomic(in("sshd_config"),
                               cat("Port ", std::to_string(port_), "\nListenAddress 127.0.0.1\nHostKey ", in("host"), "\nPidFile none\nUsePAM no\nStrictModes no\n",
                                   "PermitRootLogin yes\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nAuthorizedKeysFile ", in("user.pub"),
                                   "\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\nLogLevel VERBOSE\nMaxStartups 100\n", lines, "\n")));
  return process_.start({"/usr/sbin/sshd", "-D", "-e", "-f", in("sshd_config")}, in("output"), [&] { return accepts(port_); },
                        {"LD_PRELOAD=libnss_wrapper.so", cat("NSS_WRAPPER_PASSWD=", in("passwd")), cat("NSS_WRAPPER_GROUP=", in("group")),
                         cat("NSS_WRAPPER_SHADOW=", in("shadow"))});
}

}  // namespace picket::support
