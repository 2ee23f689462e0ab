#include "bus/wire/answers.hpp"

#include <algorithm>

namespace picket::bus::wire {

void Answers::open(RequestId id) {
  const std::scoped_lock lock(mutex_);
  answers_.try_emplace(id);
}

void Answers::cancel(RequestId id) {
  const std::scoped_lock lock(mutex_);
  answers_.erase(id);
}

void Answers::credit(RequestId id) {
  const std::scoped_lock lock(mutex_);
  const auto found = answers_.find(id);
  if (found == answers_.end()) return;
  auto& answer = found->second;
  while (!answer.waiting.empty() && peer_.stream_write(id, answer.waiting.front()) == kOk) {
    answer.passed_on += answer.waiting.front().size();
    answer.waiting_bytes -= answer.waiting.front().size();
    answer.waiting.pop_front();
  }
  if (answer.waiting.empty() && answer.final) {
    peer_.respond(id, answer.final->status, answer.final->content_type, answer.final->payload);
    answers_.erase(found);
    return;
  }
  tell(id, answer);
}

void Answers::tell(RequestId id, Answer& answer) {
  if (answer.final) return;
  // Under the lock that writes take too, so that what was granted and what was passed on belong together.
  const auto granted = answer.passed_on + peer_.credit(id);
  const auto total = std::min(granted, answer.passed_on + kMostToldAhead);
  const auto left = answer.told - answer.passed_on;
  if (total <= answer.told || (left > 0 && total - answer.told < kMostToldAhead / 8 && left >= kMostToldAhead / 8)) return;
  answer.told = total;
  tell_credit_(id, total);
}

Result<> Answers::write(RequestId id, std::string_view chunk) {
  const std::scoped_lock lock(mutex_);
  const auto found = answers_.find(id);
  if (found == answers_.end()) return {};
  auto& answer = found->second;
  if (chunk.empty() || answer.final || answer.passed_on + answer.waiting_bytes + chunk.size() > answer.told)
    return fail(Code::invalid, "STREAM_WRITE beyond the credit, empty, or after the answer");
  const auto status = answer.waiting.empty() ? peer_.stream_write(id, chunk) : status_of(Code::busy);
  if (status == kOk) {
    answer.passed_on += chunk.size();
    tell(id, answer);
  } else if (status == status_of(Code::busy)) {
    // Tiny chunks are joined, so that what waits costs about its bytes.
    if (!answer.waiting.empty() && answer.waiting.back().size() + chunk.size() <= kMaxPayload / 4) answer.waiting.back().append(chunk);
    else answer.waiting.emplace_back(chunk);
    answer.waiting_bytes += chunk.size();
  }
  return {};
}

Result<> Answers::respond(RequestId id, Status status, std::string_view content_type, std::string_view payload) {
  const std::scoped_lock lock(mutex_);
  const auto found = answers_.find(id);
  if (found == answers_.end()) return {};
  if (status > 0 || found->second.final) return fail(Code::invalid, "RESPOND with a positive status, or a second one");
  if (!found->second.waiting.empty()) {
    found->second.final = Final{status, std::string(content_type), std::string(payload)};
    return {};
  }
  peer_.respond(id, status, content_type, payload);
  answers_.erase(found);
  return {};
}

}  // namespace picket::bus::wire
