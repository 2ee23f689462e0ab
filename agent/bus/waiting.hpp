// One stream of answers as its receiver sees it: shared by Caller (in the process) and wire::Client (over a socket).
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "bus/caller.hpp"

namespace picket::bus {

// A reply with a negative status as an Error; for streams a passed deadline gets a code of its own.
[[nodiscard]] Error error_of(Status status, std::string_view text, bool of_stream);

// What has arrived for one open request. Not locked: its owner does that.
class Arrivals {
 public:
  Arrivals(std::uint64_t window, bool is_stream) : window_(window), is_stream_(is_stream) {}

  void add_chunk(MessagePtr chunk) { chunks_.push_back(std::move(chunk)); }
  void end(Status status, std::string_view content_type, std::string_view payload, bool is_unanswered = false);
  [[nodiscard]] bool is_ended() const { return error_.has_value() || reply_.has_value(); }
  [[nodiscard]] bool has_next() const { return !chunks_.empty() || is_ended(); }

  // Only when has_next(). grant: what may be granted now that this chunk has been consumed (0: not yet worth a message).
  [[nodiscard]] Result<MessagePtr> take(std::uint64_t& grant);
  [[nodiscard]] const Reply& reply() const { return reply_ ? *reply_ : none_; }

 private:
  const std::uint64_t window_;
  const bool is_stream_;
  std::uint64_t consumed_ = 0;
  std::deque<MessagePtr> chunks_;
  std::optional<Reply> reply_;
  std::optional<Error> error_;
  const Reply none_;
};

}  // namespace picket::bus
