#include "tls_server/served_certificate.hpp"

namespace tls_server {

picket::Result<std::unique_ptr<ServedCertificate>> ServedCertificate::open(std::filesystem::path certificate, std::filesystem::path key) {
  std::unique_ptr<ServedCertificate> out(new ServedCertificate(std::move(certificate), std::move(key)));
  out->known_ = out->looks();
  PICKET_LET(context, make_context(out->certificate_, out->key_));
  out->context_ = std::move(context);
  return out;
}

Connection ServedCertificate::connection() const {
  const std::lock_guard lock(mutex_);
  return Connection(::SSL_new(context_.get()));   // holds the context for itself
}

ServedCertificate::Looks ServedCertificate::looks() const {
  Looks out;
  for (const auto& [path, look] : {std::pair(&certificate_, &out.of[0]), std::pair(&key_, &out.of[1])}) {
    struct stat info {};
    if (::stat(path->c_str(), &info) != 0) continue;
    *look = {info.st_dev, info.st_ino, info.st_size, info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
  }
  return out;
}

picket::Result<bool> ServedCertificate::look() {
  // Before they are read: one that is replaced meanwhile looks else the next time.
  auto now = looks();
  if (now == known_) return false;
  known_ = now;
  PICKET_LET(context, make_context(certificate_, key_));
  const std::lock_guard lock(mutex_);
  context_ = std::move(context);
  return true;
}

}  // namespace tls_server
