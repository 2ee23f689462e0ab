#include "base/bytes.hpp"
#include "ksn/limits.hpp"
#include "ksn_server/server.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_server {

namespace v1 = picket::ksn::v1;

std::string refusal(v1::Refusal_Why why, std::string_view text, std::uint32_t retry_after_seconds) {
  v1::Refusal out;
  out.set_why(why);
  out.set_text(std::string(picket::whole_characters(picket::as_utf8(text), picket::ksn::kMostTextBytes)));
  out.set_retry_after_seconds(retry_after_seconds);
  return out.SerializeAsString();
}

int http_status(v1::Refusal_Why why) {
  switch (why) {
    case v1::Refusal::MALFORMED: return 400;
    case v1::Refusal::TOO_LARGE: return 413;
    case v1::Refusal::LICENCE_UNKNOWN:
    case v1::Refusal::LICENCE_BLOCKED:
    case v1::Refusal::LICENCE_EXPIRED: return 403;
    case v1::Refusal::TOO_MANY: return 429;
    case v1::Refusal::UNKNOWN_REQUEST: return 404;
    case v1::Refusal::NOT_TAKEN: return 409;
    default: return 503;
  }
}

std::size_t body_limit(std::string_view path) {
  if (path == "/ksn/v1/content") return picket::ksn::kMostPartBytes + 1024;
  return path == "/ksn/v1/statistics" ? picket::ksn::kMostStatisticsBytes : picket::ksn::kMostRequestBytes;
}

Reply& Reply::operator=(Reply&& other) noexcept {
  if (this == &other) return *this;
  drop();
  road_ = std::move(other.road_);
  connection_ = other.connection_;
  stream_ = other.stream_;
  return *this;
}

void Reply::send(int status, std::string body) && {
  if (const auto road = std::move(road_)) road->deliver(connection_, stream_, status, std::move(body));
}

void Reply::drop() noexcept {
  if (!road_) return;
  try {
    std::move(*this).send(503, refusal(v1::Refusal::UNAVAILABLE, "the question was dropped unanswered", 1));
  } catch (...) {
    // Out of memory: the client's own deadline ends it.
  }
}

Reply Reply::to(std::function<void(int, std::string)> done) {
  class Call final : public ReplyRoad {
   public:
    explicit Call(std::function<void(int, std::string)> call) : call_(std::move(call)) {}
    void deliver(std::uint64_t, std::uint32_t, int status, std::string body) override { call_(status, std::move(body)); }

   private:
    std::function<void(int, std::string)> call_;
  };
  return {std::make_shared<Call>(std::move(done)), 0, 0};
}

}  // namespace ksn_server
