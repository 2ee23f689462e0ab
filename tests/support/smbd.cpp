#include "support/smbd.hpp"

#include <cstdio>

#include <unistd.h>

#include "base/files.hpp"

namespace picket::support {
namespace {

namespace fs = std::filesystem;

// Reads the password twice from standard input.
Result<> add_user(const std::string& environment, const fs::path& config, const std::string& password) {
  std::FILE* pipe = ::popen(cat(environment, " smbpasswd -c '", config.native(), "' -a -s tester >/dev/null 2>&1").c_str(), "w");
  if (pipe == nullptr) return fail_errno("run smbpasswd");
  std::fprintf(pipe, "%s\n%s\n", password.c_str(), password.c_str());
  if (::pclose(pipe) != 0) return fail(Code::not_found, "smbpasswd failed: is samba installed?");
  return {};
}

}  // namespace

std::vector<std::string> Smbd::environment() const {
  return {"LD_PRELOAD=libnss_wrapper.so", cat("NSS_WRAPPER_PASSWD=", (folder_ / "passwd").native()), cat("NSS_WRAPPER_GROUP=", (folder_ / "group").native())};
}

Result<std::unique_ptr<Smbd>> Smbd::start(const fs::path& root, const std::string& password, const std::string& lines) {
  std::unique_ptr<Smbd> self(new Smbd);
  for (int tries = 1;; ++tries) {
    PICKET_LET(port, free_port());
    self->port_ = port;
    PICKET_TRY(self->prepare(root, password, lines));
    auto started = self->process_.start({"/usr/sbin/smbd", "-F", "--no-process-group", "--debug-stdout", "-s", (self->folder_ / "smb.conf").native()},
                                        self->folder_ / "output", [&] { return accepts(port); }, self->environment());
    if (started) return self;
    if (tries == 5 || started.error().message.find("in use") == std::string::npos) return fail(std::move(started).error());
  }
}

Result<> Smbd::prepare(const fs::path& root, const std::string& password, const std::string& lines) {
  const auto in = [&](const char* name) { return (folder_ / name).native(); };
  for (const char* name : {"private", "lock", "state", "cache", "pid", "ncalrpc"}) PICKET_TRY(make_folders(folder_ / name, 0700));
  const auto user = std::to_string(::geteuid()), group = std::to_string(::getegid());
  PICKET_TRY(write_file_atomic(in("passwd"), cat("tester:x:", user, ":", group, "::", folder_.path().native(), ":/bin/sh\nroot:x:0:0::/root:/bin/sh\n",
                                                 "nobody:x:65534:65534::/nonexistent:/bin/false\n")));
  PICKET_TRY(write_file_atomic(in("group"), cat("tester:x:", group, ":\nnogroup:x:65534:\n", group == "0" ? "" : "root:x:0:\n")));
  const auto share = [&](const char* name, const char* who) { return cat("[", name, "]\npath = ", root.native(), "\nread only = yes\n", who, "\n"); };
  PICKET_TRY(write_file_atomic(
      in("smb.conf"),
      cat("[global]\nworkgroup = PICKET\nserver role = standalone server\nsecurity = user\nmap to guest = Bad User\nguest account = tester\nsmb ports = ", std::to_string(port_),
          "\ninterfaces = 127.0.0.1\nbind interfaces only = yes\ndisable netbios = yes\nload printers = no\nprinting = bsd\nprintcap name = /dev/null\n",
          "disable spoolss = yes\npassdb backend = tdbsam:", in("private/passdb.tdb"), "\nprivate dir = ", in("private"), "\nlock directory = ", in("lock"),
          "\nstate directory = ", in("state"), "\ncache directory = ", in("cache"), "\npid directory = ", in("pid"), "\nncalrpc dir = ", in("ncalrpc"),
          "\nbinddns dir = ", in("private"), "\nlog level = 1\n", lines, "\n", share("guest", "guest ok = yes\nguest only = yes"),
          share("closed", "guest ok = no\nvalid users = tester"))));
  std::string variables;
  for (const auto& variable : environment()) variables += cat(variable, " ");
  return add_user(variables, folder_ / "smb.conf", password);
}

}  // namespace picket::support
