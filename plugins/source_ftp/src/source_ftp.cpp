#include "source_ftp.hpp"

#include "ftp_transfer.hpp"

namespace source_ftp {

void SourceFtp::tell_once(const Target& target) {
  if (!target.is_plain() || !is_news(target.name)) return;
  if (target.password.empty()) host_.info("source '" + target.name + "' uses FTP without TLS: what it brings is signed, but everybody on the way can see it");
  else host_.warning("source '" + target.name + "' uses FTP without TLS: its password can be read by everybody on the way");
}

curl_source::Outcome<std::unique_ptr<curl_source::Transfer>> SourceFtp::make(curl_source::Order order) {
  auto target = parse_target(order.request.source(), settings_);
  if (!target) return tl::unexpected(target.error());
  tell_once(*target);
  return std::make_unique<FtpTransfer>(std::move(order), std::move(*target), plain_places_);
}

}  // namespace source_ftp
