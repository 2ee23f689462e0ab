#include "source_ftp.hpp"

#include "ftp_transfer.hpp"

namespace source_ftp {

picket_status SourceFtp::start(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(settings.error().status, settings.error().text);
  settings_ = std::move(*settings);
  told_.clear();
  desk_.start(settings_.common.loop);
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

picket_status SourceFtp::apply(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(settings.error().status, settings.error().text);
  settings_ = std::move(*settings);
  const bool all = desk_.apply(settings_.common.loop);
  host_.observed(revision, PICKET_HEALTH_HEALTHY, all ? "" : "parallel_fetches and fallback_resolvers are in force from the next start");
  return PICKET_OK;
}

void SourceFtp::tell_once(const Target& target) {
  if (!target.is_plain() || told_.size() >= 64 || !told_.insert(target.name).second) return;
  if (target.password.empty()) host_.info("source '" + target.name + "' uses FTP without TLS: what it brings is signed, but everybody on the way can see it");
  else host_.warning("source '" + target.name + "' uses FTP without TLS: its password can be read by everybody on the way");
}

curl_source::Outcome<std::unique_ptr<curl_source::Transfer>> SourceFtp::make(curl_source::Order order) {
  auto target = parse_target(order.request.source(), settings_);
  if (!target) return tl::unexpected(target.error());
  tell_once(*target);
  return std::make_unique<FtpTransfer>(std::move(order), std::move(*target));
}

}  // namespace source_ftp
