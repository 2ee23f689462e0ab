#include "source_share.hpp"

#include <boost/json.hpp>

namespace source_share {

picket_status SourceShare::start(std::string_view settings_json, std::uint64_t revision) {
  if (const auto status = apply(settings_json, revision); status != PICKET_OK) return status;
  desk_.start(1);
  return PICKET_OK;
}

picket_status SourceShare::apply(std::string_view settings_json, std::uint64_t revision) {
  boost::system::error_code error;
  const auto settings = boost::json::parse(settings_json, error);
  const auto* object = error ? nullptr : settings.if_object();
  const auto* guest = object == nullptr ? nullptr : object->if_contains("allow_guest");
  if (object == nullptr || (guest != nullptr && !guest->is_bool())) return host_.fail(PICKET_E_INVALID, "settings: allow_guest must be true or false");
  store_->allow_guest(guest == nullptr || guest->get_bool());
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

}  // namespace source_share
