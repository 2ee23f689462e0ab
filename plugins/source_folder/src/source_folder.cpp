#include "source_folder.hpp"

#include <boost/json.hpp>

namespace source_folder {

picket_status SourceFolder::start(std::string_view settings_json, std::uint64_t revision) {
  boost::system::error_code error;
  const auto settings = boost::json::parse(settings_json, error);
  const auto* object = error ? nullptr : settings.if_object();
  const auto* threads = object == nullptr ? nullptr : object->if_contains("parallel_fetches");
  const auto* count = threads == nullptr ? nullptr : threads->if_int64();
  if (object == nullptr || (threads != nullptr && (count == nullptr || *count < 1 || *count > 16)))
    return host_.fail(PICKET_E_INVALID, "settings: parallel_fetches must be a number from 1 to 16");
  desk_.start(count == nullptr ? 4 : static_cast<std::size_t>(*count));
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

}  // namespace source_folder
