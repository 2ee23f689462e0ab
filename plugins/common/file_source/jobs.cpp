#include "file_source/jobs.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include "file_source/location.hpp"

namespace file_source {
namespace {

namespace source = picket::source::v1;
using Clock = std::chrono::steady_clock;

void refuse(Answer& answer, const Failure& failure) {
  answer.refuse(failure.status, failure.text, failure.costs_nothing ? "text/plain; retry-after=0" : "");  // as source.proto says
}

// Slow is a mount that brings fewer bytes than asked for over a whole stall time. Waiting for credit is not its fault and not counted.
class Pace {
 public:
  Pace(std::uint32_t stall_ms, std::uint32_t least) : stall_(stall_ms), least_(std::max<std::uint32_t>(least, 1)) {}
  [[nodiscard]] bool is_too_slow(Clock::duration took, std::size_t bytes) {
    if (stall_.count() == 0) return false;
    time_ += took;
    bytes_ += bytes;
    if (time_ < stall_) return false;
    const auto seconds = std::chrono::duration<double>(time_).count();
    const bool slow = static_cast<double>(bytes_) < seconds * least_;
    time_ = {};
    bytes_ = 0;
    return slow;
  }
  [[nodiscard]] std::string text() const {
    return "slower than " + std::to_string(least_) + " bytes per second for " + std::to_string(stall_.count()) + " ms";
  }

 private:
  const std::chrono::milliseconds stall_;
  const std::uint32_t least_;
  Clock::duration time_{};
  std::uint64_t bytes_ = 0;
};

struct Sent {
  std::uint64_t bytes = 0;
  std::uint64_t size = 0;
};

Outcome<Sent> send(File& file, const source::FetchRequest& request, Answer& answer) {
  const std::uint64_t size = file.size();
  if (request.offset() > size)
    return failed(PICKET_E_IO, request.path() + " has only " + std::to_string(size) + " bytes, fewer than the " + std::to_string(request.offset()) + " already here");
  const std::uint64_t end = request.offset() + std::min<std::uint64_t>(request.max_bytes(), size - request.offset());
  Pace pace(request.stall_timeout_ms(), request.min_bytes_per_second());
  std::string buffer;
  buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(PICKET_BUS_MAX_PAYLOAD, end - request.offset())));
  for (std::uint64_t at = request.offset(); at < end;) {
    if (answer.is_done()) return failed(PICKET_E_CANCELLED, "cancelled");
    const auto before = Clock::now();
    const auto got = file.read(at, buffer.data(), static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - at)));
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) return failed(PICKET_E_IO, request.path() + " became shorter while it was read");
    if (pace.is_too_slow(Clock::now() - before, *got)) return failed(PICKET_E_TIMEOUT, request.path() + ": " + pace.text());
    const picket_status status = answer.write({buffer.data(), *got});
    if (status != PICKET_OK) return failed(status, "nobody waits for the rest of " + request.path());
    at += *got;
  }
  return Sent{end - request.offset(), size};
}

}  // namespace

void run_probe(Store& store, const source::ProbeRequest& request, Answer& answer) {
  const auto before = Clock::now();
  if (const auto there = store.probe(request.source()); !there) return refuse(answer, there.error());
  source::ProbeReply reply;
  reply.set_elapsed_ms(static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - before).count()));
  answer.finish("application/x-protobuf; messageType=picket.source.v1.ProbeReply", reply.SerializeAsString());
}

bool run_fetch(Store& store, const source::FetchRequest& request, Answer& answer) {
  const auto give_up = [&](const Failure& failure) {
    // Also the empty folder on which a drive is mounted later.
    const bool is_there = failure.status == PICKET_E_NOT_FOUND ? store.probe(request.source()).has_value() : !failure.costs_nothing;
    refuse(answer, failure);
    return is_there;
  };
  const auto parts = path_parts(request.path());
  if (!parts) return give_up(parts.error());
  const auto file = store.open(request.source(), *parts, {request.connect_timeout_ms(), request.stall_timeout_ms()});
  if (!file) return give_up(file.error());
  const auto sent = send(**file, request, answer);
  if (!sent) return give_up(sent.error());
  source::FetchReply reply;
  reply.set_sent(sent->bytes);
  reply.set_offset(request.offset());
  reply.set_size(sent->size);
  reply.set_from((*file)->name());
  answer.finish("application/x-protobuf; messageType=picket.source.v1.FetchReply", reply.SerializeAsString());
  return true;
}

}  // namespace file_source
