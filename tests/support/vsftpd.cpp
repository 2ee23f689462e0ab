#include "support/vsftpd.hpp"

#include "base/files.hpp"
#include "support/tls_certificate.hpp"

namespace picket::support {

Result<std::unique_ptr<Vsftpd>> Vsftpd::start(const VsftpdOptions& options) {
  std::unique_ptr<Vsftpd> self(new Vsftpd);
  self->implicit_ = options.tls == VsftpdOptions::Tls::implicit;
  if (options.tls != VsftpdOptions::Tls::none) PICKET_TRY(make_certificate(self->certificate(), self->folder_ / "key.pem"));
  for (int tries = 1;; ++tries) {
    PICKET_LET(port, free_port());
    self->port_ = port;
    auto started = self->launch(options);
    if (started) return self;
    if (tries == 5 || started.error().message.find("could not bind") == std::string::npos) return fail(std::move(started).error());
  }
}

Result<> Vsftpd::launch(const VsftpdOptions& options) {
  const auto in = [&](const char* name) { return (folder_ / name).native(); };
  std::string text = cat("listen=YES\nlisten_address=127.0.0.1\nlisten_port=", std::to_string(port_), "\nbackground=NO\nrun_as_launching_user=YES\nseccomp_sandbox=NO\n",
                         "anonymous_enable=YES\nlocal_enable=NO\nanon_root=", options.root.native(), "\nallow_writeable_chroot=YES\nconnect_from_port_20=NO\n",
                         "xferlog_enable=YES\nxferlog_std_format=NO\nlog_ftp_protocol=YES\nvsftpd_log_file=", in("transfers"), "\n");
  if (!options.password.empty()) {
    PICKET_TRY(write_file_atomic(in("passwords"), cat(options.password, "\n")));
    text += cat("secure_email_list_enable=YES\nemail_password_file=", in("passwords"), "\n");
  }
  if (options.tls != VsftpdOptions::Tls::none)
    text += cat("ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_logins_ssl=YES\nforce_anon_data_ssl=YES\nrequire_ssl_reuse=NO\nssl_ciphers=HIGH\nrsa_cert_file=",
                certificate().native(), "\nrsa_private_key_file=", in("key.pem"), "\n", implicit_ ? "implicit_ssl=YES\n" : "");
  PICKET_TRY(write_file_atomic(in("vsftpd.conf"), cat(text, options.lines, "\n")));
  return process_.start({"/usr/sbin/vsftpd", in("vsftpd.conf")}, in("output"), [&] { return accepts(port_); });
}

std::string Vsftpd::log() const { return read_file(folder_ / "transfers", 16u << 20).value_or(""); }

}  // namespace picket::support
