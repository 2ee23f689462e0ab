#include "ksn_service.hpp"

#include <algorithm>
#include <ctime>
#include <thread>
#include <utility>

#include "base/files.hpp"
#include "picket/ksn/v1/control.pb.h"

namespace ksn_service {
namespace {

using picket::Result;
using picket::cat;

constexpr std::uint64_t kLookTimer = 1, kLookMs = 1000, kLooksPerTry = 10;
constexpr std::size_t kMostWaiting = 1000, kMostKeyBytes = 65536;
constexpr const char* kOff = "the private KSN is switched off: setting enabled";

std::int64_t unix_now() { return std::time(nullptr); }

Result<Signer> read_signer(const std::string& file) {
  auto pem = picket::read_file(file, kMostKeyBytes);
  if (!pem) return picket::fail(std::move(pem).error(), "setting answer_key");
  auto signer = Signer::from_pem(*pem);
  std::fill(pem->begin(), pem->end(), '\0');
  if (!signer) return picket::fail(std::move(signer).error(), cat("setting answer_key: ", file));
  return signer;
}

std::filesystem::file_time_type time_of(const std::string& file) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(file, error);
  return error ? std::filesystem::file_time_type{} : time;
}

picket_status status_of(const picket::Error& error) { return static_cast<picket_status>(-static_cast<int>(error.code)); }

}  // namespace

picket_status KsnService::failed(const picket::Error& error) const { return host_.fail(status_of(error), error.message); }

picket_status KsnService::start(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return failed(settings.error());
  settings_ = std::move(*settings);
  open_or_try_later();  // a start that fails would be tried a few times only: a port that is taken may be free soon
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

picket_status KsnService::apply(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return failed(settings.error());
  close();  // the port must be free, and an LMDB environment is not opened twice
  const auto before = std::exchange(settings_, std::move(*settings));
  if (auto opened = open(); !opened) {
    close();
    settings_ = before;
    open_or_try_later();
    return failed(opened.error());
  }
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

void KsnService::open_or_try_later() {
  if (const auto opened = open(); !opened) {
    why_not_ = opened.error().message;
    close();
    seat_.try_again_later();
    host_.report(PICKET_HEALTH_FAILED, why_not_);
  }
}

Result<> KsnService::open() {
  why_not_.clear();
  seat_.be_still();
  if (!settings_.enabled) {
    seat_.leave();
    host_.report(PICKET_HEALTH_HEALTHY);
    return {};
  }
  key_time_ = time_of(settings_.answer_key);
  PICKET_LET(signer, read_signer(settings_.answer_key));
  if (settings_.certificate.empty() || settings_.key.empty()) return picket::fail(picket::Code::invalid, "settings certificate and key: both are needed (picket-ksn init makes them)");

  PICKET_LET(is_ours, seat_.take());
  if (!is_ours) return {};

  service_ = std::make_unique<Service>(
      settings_.service, std::move(signer),
      [host = host_](bool good, const std::string& line) {
        if (good) {
          host.info(cat("store: ", line));
          host.report(PICKET_HEALTH_HEALTHY);
        } else {
          host.error(line);
          host.report(PICKET_HEALTH_FAILED, line);
        }
      },
      unix_now);
  if (const auto good = service_->look_after_samples(); !good) host_.warning(cat("setting samples.folder: no sample can be kept: ", good.error().message));
  workers_ = std::make_unique<Workers>(4u, kMostWaiting);
  ksn_server::Settings server;
  server.address = settings_.address;
  server.port = settings_.port;
  server.certificate_file = settings_.certificate;
  server.key_file = settings_.key;
  server.threads = settings_.threads != 0 ? settings_.threads : std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
  server.most_connections = settings_.most_connections;
  auto inherited = seat_.sockets();
  auto started = ksn_server::Server::start(server, [this](const ksn_server::Request& request, ksn_server::Reply reply) {
    if (!service_->may_wait(request.path)) {
      auto response = service_->handle(request.path, request.body, request.peer);
      std::move(reply).send(response.status, std::move(response.body));
      return;
    }
    auto road = std::make_shared<ksn_server::Reply>(std::move(reply));
    const bool taken = workers_->add([this, road, path = std::string(request.path), body = std::string(request.body), peer = std::string(request.peer)] {
      auto response = service_->handle(path, body, peer);
      std::move(*road).send(response.status, std::move(response.body));
    });
    if (taken) return;
    auto busy = to_response({v1::Refusal::UNAVAILABLE, "the service has too much to do now", 5});
    std::move(*road).send(busy.status, std::move(busy.body));
  }, std::move(inherited[settings_.place()]));
  if (!started) return picket::fail(std::move(started).error());
  server_ = std::move(*started);
  since_ = unix_now();
  // A store that is away is no reason not to start: it comes back by itself. Only now: that it is there is told as health.
  service_->look_after_store();
  host_.set_timer(kLookTimer, kLookMs, kLookMs);
  host_.info(cat("answers at ", settings_.address, ":", std::to_string(server_->port())));
  return {};
}

void KsnService::close() {
  host_.cancel_timer(kLookTimer);
  seat_.be_still();
  server_.reset();
  workers_.reset();
  service_.reset();
}

// When a new version stands by, the port is its from here on. Who connects meanwhile waits in the socket.
void KsnService::stop() {
  picket::UniqueFd listener;
  if (server_ && seat_.is_awaited()) listener = server_->drain();
  close();
  if (listener) static_cast<void>(seat_.hand_over({{settings_.place(), listener.get()}}));
  seat_.leave();
}

void KsnService::on_timer(std::uint64_t id) {
  if (id == kLookTimer && service_) {
    service_->look_after_store();
    look_after_key();
    look_after_certificate();
    if (service_->is_untried() && looks_++ % kLooksPerTry == 0) static_cast<void>(workers_->add([this] { service_->try_store(); }));
  }
  if (id == kSeatTimer && seat_.may_open()) open_or_try_later();
}

void KsnService::look_after_key() {
  const auto time = time_of(settings_.answer_key);
  if (time == key_time_) return;
  key_time_ = time;
  auto signer = read_signer(settings_.answer_key);
  if (!signer) return host_.warning(cat(signer.error().message, "; answers are signed by the former key"));
  host_.info(cat("answers are signed by ", signer->keyid(), " from now on"));
  service_->sign_with(std::move(*signer));
}

void KsnService::look_after_certificate() {
  const auto renewed = server_->look_at_certificate();
  if (!renewed) return host_.warning(renewed.error().message);
  if (*renewed) host_.info(cat("serves the renewed certificate ", settings_.certificate));
}

void KsnService::on_request(std::uint64_t request_id, const picket::plugin::Message& request) {
  if (request.topic != "picket.ksn.service.status") {
    host_.refuse(request_id, PICKET_E_UNSUPPORTED, cat("the private KSN does not answer ", request.topic));
    return;
  }
  v1::ServerStatusReply reply;
  if (!service_) {
    reply.set_state(!why_not_.empty() ? cat("serves nobody, and tries again: ", why_not_) : settings_.enabled ? "stands by for the version that runs" : std::string(kOff));
  } else {
    reply.set_state(cat("private KSN \"", settings_.service.name, "\": ", service_->store_state()));
    reply.set_since(since_);
    reply.add_addresses(cat(settings_.address, ":", std::to_string(server_->port())));
    for (const auto& [name, number] : service_->counters()) (*reply.mutable_counters())[name] = number;
    const auto counters = server_->counters();
    (*reply.mutable_counters())["connections"] = counters.connections;
    (*reply.mutable_counters())["bytes_in"] = counters.bytes_in;
    (*reply.mutable_counters())["bytes_out"] = counters.bytes_out;
  }
  host_.respond(request_id, PICKET_OK, "application/x-protobuf; messageType=picket.ksn.v1.ServerStatusReply", reply.SerializeAsString());
}

}  // namespace ksn_service
