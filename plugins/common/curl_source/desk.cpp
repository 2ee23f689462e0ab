#include "curl_source/desk.hpp"

namespace curl_source {
namespace {

// What every repository has, and costs nothing to ask for.
constexpr const char* kProbePath = "metadata/timestamp.json";

}  // namespace

void Desk::start(LoopOptions options) {
  options_ = std::move(options);
  loop_ = std::make_unique<Loop>(options_);
}

bool Desk::apply(const LoopOptions& options) {
  forget_answered();
  if (options == options_) return true;
  if (!open_.empty()) return false;
  start(options);
  return true;
}

void Desk::stop() {
  for (auto& [id, answer] : open_) answer->refuse(PICKET_E_UNAVAILABLE, "the " + kind_ + " source is stopping");
  open_.clear();
  loop_.reset();
}

void Desk::forget_answered() {
  std::erase_if(open_, [](const auto& entry) { return entry.second->is_done(); });
}

void Desk::accept(std::uint64_t request_id, picket::source::v1::FetchRequest request, bool probe) {
  forget_answered();
  auto answer = std::make_shared<Answer>(host_, request_id);
  auto transfer = make_({host_, std::move(request), probe, answer});
  if (!transfer) {
    host_.refuse(request_id, transfer.error().status, transfer.error().text);
    return;
  }
  open_[request_id] = answer;
  if (!loop_ || !loop_->submit(std::move(*transfer))) answer->refuse(PICKET_E_BUSY, "too many files are asked for at once: try later");
}

void Desk::on_request(std::uint64_t request_id, const picket::plugin::Message& message) {
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
    host_.refuse(request_id, PICKET_E_UNSUPPORTED, "the " + kind_ + " source does not answer " + std::string(message.topic));
    return;
  }
  host_.refuse(request_id, PICKET_E_INVALID, "the request is not a picket.source.v1 message");
}

void Desk::on_credit(std::uint64_t request_id, std::uint64_t bytes) {
  const auto found = open_.find(request_id);
  if (found == open_.end()) return;
  found->second->on_credit(bytes);
  if (loop_) loop_->wake();
}

void Desk::on_cancel(std::uint64_t request_id) {
  const auto found = open_.find(request_id);
  if (found == open_.end()) return;
  found->second->abandon();
  open_.erase(found);
  if (loop_) loop_->wake();
}

}  // namespace curl_source
