#include "source_folder.hpp"

#include <boost/json.hpp>

namespace source_folder {
namespace {

constexpr std::uint64_t kLook = 1;             // the timer
constexpr std::uint64_t kLookEvery_ms = 3000;  // one stat of a folder that was asked for in vain; nothing while none was

}  // namespace

picket_status SourceFolder::start(std::string_view settings_json, std::uint64_t revision) {
  boost::system::error_code error;
  const auto settings = boost::json::parse(settings_json, error);
  const auto* object = error ? nullptr : settings.if_object();
  const auto* threads = object == nullptr ? nullptr : object->if_contains("parallel_fetches");
  const auto* count = threads == nullptr ? nullptr : threads->if_int64();
  if (object == nullptr || (threads != nullptr && (count == nullptr || *count < 1 || *count > 16)))
    return host_.fail(PICKET_E_INVALID, "settings: parallel_fetches must be a number from 1 to 16");
  desk_.start(count == nullptr ? 4 : static_cast<std::size_t>(*count));
  desk_.watch([host = host_] { (void)host.set_timer(kLook, kLookEvery_ms, kLookEvery_ms); });
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

void SourceFolder::on_timer(std::uint64_t) {
  const bool is_missed = desk_.look_again([host = host_](const picket::source::v1::Source& source) {
    (void)host.publish("picket.source.appeared", "", "application/x-protobuf; messageType=picket.source.v1.Source", source.SerializeAsString());
  });
  if (!is_missed) (void)host_.cancel_timer(kLook);
}

}  // namespace source_folder
