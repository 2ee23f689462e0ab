#include "source_http.hpp"

namespace source_http {
namespace {

// Long enough for the files of one update, and for a check that follows soon; then the source is idle.
constexpr std::chrono::seconds kLinger(30);
// What every repository has, and costs nothing to ask for.
constexpr const char* kProbePath = "metadata/timestamp.json";

}  // namespace

picket_status SourceHttp::start(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(settings.error().status, settings.error().text);
  settings_ = std::move(*settings);
  told_about_http_.clear();
  loop_ = std::make_unique<Loop>(settings_.parallel_fetches, kLinger);
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

// Running transfers go on as they began.
picket_status SourceHttp::apply(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(settings.error().status, settings.error().text);
  const bool other_number = settings->parallel_fetches != settings_.parallel_fetches;
  settings_ = std::move(*settings);
  forget_answered();
  if (other_number && open_.empty()) loop_ = std::make_unique<Loop>(settings_.parallel_fetches, kLinger);
  host_.observed(revision, PICKET_HEALTH_HEALTHY, other_number && !open_.empty() ? "parallel_fetches is in force from the next start" : "");
  return PICKET_OK;
}

void SourceHttp::stop() {
  for (auto& [id, answer] : open_) answer->refuse(PICKET_E_UNAVAILABLE, "the http source is stopping");
  open_.clear();
  loop_.reset();
}

void SourceHttp::forget_answered() {
  std::erase_if(open_, [](const auto& entry) { return entry.second->is_done(); });
}

void SourceHttp::accept(std::uint64_t request_id, picket::source::v1::FetchRequest request, bool probe) {
  forget_answered();
  auto target = parse_target(request.source(), settings_);
  if (!target) {
    host_.refuse(request_id, target.error().status, target.error().text);
    return;
  }
  if (!target->is_https && told_about_http_.size() < 64 && told_about_http_.insert(target->name).second)
    host_.info("source '" + target->name + "' uses plain http: what it brings is signed, but everybody on the way can see it");
  auto answer = std::make_shared<Answer>(host_, request_id);
  open_[request_id] = answer;
  if (!loop_ || !loop_->submit({std::move(*target), std::move(request), probe, answer})) answer->refuse(PICKET_E_BUSY, "too many files are asked for at once: try later");
}

void SourceHttp::on_request(std::uint64_t request_id, const picket::plugin::Message& message) {
  const auto size = static_cast<int>(message.payload.size());
  if (message.topic == "picket.source.fetch") {
    picket::source::v1::FetchRequest request;
    if (request.ParseFromArray(message.payload.data(), size)) return accept(request_id, std::move(request), false);
  } else if (message.topic == "picket.source.probe") {
    picket::source::v1::ProbeRequest probe;
    if (probe.ParseFromArray(message.payload.data(), size)) {
      picket::source::v1::FetchRequest request;
      request.mutable_source()->Swap(probe.mutable_source());
      request.set_path(kProbePath);
      return accept(request_id, std::move(request), true);
    }
  } else {
    host_.refuse(request_id, PICKET_E_UNSUPPORTED, "the http source does not answer " + std::string(message.topic));
    return;
  }
  host_.refuse(request_id, PICKET_E_INVALID, "the request is not a picket.source.v1 message");
}

void SourceHttp::on_credit(std::uint64_t request_id, std::uint64_t bytes) {
  const auto found = open_.find(request_id);
  if (found == open_.end()) return;
  found->second->on_credit(bytes);
  if (loop_) loop_->wake();
}

void SourceHttp::on_cancel(std::uint64_t request_id) {
  const auto found = open_.find(request_id);
  if (found == open_.end()) return;
  found->second->abandon();
  open_.erase(found);
  if (loop_) loop_->wake();
}

}  // namespace source_http
