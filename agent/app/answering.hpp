// A part of the host that answers requests: one row per topic, protobuf in and out.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "bus/bus.hpp"

namespace picket::app {

[[nodiscard]] inline std::string content_type_of(std::string_view message_type) { return cat("application/x-protobuf; messageType=", message_type); }

class Answering : public bus::Handler {
 public:
  using Answer = std::function<void(bus::RequestId, const bus::MessagePtr&)>;

  // A topic answered at once by a function of the request.
  template <class RequestType, class ReplyType>
  void answer(std::string topic, std::function<Result<ReplyType>(const RequestType&)> function) {
    rows_[std::move(topic)] = [this, function = std::move(function)](bus::RequestId id, const bus::MessagePtr& message) {
      if (auto request = parse<RequestType>(id, message)) reply(id, function(*request));
    };
  }
  // A topic answered later.
  template <class RequestType>
  void answer_later(std::string topic, std::function<void(bus::RequestId, RequestType)> function) {
    rows_[std::move(topic)] = [this, function = std::move(function)](bus::RequestId id, const bus::MessagePtr& message) {
      if (auto request = parse<RequestType>(id, message)) function(id, std::move(*request));
    };
  }
  template <class ReplyType>
  void reply(bus::RequestId id, const Result<ReplyType>& result) {
    if (result)
      bus::answer(*peer_, id, content_type_of(result->GetTypeName()), result->SerializeAsString());
    else
      peer_->respond(id, bus::status_of(result.error().code), {}, result.error().message);
  }

  [[nodiscard]] Result<> attach(bus::Router& router, bus::PeerOptions options) {
    for (const auto& [topic, row] : rows_) options.allow.answers.push_back(topic);
    PICKET_LET(peer, router.attach(std::move(options), *this));
    peer_ = std::move(peer);
    return {};
  }
  // First in the destructor of what its answers use, and before that goes: none runs any more then. The peer stays, and refuses.
  void detach() {
    if (peer_) (void)peer_->detach(std::chrono::milliseconds::max());
  }
  [[nodiscard]] bus::Peer& peer() { return *peer_; }

  void on_request(bus::RequestId id, const bus::MessagePtr& message) override {
    const auto row = rows_.find(message->topic());
    if (row == rows_.end())
      peer_->respond(id, bus::status_of(Code::unsupported), {}, "nobody answers this topic");
    else
      row->second(id, message);
  }

 private:
  template <class RequestType>
  std::optional<RequestType> parse(bus::RequestId id, const bus::MessagePtr& message) {
    RequestType request;
    const auto payload = message->payload();
    if (request.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return request;
    peer_->respond(id, bus::status_of(Code::invalid), {}, cat("the request is not a ", request.GetTypeName()));
    return std::nullopt;
  }

  std::map<std::string, Answer, std::less<>> rows_;
  std::unique_ptr<bus::Peer> peer_;
};

}  // namespace picket::app
