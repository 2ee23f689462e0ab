#include "source_folder.hpp"

#include <stdexcept>
#include <string>

#include <boost/json.hpp>

#include "jobs.hpp"
#include "location.hpp"

namespace source_folder {
namespace {

constexpr std::size_t kQueue = 64;

}  // namespace

SourceFolder::SourceFolder(picket::plugin::Host host) : SourceFolder(host, real_folder(), std::chrono::milliseconds(2000)) {}

SourceFolder::SourceFolder(picket::plugin::Host host, std::shared_ptr<Folder> folder, std::chrono::milliseconds stop_patience)
    : host_(host), folder_(std::move(folder)), stop_patience_(stop_patience) {}

picket_status SourceFolder::start(std::string_view settings_json, std::uint64_t revision) {
  boost::system::error_code error;
  const auto settings = boost::json::parse(settings_json, error);
  const auto* object = error ? nullptr : settings.if_object();
  const auto* threads = object == nullptr ? nullptr : object->if_contains("parallel_fetches");
  const auto* count = threads == nullptr ? nullptr : threads->if_int64();
  if (object == nullptr || (threads != nullptr && (count == nullptr || *count < 1 || *count > 16)))
    return host_.fail(PICKET_E_INVALID, "settings: parallel_fetches must be a number from 1 to 16");
  workers_ = std::make_unique<Workers>(count == nullptr ? 4 : static_cast<std::size_t>(*count), kQueue);
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

void SourceFolder::stop() {
  {
    const std::lock_guard lock(open_->mutex);
    for (auto& [id, answer] : open_->answers) answer->refuse(PICKET_E_UNAVAILABLE, "the folder source is stopping");
    open_->answers.clear();
  }
  if (!workers_) return;
  const bool all_ended = workers_->stop(stop_patience_);
  workers_.reset();
  // Whoever hangs in the kernel calls the host no more (its Answer is done) and ends with the mount. The status says so.
  if (!all_ended) throw std::runtime_error("a folder does not answer (a dead network mount?): a read is still waiting in the kernel");
}

std::shared_ptr<picket::plugin::Answer> SourceFolder::find(std::uint64_t request_id) const {
  const std::lock_guard lock(open_->mutex);
  const auto found = open_->answers.find(request_id);
  return found == open_->answers.end() ? nullptr : found->second;
}

template <class Request, class Run>
void SourceFolder::accept(std::uint64_t request_id, std::string_view payload, Run run) {
  Request request;
  if (!request.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    host_.refuse(request_id, PICKET_E_INVALID, "the request is not a picket.source.v1 message");
    return;
  }
  if (const auto good = check(request.source()); !good) {
    host_.refuse(request_id, good.error().status, good.error().text);
    return;
  }
  auto answer = std::make_shared<Answer>(host_, request_id);
  {
    const std::lock_guard lock(open_->mutex);
    open_->answers.emplace(request_id, answer);
  }
  const bool accepted = workers_ && workers_->submit([run, answer, request = std::move(request), folder = folder_, open = open_] {
    try {
      if (!answer->is_done()) run(*folder, request, *answer);
    } catch (const std::exception& e) {
      answer->refuse(PICKET_E_INTERNAL, e.what());
    }
    const std::lock_guard lock(open->mutex);
    const auto own = open->answers.find(answer->id());
    if (own != open->answers.end() && own->second == answer) open->answers.erase(own);
  });
  if (accepted) return;
  answer->refuse(PICKET_E_BUSY, "too many files are asked for at once: try later");
  const std::lock_guard lock(open_->mutex);
  open_->answers.erase(request_id);
}

void SourceFolder::on_request(std::uint64_t request_id, const picket::plugin::Message& request) {
  if (request.topic == "picket.source.fetch")
    accept<picket::source::v1::FetchRequest>(request_id, request.payload, run_fetch);
  else if (request.topic == "picket.source.probe")
    accept<picket::source::v1::ProbeRequest>(request_id, request.payload, run_probe);
  else
    host_.refuse(request_id, PICKET_E_UNSUPPORTED, "the folder source does not answer " + std::string(request.topic));
}

void SourceFolder::on_credit(std::uint64_t request_id, std::uint64_t bytes) {
  if (const auto answer = find(request_id)) answer->on_credit(bytes);
}

void SourceFolder::on_cancel(std::uint64_t request_id) {
  if (const auto answer = find(request_id)) answer->abandon();
}

}  // namespace source_folder
