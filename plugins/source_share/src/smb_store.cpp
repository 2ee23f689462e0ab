#include "smb_store.hpp"

#include <fcntl.h>
#include <libsmbclient.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "file_source/location.hpp"

namespace source_share {
namespace {

using file_source::failed;
using file_source::Failure;
using file_source::Outcome;
namespace source = picket::source::v1;

constexpr std::uint32_t kTimeoutMs = 20'000;
constexpr std::size_t kMostRead = 1u << 20;

void give_login(SMBCCTX* context, const char*, const char*, char* domain, int domain_size, char* user, int user_size, char* password, int password_size) {
  const auto& target = *static_cast<const Target*>(::smbc_getOptionUserData(context));
  if (!target.domain.empty()) std::snprintf(domain, static_cast<std::size_t>(domain_size), "%s", target.domain.c_str());
  std::snprintf(user, static_cast<std::size_t>(user_size), "%s", target.user.c_str());
  std::snprintf(password, static_cast<std::size_t>(password_size), "%s", target.password.c_str());
}

// What there is no other way to say. Loaded over the computer's own smb.conf, and global to the process: one job at a time.
bool load_configuration(SMBCCTX* context) {
  const int fd = ::memfd_create("smb.conf", MFD_CLOEXEC);
  if (fd < 0) return false;
  constexpr std::string_view text = "[global]\nclient min protocol = SMB2_02\nclient max protocol = SMB3\nclient use kerberos = off\nname resolve order = host\n";
  const bool good = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                    ::smbc_setConfiguration(context, ("/proc/self/fd/" + std::to_string(fd)).c_str()) == 0;
  ::close(fd);
  return good;
}

// A context with one connection: all that libsmbclient knows of one job.
class Session {
 public:
  explicit Session(Target target) : target_(std::move(target)) {}
  ~Session() {
    if (context_ != nullptr) ::smbc_free_context(context_, 1);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] bool begin(std::uint32_t timeout_ms) {
    context_ = ::smbc_new_context();
    if (context_ == nullptr) return false;
    ::smbc_setDebug(context_, 0);
    ::smbc_setOptionDebugToStderr(context_, 1);
    ::smbc_setFunctionAuthDataWithContext(context_, &give_login);
    ::smbc_setOptionUserData(context_, &target_);
    ::smbc_setOptionUseKerberos(context_, 0);
    ::smbc_setOptionFallbackAfterKerberos(context_, 0);
    // Whoever gives a password wants to know that it was wrong, not to go on as a guest.
    ::smbc_setOptionNoAutoAnonymousLogin(context_, target_.is_guest() ? 0 : 1);
    ::smbc_setTimeout(context_, static_cast<int>(std::clamp<std::uint32_t>(timeout_ms, 100, 600'000)));
    if (target_.port != 0) ::smbc_setPort(context_, target_.port);
    if (::smbc_init_context(context_) == nullptr) return false;
    return load_configuration(context_);
  }
  [[nodiscard]] SMBCCTX* context() const { return context_; }
  [[nodiscard]] const Target& target() const { return target_; }
  void set_timeout(std::uint32_t timeout_ms) { ::smbc_setTimeout(context_, static_cast<int>(std::clamp<std::uint32_t>(timeout_ms, 100, 600'000))); }

 private:
  Target target_;
  SMBCCTX* context_ = nullptr;
};

std::string reason(int error) {
  char buffer[128];
  return ::strerror_r(error, buffer, sizeof buffer);
}

Failure failure_of(int error, const std::string& where, const Target& target) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR: return {PICKET_E_NOT_FOUND, where + " does not exist"};
    case EACCES:
    case EPERM:
      return {PICKET_E_DENIED, where + (target.is_guest() ? ": the server lets no guest in here: give the options user and password"
                                                          : ": the server does not accept user and password, or they may not read this")};
    case ENODEV: return {PICKET_E_UNAVAILABLE, where + ": the server has no share " + target.share};
    case ETIMEDOUT: return {PICKET_E_TIMEOUT, where + ": the server does not answer in time"};
    case ENOMEM: return {PICKET_E_INTERNAL, where + ": not enough memory"};
    default: return {PICKET_E_UNAVAILABLE, where + ": " + reason(error)};
  }
}

class SmbFile final : public file_source::File {
 public:
  SmbFile(std::unique_ptr<Session> session, SMBCFILE* file, std::uint64_t size, std::string name)
      : session_(std::move(session)), file_(file), size_(size), name_(std::move(name)) {}
  ~SmbFile() override { ::smbc_getFunctionClose(session_->context())(session_->context(), file_); }
  SmbFile(const SmbFile&) = delete;
  SmbFile& operator=(const SmbFile&) = delete;

  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }
  Outcome<std::size_t> read(std::uint64_t offset, char* into, std::size_t count) override {
    if (offset != at_) {
      if (::smbc_getFunctionLseek(session_->context())(session_->context(), file_, static_cast<off_t>(offset), SEEK_SET) < 0) return broken();
      at_ = offset;
    }
    std::size_t got = 0;
    while (got < count) {
      const ssize_t n = ::smbc_getFunctionRead(session_->context())(session_->context(), file_, into + got, std::min(count - got, kMostRead));
      if (n == 0) break;
      if (n < 0) return broken();
      got += static_cast<std::size_t>(n);
      at_ += static_cast<std::uint64_t>(n);
    }
    return got;
  }

 private:
  [[nodiscard]] tl::unexpected<Failure> broken() const {
    if (errno == ETIMEDOUT) return failed(PICKET_E_TIMEOUT, name_ + ": the server does not answer in time");
    return failed(PICKET_E_IO, name_ + ": the connection broke: " + reason(errno));
  }

  std::unique_ptr<Session> session_;
  SMBCFILE* file_;
  std::uint64_t size_, at_ = 0;
  std::string name_;
};

// libsmbclient says ENOENT for a missing file, folder and share alike, but only the first is an answer of the repository.
Failure missing(const Session& session, const std::string& where) {
  const auto& target = session.target();
  struct stat about {};
  if (::smbc_getFunctionStat(session.context())(session.context(), target.url({}).c_str(), &about) == 0) return failure_of(ENOENT, where, target);
  if (errno != ENOENT) return failure_of(errno, where, target);
  return {PICKET_E_UNAVAILABLE, target.address({}) + ": the server has no such share or folder"};
}

bool is_smb(const source::Source& wanted) { return wanted.location().starts_with("smb://"); }

Outcome<std::unique_ptr<Session>> connect(const source::Source& wanted, bool allow_guest, std::uint32_t timeout_ms) {
  auto target = parse_target(wanted, allow_guest);
  if (!target) return tl::unexpected(target.error());
  auto session = std::make_unique<Session>(std::move(*target));
  if (!session->begin(timeout_ms > 0 ? timeout_ms : kTimeoutMs)) return failed(PICKET_E_INTERNAL, "libsmbclient cannot be started: " + reason(errno));
  return session;
}

}  // namespace

Outcome<> SmbStore::check(const source::Source& wanted) const {
  if (!is_smb(wanted) && (wanted.location().starts_with('/') || wanted.location().starts_with("file://"))) return local_->check(wanted);
  if (auto target = parse_target(wanted, allow_guest_); !target) return tl::unexpected(target.error());
  return {};
}

std::string SmbStore::lane(const source::Source& wanted) const { return is_smb(wanted) ? "smb://" : local_->lane(wanted); }

Outcome<> SmbStore::probe(const source::Source& wanted) {
  if (!is_smb(wanted)) return local_->probe(wanted);
  auto session = connect(wanted, allow_guest_, 0);
  if (!session) return tl::unexpected(session.error());
  const auto& target = (*session)->target();
  auto* const context = (*session)->context();
  struct stat about {};
  if (::smbc_getFunctionStat(context)(context, target.url({"metadata"}).c_str(), &about) == 0) return {};
  if (errno != ENOENT) return tl::unexpected(failure_of(errno, target.address({}), target));
  if (auto why = missing(**session, target.address({})); why.status != PICKET_E_NOT_FOUND) return tl::unexpected(std::move(why));
  return failed(PICKET_E_NOT_FOUND, target.address({}) + " holds no repository: there is no folder metadata in it");
}

Outcome<std::unique_ptr<file_source::File>> SmbStore::open(const source::Source& wanted, const std::vector<std::string>& parts, file_source::Wait wait) {
  if (!is_smb(wanted)) return local_->open(wanted, parts, wait);
  auto session = connect(wanted, allow_guest_, wait.connect_ms);
  if (!session) return tl::unexpected(session.error());
  const auto target = (*session)->target();
  auto* const context = (*session)->context();
  auto where = target.address(parts);
  SMBCFILE* const file = ::smbc_getFunctionOpen(context)(context, target.url(parts).c_str(), O_RDONLY, 0);
  if (file == nullptr) return tl::unexpected(errno == ENOENT ? missing(**session, where) : failure_of(errno, where, target));
  struct stat about {};
  if (::smbc_getFunctionFstat(context)(context, file, &about) != 0 || about.st_size < 0) {
    const int error = errno;
    ::smbc_getFunctionClose(context)(context, file);
    return tl::unexpected(failure_of(error, where, target));
  }
  if (wait.stall_ms > 0) (*session)->set_timeout(wait.stall_ms);
  return std::make_unique<SmbFile>(std::move(*session), file, static_cast<std::uint64_t>(about.st_size), std::move(where));
}

}  // namespace source_share
