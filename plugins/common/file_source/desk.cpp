#include "file_source/desk.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "file_source/jobs.hpp"

namespace file_source {
namespace {

constexpr std::size_t kQueue = 64;

}  // namespace

void Desk::start(std::size_t threads) { workers_ = std::make_unique<Workers>(threads, kQueue); }

void Desk::stop() {
  {
    const std::lock_guard lock(open_->mutex);
    for (auto& [id, answer] : open_->answers) answer->refuse(PICKET_E_UNAVAILABLE, "the " + kind_ + " source is stopping");
    open_->answers.clear();
    open_->missing.clear();
    open_->missing_one = nullptr;
  }
  if (!workers_) return;
  const bool all_ended = workers_->stop(stop_patience_);
  workers_.reset();
  // Whoever hangs calls the host no more (its Answer is done) and ends with the mount or the server. The status says so.
  if (!all_ended) throw std::runtime_error("a " + kind_ + " does not answer (a dead mount or server?): a read is still waiting");
}

std::shared_ptr<picket::plugin::Answer> Desk::find(std::uint64_t request_id) const {
  const std::lock_guard lock(open_->mutex);
  const auto found = open_->answers.find(request_id);
  return found == open_->answers.end() ? nullptr : found->second;
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
  auto answer = std::make_shared<Answer>(host_, request_id);
  {
    const std::lock_guard lock(open_->mutex);
    open_->answers.emplace(request_id, answer);
  }
  const bool accepted = workers_ && workers_->submit([run, answer, request = std::move(request), store = store_, open = open_] {
    try {
      if (!answer->is_done()) run(*store, request, *answer, *open);
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

void Desk::on_request(std::uint64_t request_id, const picket::plugin::Message& request) {
  if (request.topic == "picket.source.fetch")
    accept<picket::source::v1::FetchRequest>(request_id, request.payload, [](Store& store, const auto& fetch, Answer& answer, Open& open) {
      const bool is_there = run_fetch(store, fetch, answer);
      const std::lock_guard lock(open.mutex);  // which the stop takes too: the host is not called after it
      if (!open.missing_one) return;
      if (is_there) return (void)open.missing.erase(fetch.source().location());
      if (open.missing.size() < kMaxMissing) open.missing[fetch.source().location()] = fetch.source();
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
    if (open_->looking || !workers_) return true;  // one that hangs is not asked again and again
    open_->looking = true;
    for (const auto& [location, source] : open_->missing) missing.push_back(source);
  }
  const bool accepted = workers_->submit([missing = std::move(missing), appeared, store = store_, open = open_] {
    for (const auto& source : missing) {
      bool is_there = false;
      try {
        is_there = store->probe(source).has_value();
      } catch (const std::exception&) {
        is_there = false;  // not enough memory, or the like: looked at again
      }
      const std::lock_guard lock(open->mutex);
      // Not after the stop, which forgets what was missing.
      if (is_there && open->missing.erase(source.location()) > 0) appeared(source);
    }
    const std::lock_guard lock(open->mutex);
    open->looking = false;
  });
  if (!accepted) {
    const std::lock_guard lock(open_->mutex);
    open_->looking = false;
  }
  return true;
}

void Desk::on_credit(std::uint64_t request_id, std::uint64_t bytes) {
  if (const auto answer = find(request_id)) answer->on_credit(bytes);
}

void Desk::on_cancel(std::uint64_t request_id) {
  if (const auto answer = find(request_id)) answer->abandon();
}

}  // namespace file_source
