#include "bus/wire/frame.hpp"

#include <cstring>

namespace picket::bus::wire {
namespace {

template <class Number>
void put(char*& to, Number value) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) *to++ = static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
}

template <class Number>
Number take(const char*& from) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) value = static_cast<Number>(value | (Number{static_cast<unsigned char>(*from++)} << (8 * i)));
  return value;
}

bool is_known(std::uint16_t type) {
  return (type >= 1 && type <= 9) || (type >= 32 && type <= 40) || type == 63 ||
         (type >= static_cast<std::uint16_t>(Type::first_other) && type <= static_cast<std::uint16_t>(Type::last_other));
}

}  // namespace

std::string_view to_string(Type type) {
  switch (type) {
    case Type::hello: return "HELLO";
    case Type::publish: return "PUBLISH";
    case Type::subscribe: return "SUBSCRIBE";
    case Type::unsubscribe: return "UNSUBSCRIBE";
    case Type::request: return "REQUEST";
    case Type::grant: return "GRANT";
    case Type::cancel: return "CANCEL";
    case Type::respond: return "RESPOND";
    case Type::stream_write: return "STREAM_WRITE";
    case Type::welcome: return "WELCOME";
    case Type::result: return "RESULT";
    case Type::message: return "MESSAGE";
    case Type::request_in: return "REQUEST_IN";
    case Type::stream_in: return "STREAM_IN";
    case Type::reply: return "REPLY";
    case Type::credit: return "CREDIT";
    case Type::cancel_in: return "CANCEL_IN";
    case Type::loss: return "LOSS";
    case Type::goodbye: return "GOODBYE";
    case Type::first_other:
    case Type::last_other: break;
  }
  return "frame of a plugin's life cycle";
}

Result<Frame> parse(std::string_view packet) {
  if (packet.size() < kHeaderSize) return fail(Code::invalid, cat("a frame has at least 32 bytes, this packet ", std::to_string(packet.size())));
  if (packet.size() > kMaxFrame) return fail(Code::invalid, "the packet is larger than the largest frame");
  const char* from = packet.data();
  Frame frame;
  const auto type = take<std::uint16_t>(from);
  const auto zero = take<std::uint16_t>(from);
  if (!is_known(type) || zero != 0) return fail(Code::invalid, cat("no frame has the type ", std::to_string(type)));
  frame.type = static_cast<Type>(type);
  frame.status = static_cast<Status>(take<std::uint32_t>(from));
  frame.token = take<std::uint64_t>(from);
  frame.number = take<std::uint64_t>(from);
  const auto topic = take<std::uint8_t>(from);
  const auto key = take<std::uint8_t>(from);
  const auto content_type = take<std::uint8_t>(from);
  const auto text = take<std::uint8_t>(from);
  const auto payload = take<std::uint32_t>(from);
  // In 64 bits the sum cannot wrap; equal to what is there, every part lies within the packet.
  if (std::uint64_t{kHeaderSize} + topic + key + content_type + text + payload != packet.size() || payload > kMaxPayload || topic > kMaxTopic)
    return fail(Code::invalid, cat(to_string(frame.type), ": the lengths in the frame do not add up to the packet's"));
  auto rest = packet.substr(kHeaderSize);
  const auto part = [&rest](std::size_t size) {
    const auto taken = rest.substr(0, size);
    rest.remove_prefix(size);
    return taken;
  };
  frame.topic = part(topic);
  frame.key = part(key);
  frame.content_type = part(content_type);
  frame.text = part(text);
  frame.payload = part(payload);
  return frame;
}

Result<> encode_head(const Frame& frame, std::string& out) {
  if (frame.topic.size() > kMaxTopic || frame.key.size() > 255 || frame.content_type.size() > 255 || frame.text.size() > 255 ||
      frame.payload.size() > kMaxPayload)
    return fail(Code::too_large, cat(to_string(frame.type), ": a part is too large for a frame"));
  const auto begin = out.size();
  out.resize(begin + kHeaderSize);
  char* to = out.data() + begin;
  put(to, static_cast<std::uint16_t>(frame.type));
  put(to, std::uint16_t{0});
  put(to, static_cast<std::uint32_t>(frame.status));
  put(to, frame.token);
  put(to, frame.number);
  put(to, static_cast<std::uint8_t>(frame.topic.size()));
  put(to, static_cast<std::uint8_t>(frame.key.size()));
  put(to, static_cast<std::uint8_t>(frame.content_type.size()));
  put(to, static_cast<std::uint8_t>(frame.text.size()));
  put(to, static_cast<std::uint32_t>(frame.payload.size()));
  out.append(frame.topic).append(frame.key).append(frame.content_type).append(frame.text);
  return {};
}

Result<std::string> encode(const Frame& frame) {
  std::string out;
  out.reserve(kHeaderSize + frame.topic.size() + frame.key.size() + frame.content_type.size() + frame.text.size() + frame.payload.size());
  PICKET_TRY(encode_head(frame, out));
  out.append(frame.payload);
  return out;
}

}  // namespace picket::bus::wire
