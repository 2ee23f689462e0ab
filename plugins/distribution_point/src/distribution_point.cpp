#include "distribution_point.hpp"

#include <ctime>
#include <utility>

#include "picket/distribution_point/v1/distribution_point.pb.h"

namespace distribution_point {
namespace {

namespace v1 = picket::distribution_point::v1;
using picket::Code;
using picket::Result;
using picket::cat;

constexpr std::uint64_t kSaveTimer = 1;
constexpr std::uint64_t kSaveEvery = 30'000;
constexpr const char* kType = "application/x-protobuf; messageType=picket.distribution_point.v1.";

}  // namespace

picket_status DistributionPoint::failed(const picket::Error& error) const { return host_.fail(-static_cast<picket_status>(error.code), error.message); }

picket_status DistributionPoint::start(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return failed(settings.error());
  settings_ = std::move(*settings);
  set_gate();
  if (auto opened = open_folder(); !opened) return failed(opened.error());
  if (auto opened = open_server(); !opened) {
    store_.reset();
    return failed(opened.error());
  }
  host_.set_timer(kSaveTimer, kSaveEvery, kSaveEvery);
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

void DistributionPoint::set_gate() {
  const std::lock_guard lock(gate_mutex_);
  gate_ = {settings_.mirror.device_demand, settings_.scope};
}

Result<> DistributionPoint::open_folder() {
  auto store = Store::open(settings_.folder);
  if (!store) return picket::fail(std::move(store).error(), "setting folder");
  store_ = std::make_unique<Store>(std::move(*store));
  demand_ = std::make_unique<DemandBook>(store_->demand_file());
  demand_->set_limits(settings_.most_devices, settings_.demand_lasts);
  if (!demand_->load(std::time(nullptr))) host_.warning("what devices asked for could not be read again: they will say it once more");
  return {};
}

Result<> DistributionPoint::open_server() {
  PICKET_LET(server, Server::start(settings_.server, {[this](const picket::Address& from, std::string_view path, std::string_view body) { return on_post(from, path, body); },
                                                       [this](std::string_view text) { host_.warning(text); }}));
  server_ = std::move(server);
  for (const auto& address : server_->addresses()) host_.info(cat("listens: ", address));
  return serve_published();
}

Result<> DistributionPoint::serve_published() {
  if (store_->published() == 0) return {};
  auto catalogue = Catalogue::load(store_->set_folder(store_->published()));
  if (!catalogue) return picket::fail(std::move(catalogue).error(), "the published set");
  for (const auto set : store_->earlier())
    if (auto old = Catalogue::load(store_->set_folder(set))) catalogue->add_missing(*old);
  server_->serve(std::make_shared<Catalogue>(std::move(*catalogue)));
  return {};
}

picket_status DistributionPoint::apply(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return failed(settings.error());
  if (settings->folder != settings_.folder) return host_.fail(PICKET_E_CONFLICT, "setting folder: takes effect at the plugin's next start only; move the folder's content yourself");
  const auto before = std::exchange(settings_, std::move(*settings));
  demand_->set_limits(settings_.most_devices, settings_.demand_lasts);
  set_gate();
  if (settings_.server_text != before.server_text) {
    server_.reset();  // its ports must be free first
    if (auto opened = open_server(); !opened) {
      settings_ = before;
      set_gate();
      if (auto again = open_server(); !again) host_.report(PICKET_HEALTH_FAILED, cat("serves nobody: ", again.error().message));
      return failed(opened.error());
    }
  }
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

void DistributionPoint::stop() {
  server_.reset();
  if (demand_) (void)demand_->save();
  demand_.reset();
  store_.reset();
}

void DistributionPoint::on_timer(std::uint64_t id) {
  if (id == kSaveTimer && demand_)
    if (auto saved = demand_->save(); !saved) host_.warning(cat("what devices ask for cannot be kept: ", saved.error().message));
}

// On the server's threads.
ApiAnswer DistributionPoint::on_post(const picket::Address& from, std::string_view path, std::string_view body) {
  if (path != "/v1/demand") return {404, R"({"error":"no such request"})"};
  const auto refuse = [](int status, std::string_view why) {
    std::string text;
    for (const char c : why) text.append(c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 ? std::string_view("'") : std::string_view(&c, 1));
    return ApiAnswer{status, cat(R"({"error":")", text, "\"}")};
  };
  bool in_scope = false;
  {
    const std::lock_guard lock(gate_mutex_);
    if (!gate_.open) return refuse(403, "this point takes no wishes of devices");
    in_scope = gate_.scope.empty();
    for (const auto& range : gate_.scope) in_scope = in_scope || range.contains(from);
  }
  if (!in_scope) return refuse(403, "this device is not in the scope of this point");
  auto announcement = parse_announcement(body);
  if (!announcement) return refuse(400, announcement.error().message);
  const auto count = announcement->wants.size();
  if (auto taken = demand_->announce(std::move(*announcement), std::time(nullptr)); !taken) return refuse(503, taken.error().message);
  return {200, cat(R"({"accepted":)", std::to_string(count), "}")};
}

void DistributionPoint::on_request(std::uint64_t request_id, const picket::plugin::Message& request) {
  if (request.topic == "picket.distribution_point.status") return answer_status(request_id);
  host_.refuse(request_id, PICKET_E_UNSUPPORTED, cat("the distribution point does not answer ", request.topic));
}

void DistributionPoint::answer_status(std::uint64_t request_id) {
  v1::StatusReply reply;
  reply.set_state("idle");
  reply.set_set(store_->published());
  reply.set_stored_bytes(store_->stored_bytes());
  reply.set_free_bytes(store_->free_bytes().value_or(0));
  const auto& counters = server_->counters();
  reply.set_connections(counters.connections);
  reply.set_requests(counters.requests);
  reply.set_sent_bytes(counters.sent_bytes);
  for (const auto& address : server_->addresses()) reply.add_addresses(address);
  host_.respond(request_id, PICKET_OK, cat(kType, "StatusReply"), reply.SerializeAsString());
}

}  // namespace distribution_point
