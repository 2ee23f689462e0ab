#include "ftp_transfer.hpp"

#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "curl_source/options.hpp"
#include "curl_source/verdict.hpp"

namespace source_ftp {
namespace {

using curl_source::Failure;
using Scheme = Target::Scheme;

constexpr std::uint64_t kMostOffset = std::uint64_t{1} << 62;

bool has_encoded_slash(std::string_view path) {
  for (auto at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1))
    if (path.size() - at >= 3 && path[at + 1] == '2' && (path[at + 2] == 'f' || path[at + 2] == 'F')) return true;
  return false;
}

}  // namespace

curl_source::Outcome<> FtpTransfer::begin() {
  const auto& request = order().request;
  auto where = curl_source::address_of(target_.base, request.path());
  if (!where) return tl::unexpected(where.error());
  // Both would mean something else to libcurl than a part of a name.
  if (request.path().find(';') != std::string::npos || has_encoded_slash(request.path()))
    return curl_source::failed(PICKET_E_INVALID, "path '" + request.path().substr(0, 200) + "' has a ';' or an encoded slash");
  if (request.offset() > kMostOffset) return curl_source::failed(PICKET_E_INVALID, "the offset is out of range");
  start_ = request.offset();
  set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(start_));
  set_ok(curl_source::use_proxy(easy(), target_.proxy));
  set(CURLOPT_HTTPPROXYTUNNEL, 1L);
  if (target_.scheme == Scheme::sftp) set_ssh();
  else set_ftp();
  expect_packed(start_ == 0 && !order().probe && curl_source::may_lie_packed(request.path()) && !plain_places_->is_known(target_.base));
  if (is_packed()) *where += ".gz";
  go_to(std::move(*where));
  return {};
}

void FtpTransfer::set_ftp() {
  set(CURLOPT_PROTOCOLS_STR, "ftp,ftps");
  set(CURLOPT_FTP_FILEMETHOD, static_cast<long>(CURLFTPMETHOD_NOCWD));  // one command in place of one a folder
  const std::uint32_t connect_ms = order().request.connect_timeout_ms() > 0 ? std::min<std::uint32_t>(order().request.connect_timeout_ms(), 600'000) : 10'000;
  set(CURLOPT_SERVER_RESPONSE_TIMEOUT, static_cast<long>(connect_ms / 1000 + 1));
  if (target_.active) {
    set(CURLOPT_FTPPORT, "-");
    set(CURLOPT_ACCEPTTIMEOUT_MS, static_cast<long>(connect_ms));
  }
  set(CURLOPT_USERNAME, target_.user.empty() ? "anonymous" : target_.user.c_str());
  set(CURLOPT_PASSWORD, target_.user.empty() ? "picket@" : target_.password.c_str());
  if (target_.is_plain()) return;
  set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  set(CURLOPT_FTPSSLAUTH, static_cast<long>(CURLFTPAUTH_TLS));
  if (!target_.ca_file.empty()) {
    set(CURLOPT_CAINFO, target_.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // this file only
  }
  if (!target_.client_certificate.empty()) {
    set(CURLOPT_SSLCERT, target_.client_certificate.c_str());
    set(CURLOPT_SSLKEY, target_.client_key.c_str());
    set(CURLOPT_KEYPASSWD, target_.client_key_password.c_str());  // also when empty: OpenSSL would ask on the terminal
  }
}

void FtpTransfer::set_ssh() {
  set(CURLOPT_PROTOCOLS_STR, "sftp");
  set(CURLOPT_USERNAME, target_.user.c_str());
  long methods = 0;
  if (!target_.key_file.empty()) {
    methods |= CURLSSH_AUTH_PUBLICKEY;
    set(CURLOPT_SSH_PRIVATE_KEYFILE, target_.key_file.c_str());
    set(CURLOPT_KEYPASSWD, target_.key_password.c_str());
  }
  if (!target_.password.empty()) {
    methods |= CURLSSH_AUTH_PASSWORD | CURLSSH_AUTH_KEYBOARD;
    set(CURLOPT_PASSWORD, target_.password.c_str());
  }
  set(CURLOPT_SSH_AUTH_TYPES, methods);
  if (!target_.host_key_sha256.empty()) {
    set(CURLOPT_SSH_HOST_PUBLIC_KEY_SHA256, target_.host_key_sha256.c_str());
  } else {
    set(CURLOPT_SSH_KNOWNHOSTS, target_.known_hosts.c_str());
    set(CURLOPT_SSH_KEYFUNCTION, &judge_host_key);
    set(CURLOPT_SSH_KEYDATA, static_cast<void*>(&host_key_));
  }
}

void FtpTransfer::look_at_head() {
  curl_off_t rest = -1;
  ::curl_easy_getinfo(easy(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &rest);
  take_from(start_, rest >= 0 && !is_packed() ? start_ + static_cast<std::uint64_t>(rest) : 0);
}

// While the TLS handshake of the data connection is under way, or when a file was not there and another is asked for on the same connection, libcurl 7.88
// does not wait for what the server says on the control connection: without a look now and then it would stand still until its connect timeout.
std::chrono::milliseconds FtpTransfer::look_again() const {
  if (target_.scheme == Scheme::sftp || body_began()) return Transfer::look_again();
  return std::chrono::milliseconds(20);
}

void FtpTransfer::look_at_connection() {
  curl_socket_t socket = CURL_SOCKET_BAD;
  ::curl_easy_getinfo(easy(), CURLINFO_ACTIVESOCKET, &socket);
  char byte = 0;
  const auto got = socket == CURL_SOCKET_BAD ? 0 : ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  server_left_ = got == 0 || (got < 0 && errno != EAGAIN);
}

// 550 is all that FTP says of a file that is not there.
bool FtpTransfer::lies_plain(CURLcode code) const {
  long reply = 0;
  ::curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &reply);
  return code == CURLE_OK || code == CURLE_WRITE_ERROR || code == CURLE_REMOTE_FILE_NOT_FOUND || (code == CURLE_FTP_COULDNT_RETR_FILE && reply == 550);
}

curl_source::Transfer::Step FtpTransfer::judge(CURLcode code) {
  // libssh2 says of a connection that ended what the server said last on it, for another file: not to be believed.
  if (code == CURLE_REMOTE_FILE_NOT_FOUND && target_.scheme == Scheme::sftp && server_left_ && !anew_) {
    anew_ = true;
    set(CURLOPT_FRESH_CONNECT, 1L);
    return Step::again;
  }
  if (is_packed() && !(code == CURLE_OK && unpack()) && lies_plain(code)) {
    if (order().request.path().ends_with(".snapshot.json")) plain_places_->add(target_.base);  // which is the first that a client asks for
    expect_packed(false);
    go_to(address().substr(0, address().size() - 3));
    return Step::again;
  }
  if (code == CURLE_OK) return Step::done;
  if (code == CURLE_FTP_COULDNT_USE_REST && start_ > 0) {
    start_ = 0;
    set(CURLOPT_RESUME_FROM_LARGE, curl_off_t{0});
    return Step::again;
  }
  refuse(failure_of(code));
  return Step::done;
}

Failure FtpTransfer::failure_of(CURLcode code) const {
  long reply = 0;
  ::curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &reply);
  const bool ssh = target_.scheme == Scheme::sftp;
  const std::string text = curl_text(code);
  switch (code) {
    case CURLE_BAD_DOWNLOAD_RESUME:
      return {PICKET_E_IO, address() + ": has fewer bytes than the " + std::to_string(start_) + " already here"};
    case CURLE_FTP_COULDNT_RETR_FILE:
      if (reply == 550) return {PICKET_E_NOT_FOUND, address() + ": not found: " + text};
      return {reply == 530 || reply == 532 ? PICKET_E_DENIED : body_began() ? PICKET_E_IO : PICKET_E_UNAVAILABLE, address() + ": " + text};
    case CURLE_FTP_ACCEPT_FAILED:
    case CURLE_FTP_ACCEPT_TIMEOUT:
    case CURLE_FTP_PORT_FAILED:
      return {PICKET_E_UNAVAILABLE, address() + ": active mode: the server did not connect back (a firewall in between?): " + text};
    case CURLE_PEER_FAILED_VERIFICATION:
      if (ssh) return {PICKET_E_UNAVAILABLE, address() + ": " + (host_key_.why.empty() ? "the host key is not the one of host_key_sha256: " + text : host_key_.why)};
      break;
    case CURLE_SSH:
      return {body_began() ? PICKET_E_IO : PICKET_E_UNAVAILABLE, address() + ": SSH: " + text};
    default: break;
  }
  return curl_source::failure_of(code, address(), text, body_began());
}

}  // namespace source_ftp
