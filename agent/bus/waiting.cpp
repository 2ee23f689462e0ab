#include "bus/waiting.hpp"

#include <utility>

#include "base/bytes.hpp"

namespace picket::bus {

// A plugin's word: it goes into messages that hold no other text than UTF-8, and are refused whole with it.
Error error_of(Status status, std::string_view text, bool of_stream) {
  auto code = code_of(status);
  if (of_stream && code == Code::timeout) code = Code::expired;
  return {code, text.empty() ? std::string(to_string(code)) : as_utf8(text)};
}

void Arrivals::end(Status status, std::string_view content_type, std::string_view payload, bool is_unanswered) {
  if (is_ended()) return;
  if (status != kOk) error_ = error_of(status, payload, is_stream_);
  if (error_) error_->is_unanswered = is_unanswered;
  reply_ = Reply{std::string(content_type), status == kOk ? std::string(payload) : std::string()};
}

Result<MessagePtr> Arrivals::take(std::uint64_t& grant) {
  grant = 0;
  if (!chunks_.empty()) {
    auto chunk = std::move(chunks_.front());
    chunks_.pop_front();
    consumed_ += chunk->payload().size();
    // Credit goes back in quarters of the window: few messages, and the producer never runs dry.
    if (consumed_ * 4 >= window_ && !is_ended()) grant = std::exchange(consumed_, 0);
    return chunk;
  }
  if (error_) return fail(Error(*error_));
  return MessagePtr();
}

}  // namespace picket::bus
