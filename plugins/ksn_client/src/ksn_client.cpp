#include "ksn_client.hpp"

#include <google/protobuf/arena.h>

#include "base/bytes.hpp"
#include "picket/component/v1/component.pb.h"
#include "picket/host/v1/host.pb.h"

namespace ksn_client {
namespace {

using picket::plugin::Message;

constexpr std::uint64_t kPublishTimer = 1;
constexpr std::uint32_t kOwnMargin = 100;  // ms, so that an answer is there before the asker's deadline

picket_status status_of_code(Code code) { return -static_cast<picket_status>(code); }

std::chrono::milliseconds deadline_of(const Message& request) {
  const auto margin = std::min(kOwnMargin, request.timeout_ms / 5);
  return std::chrono::milliseconds(request.timeout_ms > margin ? request.timeout_ms - margin : 1);
}

// For the record. Root's and the agent's own picketctl say who it was; of anybody else the bus knows better, and that stands beside what is said.
std::string who_asks(std::string_view sender, std::string_view said) {
  const auto is_own = sender == "picketctl" || sender.starts_with("picketctl#");
  if (is_own) return std::string(said);
  const auto who = sender.starts_with("picketctl@") ? cat("uid ", sender.substr(10, sender.find('#', 10) - 10)) : std::string(sender);
  return said.empty() ? who : cat(picket::whole_characters(said, 90), " (", who, ")");  // what is recorded is cut at 200
}

template <class T>
constexpr std::string_view kName = "";
template <>
constexpr std::string_view kName<v1::StatusReply> = "StatusReply";
template <>
constexpr std::string_view kName<v1::StatementReply> = "StatementReply";
template <>
constexpr std::string_view kName<v1::DecideReply> = "DecideReply";
template <>
constexpr std::string_view kName<v1::SwitchReply> = "SwitchReply";
template <>
constexpr std::string_view kName<v1::SentReply> = "SentReply";
template <>
constexpr std::string_view kName<v1::ConnectionReply> = "ConnectionReply";
template <>
constexpr std::string_view kName<v1::SoftwareReply> = "SoftwareReply";

constexpr std::string_view kType = "application/x-protobuf; messageType=picket.ksn.v1.";

template <class T>
bool parse(const Message& request, T& into) { return into.ParseFromArray(request.payload.data(), static_cast<int>(request.payload.size())); }

}  // namespace

picket_status KsnClient::start(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(PICKET_E_INVALID, settings.error().message);
  Client::Host host;
  host.keep.load = [this](std::string_view key) { return load(key); };
  host.keep.store = [this](std::string_view key, std::string_view value) { return host_.store(key, value) == PICKET_OK; };
  host.keep.forget = [this](std::string_view key) { return host_.forget(key) == PICKET_OK; };
  host.log = [this](bool warning, std::string_view text) { warning ? host_.warning(text) : host_.info(text); };
  host.version = PICKET_PLUGIN_VERSION;
  host.now = [] { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); };
  // From any of the client's threads: the plugin's own publishes, soon.
  host.changed = [this] { host_.set_timer(kPublishTimer, 0); };
  published_.clear();
  reported_.clear();
  ignored_.clear();
  auto client = Client::start(std::move(host), std::move(*settings));
  if (!client) return host_.fail(status_of_code(client.error().code), client.error().message);
  client_ = std::move(*client);
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  publish();
  return PICKET_OK;
}

picket_status KsnClient::apply(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(PICKET_E_INVALID, settings.error().message);
  if (auto applied = client_->apply(std::move(*settings)); !applied) return host_.fail(status_of_code(applied.error().code), applied.error().message);
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  publish();
  return PICKET_OK;
}

void KsnClient::stop() { client_.reset(); }

Result<std::string> KsnClient::load(std::string_view key) const {
  std::string value;
  const auto status = host_.load(key, value);
  if (status == PICKET_OK) return value;
  const auto code = status == PICKET_E_UNSUPPORTED ? Code::not_found : static_cast<Code>(-status);  // a host without storage keeps nothing
  return fail(code, std::string(to_string(code)));
}

void KsnClient::on_timer(std::uint64_t timer) {
  if (timer == kPublishTimer && client_) publish();
}

void KsnClient::publish() {
  const auto state = client_->state();
  const std::string bytes = state.SerializeAsString();
  tell_ignored();
  if (bytes != published_) {
    const auto status = host_.publish("picket.ksn.state", "", cat(kType, "KsnState"), bytes);
    if (status == PICKET_OK) published_ = bytes;
    else if (status == PICKET_E_BUSY) host_.set_timer(kPublishTimer, 500);
  }
  // Without the next attempt: a device that goes on failing is not reported anew every minute.
  const std::string text = cat(state.status(), state.cause().empty() ? "" : cat(": ", state.cause()));
  const std::string health = state.device_status() == "OK" || state.device_status().empty() ? std::string() : cat(state.device_status(), ": ", text);
  if (health == reported_) return;
  // A plugin's health is a warning at most; what policy calls critical is said of the device.
  if (!concern("ksn", state.device_status() == "Critical" ? "Critical" : "OK", cat("KSN: ", text))) return;
  host_.report(health.empty() ? PICKET_HEALTH_HEALTHY : PICKET_HEALTH_DEGRADED, health);
  reported_ = health;
}

// Said of the device, not as this plugin's health: a newer version that is less well than the one before does not take over from it.
void KsnClient::tell_ignored() {
  auto ignored = client_->ignored();
  if (ignored == ignored_) return;
  if (!concern("settings", ignored.empty() ? "OK" : "Warning", cat("ignored: ", ignored))) return;
  if (!ignored.empty()) host_.warning(cat("ignored: ", ignored));
  ignored_ = std::move(ignored);
}

bool KsnClient::concern(std::string_view key, std::string_view level, std::string_view text) {
  picket::host::v1::DeviceConcern said;
  said.set_level(std::string(level));
  said.set_text(std::string(text));
  if (host_.publish("picket.device.concern", key, "application/x-protobuf; messageType=picket.host.v1.DeviceConcern", said.SerializeAsString()) != PICKET_E_BUSY) return true;
  host_.set_timer(kPublishTimer, 500);
  return false;
}

template <class Reply>
void KsnClient::answer(std::uint64_t request_id, Result<Reply> reply) const {
  if (!reply) {
    host_.refuse(request_id, status_of_code(reply.error().code), reply.error().message);
    return;
  }
  host_.respond(request_id, PICKET_OK, cat(kType, kName<Reply>), reply->SerializeAsString());
}

void KsnClient::activate(std::uint64_t request_id, std::string_view payload) {
  picket::component::v1::ActivateRequest request;
  if (!request.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    host_.refuse(request_id, PICKET_E_INVALID, "the request is not a picket.component.v1.ActivateRequest");
    return;
  }
  if (request.set().component() != "ksn-directives" || !request.set().path().starts_with('/')) {
    host_.refuse(request_id, PICKET_E_INVALID, "the KSN client takes the component ksn-directives, with an absolute path");
    return;
  }
  if (auto taken = client_->direct(request.set().path(), request.set().release()); !taken) {
    host_.warning(cat("release ", std::to_string(request.set().release()), " of ksn-directives is refused: ", taken.error().message));
    host_.refuse(request_id, status_of_code(taken.error().code), taken.error().message);
    return;
  }
  picket::component::v1::ActivateReply reply;
  reply.set_text(client_->status().status());
  host_.respond(request_id, PICKET_OK, "application/x-protobuf; messageType=picket.component.v1.ActivateReply", reply.SerializeAsString());
}

void KsnClient::on_request(std::uint64_t id, const Message& request) {
  const auto malformed = [&] { host_.refuse(id, PICKET_E_INVALID, cat("the request is not what ", request.topic, " takes")); };
  if (request.topic == "picket.ksn.check") {
    google::protobuf::Arena arena;  // its objects in one piece: each by itself would cost as much as its answer
    auto& message = *google::protobuf::Arena::CreateMessage<v1::CheckRequest>(&arena);
    if (!parse(request, message)) return malformed();
    client_->check(message, deadline_of(request), [host = host_, id](Result<std::string> reply) {
      if (reply && reply->size() > Checker::kMostReply) reply = fail(Code::too_large, cat("the answer has ", std::to_string(reply->size()), " bytes, and one message of the bus holds ", std::to_string(Checker::kMostReply), ": ask about fewer objects at once"));
      if (!reply) host.refuse(id, status_of_code(reply.error().code), reply.error().message);
      else host.respond(id, PICKET_OK, cat(kType, "CheckReply"), *reply);
    });
  } else if (request.topic == "picket.ksn.software") {
    v1::SoftwareRequest message;
    if (!parse(request, message)) return malformed();
    client_->software(message.path(), deadline_of(request), [this, id](Result<v1::SoftwareReply> reply) { answer(id, std::move(reply)); });
  } else if (request.topic == "picket.ksn.status") {
    answer(id, Result<v1::StatusReply>(client_->status()));
  } else if (request.topic == "picket.ksn.statement") {
    v1::StatementRequest message;
    if (!parse(request, message)) return malformed();
    answer(id, client_->statement(message.language()));
  } else if (request.topic == "picket.ksn.decide") {
    v1::DecideRequest message;
    if (!parse(request, message)) return malformed();
    message.set_who(who_asks(request.sender, message.who()));
    answer(id, client_->decide(message));
    publish();
  } else if (request.topic == "picket.ksn.switch") {
    v1::SwitchRequest message;
    if (!parse(request, message)) return malformed();
    message.set_who(who_asks(request.sender, message.who()));
    answer(id, client_->switch_to(message));
    publish();
  } else if (request.topic == "picket.ksn.sent") {
    v1::SentRequest message;
    if (!parse(request, message)) return malformed();
    client_->sent(message.what(), [this, id](Result<v1::SentReply> reply) {
      if (reply && reply->ByteSizeLong() > Checker::kMostReply) reply = fail(Code::too_large, "one message of the bus does not hold the last and the next message: ask for each by itself");
      answer(id, std::move(reply));
    });
  } else if (request.topic == "picket.ksn.connection") {
    client_->connection(deadline_of(request), [this, id](Result<v1::ConnectionReply> reply) { answer(id, std::move(reply)); });
  } else if (request.topic == "picket.component.activate") {
    activate(id, request.payload);
    publish();
  } else {
    host_.refuse(id, PICKET_E_UNSUPPORTED, cat("the KSN client does not answer ", request.topic));
  }
}

}  // namespace ksn_client
