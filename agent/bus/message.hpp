// What travels on the bus: immutable, reference-counted, one allocation; a fan-out in the process shares it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace picket::bus {

enum class Kind : std::uint8_t { state, event, request };
[[nodiscard]] std::string_view to_string(Kind kind);

class MessagePtr;

// Longer parts are cut off by make(); the router refuses them before that.
constexpr std::size_t kMaxTopic = 127;
constexpr std::size_t kMaxKey = 255;
constexpr std::size_t kMaxContentType = 255;
constexpr std::size_t kMaxSender = 255;

struct MessageParts {
  Kind kind = Kind::event;
  std::string_view topic{}, key{}, content_type{}, sender{}, payload{};
  std::chrono::steady_clock::time_point deadline{};  // requests only
};

class Message {
 public:
  [[nodiscard]] static MessagePtr make(const MessageParts& parts);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::string_view topic() const { return {data(), topic_}; }
  [[nodiscard]] std::string_view key() const { return {data() + topic_, key_}; }
  [[nodiscard]] std::string_view content_type() const { return {data() + topic_ + key_, content_type_}; }
  [[nodiscard]] std::string_view sender() const { return {data() + topic_ + key_ + content_type_, sender_}; }
  [[nodiscard]] std::string_view payload() const { return {data() + topic_ + key_ + content_type_ + sender_, payload_}; }
  [[nodiscard]] std::uint32_t deadline_ms() const;  // requests: what is left now, at least 1; else 0
  [[nodiscard]] std::size_t bytes() const { return sizeof(Message) + text_size() + payload_; }  // what it costs in memory

  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

 private:
  friend class MessagePtr;
  Message() = default;
  ~Message() = default;
  [[nodiscard]] const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  [[nodiscard]] std::size_t text_size() const { return std::size_t{topic_} + key_ + content_type_ + sender_; }
  static void destroy(const Message* message);

  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t payload_ = 0;
  std::uint8_t topic_ = 0, key_ = 0, content_type_ = 0, sender_ = 0;
  Kind kind_ = Kind::event;
  std::chrono::steady_clock::time_point deadline_{};
};

class MessagePtr {
 public:
  MessagePtr() = default;
  MessagePtr(std::nullptr_t) {}  // NOLINT: as a pointer
  MessagePtr(const MessagePtr& other) : message_(other.message_) {
    if (message_ != nullptr) message_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  MessagePtr(MessagePtr&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessagePtr& operator=(MessagePtr other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessagePtr() {
    // The only owner need not pay for an atomic decrement.
    if (message_ != nullptr && (message_->references_.load(std::memory_order_acquire) == 1 ||
                                message_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1))
      Message::destroy(message_);
  }
  [[nodiscard]] const Message* get() const { return message_; }
  [[nodiscard]] const Message& operator*() const { return *message_; }
  [[nodiscard]] const Message* operator->() const { return message_; }
  [[nodiscard]] explicit operator bool() const { return message_ != nullptr; }
  friend bool operator==(const MessagePtr& a, const MessagePtr& b) { return a.message_ == b.message_; }

 private:
  friend class Message;
  explicit MessagePtr(const Message* adopted) : message_(adopted) {}
  const Message* message_ = nullptr;
};

}  // namespace picket::bus
