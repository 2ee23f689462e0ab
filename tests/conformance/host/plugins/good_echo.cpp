// Answers test.echo with what it was asked, counts test.event, keeps test.good.state current, and stores its start count.
#include <algorithm>
#include <utility>

#include <picket/plugin.hpp>

using namespace picket::plugin;

class Echo {
 public:
  explicit Echo(Host host) : host_(host) {}

  picket_status start(std::string_view settings, std::uint64_t revision) {
    settings_ = settings;
    starts_ = host_.load("starts").value_or("") + "x";
    host_.store("starts", starts_);
    host_.subscribe("test.event");
    host_.publish("test.good.state", "settings", "application/json", settings_);
    return host_.observed(revision, PICKET_HEALTH_HEALTHY);
  }
  void stop() {}
  picket_status apply(std::string_view settings, std::uint64_t revision) {
    if (settings.find("refuse") != std::string_view::npos) return host_.fail(PICKET_E_INVALID, "I do not like these settings");
    settings_ = settings;
    host_.publish("test.good.state", "settings", "application/json", settings_);
    if (settings.find("degraded") != std::string_view::npos) return host_.observed(revision, PICKET_HEALTH_DEGRADED, "half of it works");
    if (settings.find("unwell") != std::string_view::npos) host_.report(PICKET_HEALTH_DEGRADED, "the disk is full");
    if (settings.find("recovered") != std::string_view::npos) host_.report(PICKET_HEALTH_HEALTHY);
    return host_.observed(revision, PICKET_HEALTH_HEALTHY);
  }

  void on_message(const Message&) { ++events_; }
  void on_request(std::uint64_t id, const Message& request) {
    if (request.topic == "test.events") {
      host_.respond(id, PICKET_OK, "", std::to_string(events_));
    } else if (request.topic == "test.starts") {
      host_.respond(id, PICKET_OK, "", starts_);
    } else if (request.topic == "test.stream") {
      stream_ = {id, request.payload.size() * 1000, std::string(request.payload)};  // a thousand times its payload, as credit comes
      pump(0);
    } else if (request.topic == "test.timer") {
      asked_for_timer_ = id;
      host_.set_timer(7, 5);
    } else if (request.topic == "test.relay") {
      relays_.emplace_back(next_token_, id);
      if (const auto status = host_.request("test.c", "", "", request.payload, 20'000, next_token_++); status != PICKET_OK)
        host_.refuse(id, status, "cannot ask");
    } else {
      host_.respond(id, PICKET_OK, request.content_type, request.payload);
    }
  }
  void on_credit(std::uint64_t id, std::uint64_t bytes) {
    if (id == stream_.id) pump(bytes);
  }
  void on_cancel(std::uint64_t id) {
    if (id == stream_.id) stream_.id = 0;
  }
  void on_reply(std::uint64_t token, picket_status status, const Message& reply) {
    for (auto& [asked, id] : relays_)
      if (asked == token) host_.respond(std::exchange(id, 0), status, reply.content_type, reply.payload);
  }
  void on_timer(std::uint64_t id) { host_.respond(asked_for_timer_, PICKET_OK, "", std::to_string(id)); }

 private:
  struct Stream {
    std::uint64_t id = 0;
    std::size_t left = 0;
    std::string part;
  };
  void pump(std::uint64_t credit) {
    while (stream_.left > 0 && credit >= stream_.part.size()) {
      if (host_.stream_write(stream_.id, stream_.part) != PICKET_OK) return;  // more credit will come
      credit -= stream_.part.size();
      stream_.left -= std::min(stream_.left, stream_.part.size());
    }
    if (stream_.left == 0 && stream_.id != 0) host_.respond(std::exchange(stream_.id, 0), PICKET_OK, "", "done");
  }

  Host host_;
  std::string settings_, starts_;
  std::uint64_t events_ = 0, asked_for_timer_ = 0, next_token_ = 1;
  Stream stream_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> relays_;  // token, who asked us
};

PICKET_PLUGIN("org.picket.test.good-echo", Echo)
