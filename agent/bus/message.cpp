#include "bus/message.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "bus/blocks.hpp"

namespace picket::bus {

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::state: return "state";
    case Kind::event: return "event";
    case Kind::request: return "request";
  }
  return "unknown";
}

MessagePtr Message::make(const MessageParts& parts) {
  const auto topic = parts.topic.substr(0, kMaxTopic);
  const auto key = parts.key.substr(0, kMaxKey);
  const auto content_type = parts.content_type.substr(0, kMaxContentType);
  const auto sender = parts.sender.substr(0, kMaxSender);
  const auto payload = parts.payload.substr(0, std::numeric_limits<std::uint32_t>::max());

  void* memory = take_block(sizeof(Message) + topic.size() + key.size() + content_type.size() + sender.size() + payload.size());
  auto* message = new (memory) Message;
  message->payload_ = static_cast<std::uint32_t>(payload.size());
  message->topic_ = static_cast<std::uint8_t>(topic.size());
  message->key_ = static_cast<std::uint8_t>(key.size());
  message->content_type_ = static_cast<std::uint8_t>(content_type.size());
  message->sender_ = static_cast<std::uint8_t>(sender.size());
  message->kind_ = parts.kind;
  message->deadline_ = parts.deadline;
  auto* to = reinterpret_cast<char*>(message + 1);
  for (const auto part : {topic, key, content_type, sender, payload}) {
    if (!part.empty()) std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  return MessagePtr(message);
}

std::uint32_t Message::deadline_ms() const {
  if (deadline_ == std::chrono::steady_clock::time_point{}) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now()).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 1, std::numeric_limits<std::uint32_t>::max()));
}

void Message::destroy(const Message* message) {
  const auto size = message->bytes();
  message->~Message();
  give_block(const_cast<Message*>(message), size);
}

}  // namespace picket::bus
