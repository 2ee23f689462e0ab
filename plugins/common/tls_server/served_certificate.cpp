#include "tls_server/served_certificate.hpp"

#include <utility>

namespace tls_server {

picket::Result<std::unique_ptr<ServedCertificate>> ServedCertificate::open(std::filesystem::path certificate, std::filesystem::path key, Prepare prepare) {
  std::unique_ptr<ServedCertificate> out(new ServedCertificate(std::move(certificate), std::move(key), prepare));
  PICKET_TRY(out->look());
  return out;
}

Connection ServedCertificate::connection() const {
  const std::lock_guard lock(mutex_);
  return Connection(::SSL_new(context_.get()));   // holds the context for itself
}

picket::Result<bool> ServedCertificate::look() {
  // Before they are read: one that is replaced meanwhile is another one the next time.
  const std::array now{picket::stamp_of(certificate_), picket::stamp_of(key_)};
  const bool are_the_same = now == std::exchange(seen_, now);
  if (context_ && are_the_same && why_not_.empty()) return false;
  auto context = make_context(certificate_, key_);
  if (!context && !context_) return picket::fail(std::move(context).error());
  const auto told = std::exchange(why_not_, context ? std::string() : context.error().message);
  if (!context && are_the_same && told == why_not_) return false;
  if (!context) return picket::fail(std::move(context).error(), "the certificate was replaced by what cannot be used, and the former one is served on");
  if (prepare_ != nullptr) prepare_(context->get());
  const std::lock_guard lock(mutex_);
  context_ = std::move(*context);
  return true;
}

}  // namespace tls_server
