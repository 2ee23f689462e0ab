#include "distribution_point.hpp"

#include <ctime>
#include <utility>

#include "base/bytes.hpp"
#include "tls_server/context.hpp"

namespace distribution_point {
namespace {

using picket::Code;
using picket::Result;
using picket::cat;

constexpr const char* kType = "application/x-protobuf; messageType=picket.distribution_point.v1.";
constexpr std::uint64_t kSeatTimer = 1;
constexpr std::chrono::seconds kDrain{8};  // for the answers of a version that another one replaces
constexpr const char* kOff = "the distribution point is switched off: setting enabled";
constexpr const char* kNotYet = "the distribution point does not work yet: see its status";

DemandBook::Limits limits_of(const Settings& settings) { return {settings.most_devices, settings.most_devices_of_address, settings.demand_lasts}; }

}  // namespace

DistributionPoint::DistributionPoint(picket::plugin::Host host) : host_(host), instance_(picket::to_hex(picket::random_bytes(8))), seat_(host, kSeatTimer), asker_(host) {}

picket_status DistributionPoint::failed(const picket::Error& error) const { return host_.fail(-static_cast<picket_status>(error.code), error.message); }

picket_status DistributionPoint::start(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return failed(settings.error());
  settings_ = std::move(*settings);
  if (auto opened = open(); !opened) {
    close();
    return failed(opened.error());
  }
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

void DistributionPoint::set_gate() {
  const std::unique_lock lock(gate_mutex_);
  gate_ = {settings_.mirror.device_demand, false, settings_.scope};
}

Result<> DistributionPoint::open() {
  set_gate();
  unsupported_.clear();
  seat_.be_still();
  if (!settings_.enabled) {
    seat_.leave();
    host_.report(PICKET_HEALTH_HEALTHY);
    return {};
  }
  PICKET_LET(is_ours, seat_.take());
  if (!is_ours) return check_server();
  auto store = Store::open(settings_.folder);
  // Not a failed start: the task wants to hear of this point as "unsupported", with the reason.
  if (!store && store.error().code == Code::unsupported) {
    unsupported_ = store.error().message;
    host_.report(PICKET_HEALTH_DEGRADED, unsupported_);
    return {};
  }
  if (!store) return picket::fail(std::move(store).error(), "setting folder");
  store_ = std::make_unique<Store>(std::move(*store));
  demand_ = std::make_unique<DemandBook>(store_->demand_file());
  demand_->set_limits(limits_of(settings_));
  if (!demand_->load(DemandBook::clock())) {
    // Nobody knows whose wishes they were: what was published for them stays until all had the time to say it again.
    const auto served = published_wishes(*store_);
    demand_->adopt(served, DemandBook::clock());
    if (!served.empty())
      host_.warning(cat("what devices asked for could not be read again, or not all of it: what is served stays (", std::to_string(served.size()), " wishes) until they have said it once more"));
  }
  downloads_ = std::make_unique<Downloads>(Downloads::Parts{host_, asker_, *store_, *demand_, [this](std::shared_ptr<const Catalogue> catalogue) { serve(std::move(catalogue)); }, instance_},
                                           settings_);
  PICKET_TRY(downloads_->serve_published());
  PICKET_TRY(open_server(seat_.sockets()));
  asker_.start();
  downloads_->start();
  return {};
}

// What can be known before the ports and the folder are ours: a version that could not serve what is published must not take over.
Result<> DistributionPoint::check_server() const {
  if (settings_.server.https_port >= 0)
    if (auto context = tls_server::make_context(settings_.server.certificate, settings_.server.key); !context) return picket::fail(std::move(context).error());
  if (auto catalogue = Catalogue::load(settings_.folder / "public"); !catalogue && catalogue.error().code != Code::not_found)
    return picket::fail(std::move(catalogue).error(), "the published set");
  return {};
}

void DistributionPoint::on_timer(std::uint64_t id) {
  if (id != kSeatTimer || !seat_.may_open()) return;
  if (auto opened = open(); !opened) {
    close();
    host_.report(PICKET_HEALTH_FAILED, opened.error().message);
    seat_.try_again_later();
  }
}

void DistributionPoint::close_folder() {
  downloads_.reset();
  if (demand_ && store_)
    if (auto kept = demand_->keep(DemandBook::clock()); !kept) host_.warning(cat("what devices ask for cannot be kept: ", kept.error().message));
  store_.reset();
}

void DistributionPoint::close() {
  seat_.be_still();
  downloads_.reset();
  {
    const std::lock_guard lock(server_mutex_);
    server_.reset();
    served_.reset();
  }
  close_folder();
  demand_.reset();
}

Result<> DistributionPoint::open_server(picket::plugin::Sockets inherited) {
  const std::lock_guard lock(server_mutex_);
  server_.reset();  // its ports must be free first
  PICKET_LET(server, Server::start(settings_.server, {[this](const picket::Address& from, std::string_view path, std::string_view body) { return on_post(from, path, body); },
                                                       [this](std::string_view text) { host_.warning(text); }, served_,
                                                       [this](const picket::Address& from) { demand_->note_fetch(from); },
                                                       nullptr, [this](std::string_view text) { host_.info(text); }}, std::move(inherited)));
  server_ = std::move(server);
  for (const auto& address : server_->addresses()) host_.info(cat("listens: ", address));
  return {};
}

void DistributionPoint::serve(std::shared_ptr<const Catalogue> catalogue) {
  const std::lock_guard lock(server_mutex_);
  served_ = std::move(catalogue);
  if (server_) server_->serve(served_);
}

picket_status DistributionPoint::apply(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return failed(settings.error());
  const auto before = std::exchange(settings_, std::move(*settings));
  if (settings_.enabled != before.enabled || settings_.folder != before.folder || !downloads_) {
    close();
    if (auto opened = open(); !opened) {
      close();
      settings_ = before;
      if (auto again = open(); !again) host_.report(PICKET_HEALTH_FAILED, again.error().message);
      return failed(opened.error());
    }
  } else if (settings_.enabled) {
    if (settings_.server_text != before.server_text)
      if (auto opened = open_server(); !opened) {
        settings_ = before;
        if (auto again = open_server(); !again) host_.report(PICKET_HEALTH_FAILED, cat("serves nobody: ", again.error().message));
        return failed(opened.error());
      }
    set_gate();
    demand_->set_limits(limits_of(settings_));
    downloads_->apply(settings_);
  }
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

// When a new version stands by, the folder and the sockets are its from here on, and what is under way is still answered.
void DistributionPoint::stop() {
  if (server_ && seat_.is_awaited()) {
    {
      const std::unique_lock lock(gate_mutex_);
      gate_.moved = true;
    }
    close_folder();
    if (seat_.hand_over(server_->listening())) server_->drain(kDrain);
  }
  close();
  seat_.leave();
}

// On the server's threads.
ApiAnswer DistributionPoint::on_post(const picket::Address& from, std::string_view path, std::string_view body) {
  if (path != "/v1/demand") return {404, R"({"error":"no such request"})"};
  const auto refuse = [this](int status, std::string_view why) {
    ++refused_wishes_;
    std::string text;
    for (const char c : why) text.append(c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 ? std::string_view("'") : std::string_view(&c, 1));
    return ApiAnswer{status, cat(R"({"error":")", text, "\"}")};
  };
  const std::shared_lock lock(gate_mutex_);
  if (gate_.moved) return refuse(503, "a new version of this point takes over: say it again");
  if (!gate_.open) return refuse(403, "this point takes no wishes of devices");
  bool in_scope = gate_.scope.empty();
  for (const auto& range : gate_.scope) in_scope = in_scope || range.contains(from);
  if (!in_scope) return refuse(403, "this device is not in the scope of this point");
  auto announcement = parse_announcement(body);
  if (!announcement) return refuse(400, announcement.error().message);
  const auto count = announcement->wants.size();
  if (auto taken = demand_->announce(from, std::move(*announcement), DemandBook::clock()); !taken) return refuse(503, taken.error().message);
  return {200, cat(R"({"accepted":)", std::to_string(count), "}")};
}

void DistributionPoint::on_request(std::uint64_t request_id, const picket::plugin::Message& request) {
  if (request.topic == "picket.distribution_point.status") return answer_status(request_id);
  if (request.topic != "picket.distribution_point.download") {
    host_.refuse(request_id, PICKET_E_UNSUPPORTED, cat("the distribution point does not answer ", request.topic));
    return;
  }
  v1::DownloadRequest question;
  if (!question.ParseFromArray(request.payload.data(), static_cast<int>(request.payload.size()))) {
    host_.refuse(request_id, PICKET_E_INVALID, "the request is not a picket.distribution_point.v1.DownloadRequest");
  } else if (downloads_) {
    downloads_->ask(question, std::make_shared<Downloads::Answer>(host_, request_id));
  } else if (!unsupported_.empty()) {
    v1::DownloadResult result;
    result.set_run(question.run());
    result.set_started(std::time(nullptr));
    result.set_finished(std::time(nullptr));
    auto& point = *result.add_points();
    point.set_point(settings_.mirror.name);
    point.set_result_class(std::string(kUnsupported));
    point.set_reason(unsupported_);
    judge(is_rule(question.overall_rule()) ? question.overall_rule() : settings_.mirror.overall_rule, result);
    host_.respond(request_id, PICKET_OK, cat(kType, "DownloadResult"), result.SerializeAsString());
  } else {
    host_.refuse(request_id, PICKET_E_UNAVAILABLE, settings_.enabled ? kNotYet : kOff);
  }
}

void DistributionPoint::on_credit(std::uint64_t request_id, std::uint64_t bytes) {
  if (downloads_) downloads_->on_credit(request_id, bytes);
}

void DistributionPoint::on_cancel(std::uint64_t request_id) {
  if (downloads_) downloads_->cancel(request_id);
}

void DistributionPoint::answer_status(std::uint64_t request_id) {
  v1::StatusReply reply;
  if (!downloads_) {
    reply.set_state(seat_.is_waiting() ? "stands by" : unsupported_.empty() ? "off" : "unsupported");
  } else {
    downloads_->fill(reply);
    reply.set_set(store_->published());
    reply.set_published(store_->published_at());
    reply.set_stored_bytes(store_->stored_bytes());
    reply.set_free_bytes(store_->free_bytes().value_or(0));
    const auto known = demand_->counts();
    reply.set_devices(known.devices);
    reply.set_most_devices(known.most);
    reply.set_displaced_devices(known.displaced);
    reply.set_refused_wishes(refused_wishes_);
    const auto& counters = server_->counters();
    reply.set_connections(counters.connections);
    reply.set_requests(counters.requests);
    reply.set_sent_bytes(counters.sent_bytes);
    for (const auto& address : server_->addresses()) reply.add_addresses(address);
  }
  host_.respond(request_id, PICKET_OK, cat(kType, "StatusReply"), reply.SerializeAsString());
}

}  // namespace distribution_point
