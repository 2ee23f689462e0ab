#include "cloud_mode.hpp"

#include <optional>

#include <boost/json.hpp>

#include "picket/ksn/v1/state.pb.h"
#include "picket/update/v1/update.pb.h"

namespace cloud_mode {
namespace {

constexpr std::uint64_t kRetryTimer = 1;
constexpr const char* kCannotPublish = "the choice of databases cannot be published";
constexpr std::uint64_t kRetryMs = 500;
constexpr std::size_t kMostText = 200, kLongWord = 50;

std::optional<bool> cloud_mode_of(std::string_view settings_json) {
  boost::system::error_code error;
  const auto settings = boost::json::parse(settings_json, error);
  if (error || !settings.is_object()) return std::nullopt;
  const auto* value = settings.get_object().if_contains("cloud_mode");
  if (value == nullptr) return true;
  return value->is_bool() ? std::optional(value->get_bool()) : std::nullopt;
}

// Another plugin's words go into our reason: one line, of bounded length, cut between words, or characters where a word is long.
std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  if (text.size() > kMostText) {
    std::size_t end = text.rfind(' ', kMostText);
    if (end == text.npos || end < kMostText - kLongWord) end = kMostText;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    text += " ...";
  }
  return text;
}

}  // namespace

picket_status CloudMode::start(std::string_view settings_json, std::uint64_t revision) {
  ksn_ = {};
  const picket_status status = apply(settings_json, revision);
  if (status != PICKET_OK) return status;
  // A state that is kept comes at once, and with it the choice that counts.
  const picket_status subscribed = host_.subscribe("picket.ksn.state");
  return subscribed == PICKET_OK ? PICKET_OK : host_.fail(subscribed, "cannot subscribe to picket.ksn.state");
}

picket_status CloudMode::apply(std::string_view settings_json, std::uint64_t revision) {
  const auto cloud_mode = cloud_mode_of(settings_json);
  if (!cloud_mode) return host_.fail(PICKET_E_INVALID, "settings: cloud_mode must be true or false");
  cloud_mode_ = *cloud_mode;
  // Settings hold a policy too, which may take the topic away.
  if (publish()) host_.observed(revision, PICKET_HEALTH_HEALTHY);
  else host_.observed(revision, PICKET_HEALTH_FAILED, kCannotPublish);
  return PICKET_OK;
}

void CloudMode::on_message(const picket::plugin::Message& message) {
  if (message.topic != "picket.ksn.state" || !message.key.empty()) return;
  picket::ksn::v1::KsnState state;
  ksn_ = {};
  ksn_.known = !message.is_withdrawn();
  ksn_.readable = state.ParseFromArray(message.payload.data(), static_cast<int>(message.payload.size()));
  if (ksn_.readable) {
    ksn_.in_use = state.in_use();
    ksn_.text = one_line(state.text());
  }
  host_.report(ksn_.readable ? PICKET_HEALTH_HEALTHY : PICKET_HEALTH_DEGRADED,
               ksn_.readable ? std::string() : "what " + std::string(message.sender) + " says about KSN cannot be read");
  if (!publish()) host_.report(PICKET_HEALTH_FAILED, kCannotPublish);
}

void CloudMode::on_timer(std::uint64_t) {
  if (!publish()) host_.report(PICKET_HEALTH_FAILED, kCannotPublish);
}

bool CloudMode::publish() {
  const Choice choice = choose(cloud_mode_, ksn_);
  picket::update::v1::VariantChoice out;
  out.set_variant(choice.variant);
  out.set_reason(choice.reason);
  const picket_status status = host_.publish("picket.update.variant", "", "application/x-protobuf; messageType=picket.update.v1.VariantChoice", out.SerializeAsString());
  if (status == PICKET_E_BUSY) host_.set_timer(kRetryTimer, kRetryMs);
  return status == PICKET_OK || status == PICKET_E_BUSY;
}

}  // namespace cloud_mode
