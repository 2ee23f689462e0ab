#include "file_source/desk.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "file_source/jobs.hpp"

namespace file_source {
namespace {

constexpr std::size_t kQueue = 64;  // of each lane
constexpr std::size_t kMostLanes = 64;

}  // namespace

Desk::Job* Desk::Open::job_of(const Answer& answer) {
  const auto found = jobs.find(answer.id());
  return found == jobs.end() || found->second.answer.get() != &answer ? nullptr : &found->second;
}

void Desk::stop() {
  {
    const std::lock_guard lock(open_->mutex);
    for (auto& [id, job] : open_->jobs) job.answer->refuse(PICKET_E_UNAVAILABLE, "the " + kind_ + " source is stopping");
    open_->jobs.clear();
    open_->missing.clear();
    open_->missing_one = nullptr;
  }
  const auto until = Clock::now() + patience_;
  bool all_ended = true;
  for (auto& [name, lane] : lanes_)
    if (!lane.stop(std::max(std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()), std::chrono::milliseconds(0)))) all_ended = false;
  lanes_.clear();
  // Whoever hangs calls the host no more (its Answer is done) and ends with the mount or the server. The status says so.
  if (!all_ended) throw std::runtime_error("a " + kind_ + " does not answer (a dead mount or server?): a read is still waiting");
}

std::string Desk::why_it_hangs(const std::string& location) const {
  const auto now = Clock::now();
  const std::lock_guard lock(open_->mutex);
  for (const auto& [id, job] : open_->jobs)
    if (job.location == location && job.began && job.given_up && now - *job.given_up >= patience_)
      return kind_ + " " + location + " does not answer (a dead mount or server?): a read has been waiting for " +
             std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now - *job.began).count()) + " s";
  return {};
}

Workers* Desk::lane_of(const picket::source::v1::Source& source) {
  std::erase_if(lanes_, [](const auto& each) { return each.second.is_idle(); });
  const auto name = store_->lane(source);
  if (lanes_.size() >= kMostLanes && !lanes_.contains(name)) return nullptr;
  return &lanes_.try_emplace(name, threads_, kQueue).first->second;
}

template <class Request, class Run>
void Desk::accept(std::uint64_t request_id, std::string_view payload, Run run) {
  Request request;
  if (!request.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    host_.refuse(request_id, PICKET_E_INVALID, "the request is not a picket.source.v1 message");
    return;
  }
  if (const auto good = store_->check(request.source()); !good) {
    host_.refuse(request_id, good.error().status, good.error().text);
    return;
  }
  if (const auto why = why_it_hangs(request.source().location()); !why.empty()) {
    host_.respond(request_id, PICKET_E_UNAVAILABLE, "text/plain; retry-after=0", why);  // costs nothing: the source need not rest
    return;
  }
  auto answer = std::make_shared<Answer>(host_, request_id);
  {
    const std::lock_guard lock(open_->mutex);
    open_->jobs.emplace(request_id, Job{answer, request.source().location(), {}, {}});
  }
  Workers* const lane = lane_of(request.source());
  const bool accepted = lane != nullptr && lane->submit([run, answer, request = std::move(request), store = store_, open = open_] {
    {
      const std::lock_guard lock(open->mutex);
      if (auto* job = open->job_of(*answer)) job->began = Clock::now();
    }
    try {
      if (!answer->is_done()) run(*store, request, *answer, *open);
    } catch (const std::exception& e) {
      answer->refuse(PICKET_E_INTERNAL, e.what());
    }
    const std::lock_guard lock(open->mutex);
    if (open->job_of(*answer) != nullptr) open->jobs.erase(answer->id());
  });
  if (accepted) return;
  answer->refuse(PICKET_E_BUSY, "too many files are asked for at once: try later");
  const std::lock_guard lock(open_->mutex);
  open_->jobs.erase(request_id);
}

void Desk::on_request(std::uint64_t request_id, const picket::plugin::Message& request) {
  if (request.topic == "picket.source.fetch")
    accept<picket::source::v1::FetchRequest>(request_id, request.payload, [](Store& store, const auto& fetch, Answer& answer, Open& open) {
      const bool is_there = run_fetch(store, fetch, answer);
      const std::lock_guard lock(open.mutex);  // which the stop takes too: the host is not called after it
      if (!open.missing_one) return;
      if (is_there) return (void)open.missing.erase(fetch.source().location());
      if (open.missing.size() < kMaxMissing) open.missing[fetch.source().location()].source = fetch.source();
      open.missing_one();
    });
  else if (request.topic == "picket.source.probe")
    accept<picket::source::v1::ProbeRequest>(request_id, request.payload, [](Store& store, const auto& probe, Answer& answer, Open&) { run_probe(store, probe, answer); });
  else
    host_.refuse(request_id, PICKET_E_UNSUPPORTED, "the " + kind_ + " source does not answer " + std::string(request.topic));
}

bool Desk::look_again(const std::function<void(const picket::source::v1::Source&)>& appeared) {
  std::vector<picket::source::v1::Source> missing;
  {
    const std::lock_guard lock(open_->mutex);
    if (open_->missing.empty()) return false;
    for (auto& [location, each] : open_->missing)
      if (!std::exchange(each.is_looked_for, true)) missing.push_back(each.source);  // one that hangs is not asked again and again
  }
  for (const auto& source : missing) {
    Workers* const lane = lane_of(source);
    const bool accepted = lane != nullptr && lane->submit([source, appeared, store = store_, open = open_] {
      bool is_there = false;
      try {
        is_there = store->probe(source).has_value();
      } catch (const std::exception&) {
        is_there = false;  // not enough memory, or the like: looked at again
      }
      const std::lock_guard lock(open->mutex);
      // Not after the stop, which forgets what was missing.
      const auto found = open->missing.find(source.location());
      if (found == open->missing.end()) return;
      found->second.is_looked_for = false;
      if (!is_there) return;
      open->missing.erase(found);
      appeared(source);
    });
    if (accepted) continue;
    const std::lock_guard lock(open_->mutex);
    if (const auto found = open_->missing.find(source.location()); found != open_->missing.end()) found->second.is_looked_for = false;
  }
  return true;
}

void Desk::on_credit(std::uint64_t request_id, std::uint64_t bytes) {
  const std::lock_guard lock(open_->mutex);
  if (const auto found = open_->jobs.find(request_id); found != open_->jobs.end()) found->second.answer->on_credit(bytes);
}

void Desk::on_cancel(std::uint64_t request_id) {
  const std::lock_guard lock(open_->mutex);
  const auto found = open_->jobs.find(request_id);
  if (found == open_->jobs.end()) return;
  found->second.given_up = Clock::now();
  found->second.answer->abandon();
}

}  // namespace file_source
