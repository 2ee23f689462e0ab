// Answers com.example.hello.greet with a greeting, tells the count as state, and keeps it over restarts.
// Nothing here waits, so it has no thread of its own.
#include <picket/plugin.hpp>

#include <boost/json/parse.hpp>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using picket::plugin::Host;
using picket::plugin::Message;

constexpr std::uint64_t kSaveTimer = 1;
constexpr std::string_view kCountKey = "count";
constexpr std::size_t kMostNameBytes = 1000;

class Hello {
 public:
  explicit Hello(Host host) : host_(host) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision) {
    count_ = 0;
    if (const auto kept = host_.load(kCountKey)) std::from_chars(kept->data(), kept->data() + kept->size(), count_);
    return apply(settings_json, revision);
  }

  // The host has validated these against the settings_schema of plugin.json and filled in the defaults.
  picket_status apply(std::string_view settings_json, std::uint64_t revision) {
    const auto settings = boost::json::parse(settings_json);  // what it throws becomes PICKET_E_INTERNAL with its text
    greeting_ = settings.at("greeting").as_string();
    const std::uint64_t period_ms = static_cast<std::uint64_t>(settings.at("save_seconds").as_int64()) * 1000;
    host_.set_timer(kSaveTimer, period_ms, period_ms);
    host_.observed(revision, PICKET_HEALTH_HEALTHY);
    return PICKET_OK;
  }

  void stop() noexcept { save(); }

  void on_request(std::uint64_t request_id, const Message& request) {
    // The payload is a stranger's: bound it before use.
    if (request.payload.empty() || request.payload.size() > kMostNameBytes) {
      host_.refuse(request_id, PICKET_E_INVALID, "the payload must be a name of 1 to 1000 bytes");
      return;
    }
    ++count_;
    host_.respond(request_id, PICKET_OK, "text/plain", greeting_ + ", " + std::string(request.payload));
    // State: the latest value counts, so there is nothing to do about BUSY but to tell the next one.
    host_.publish("com.example.hello.greeted", "count", "text/plain", std::to_string(count_));
  }

  void on_timer(std::uint64_t) { save(); }

 private:
  void save() noexcept {
    if (host_.store(kCountKey, std::to_string(count_)) != PICKET_OK)
      host_.report(PICKET_HEALTH_DEGRADED, "the count cannot be kept");
  }

  Host host_;
  std::string greeting_;
  std::uint64_t count_ = 0;
};

}  // namespace

PICKET_PLUGIN("com.example.hello", Hello)
