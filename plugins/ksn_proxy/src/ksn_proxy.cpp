#include "ksn_proxy.hpp"

#include <ctime>
#include <utility>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "base/listed.hpp"
#include "base/machine.hpp"
#include "ksn/provider.hpp"
#include "picket/ksn/v1/control.pb.h"
#include "tls_server/context.hpp"

namespace ksn_proxy {
namespace {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
namespace ksn = picket::ksn;

constexpr std::uint64_t kLookTimer = 2, kLookMs = 10'000;

std::int64_t unix_now() { return static_cast<std::int64_t>(std::time(nullptr)); }

Result<ksn::Provider> read_provider(const Settings& settings) {
  auto keys = picket::trust::load_keys(settings.provider_keys);
  if (!keys) return fail(std::move(keys).error(), "setting provider_keys");
  if (keys->empty()) return fail(Code::untrusted, cat("setting provider_keys: no key (*.pub.json) in ", settings.provider_keys));
  auto envelope = picket::read_file(settings.provider_file, 1u << 20);
  if (!envelope) return fail(std::move(envelope).error(), "setting provider_file");
  auto provider = ksn::Provider::parse(*envelope, *keys);
  if (!provider) return fail(std::move(provider).error(), cat("setting provider_file: ", settings.provider_file));
  return provider;
}

std::vector<ksn_channel::Road> roads_of(const Settings& settings, const ksn::Provider& provider) {
  std::vector<ksn_channel::Road> out;
  for (const auto& server : settings.servers.empty() ? provider.servers : settings.servers) out.push_back({server, provider.certificate, settings.web_proxy, settings.resolvers});
  return out;
}

Result<ksn::Provider> check_provider(const Settings& settings) {
  PICKET_LET(provider, read_provider(settings));
  for (const auto& road : roads_of(settings, provider)) PICKET_TRY(ksn_channel::check_road(road));
  return std::move(provider);
}

// All that can be known to be wrong without letting go of what runs.
Result<> check(const Settings& settings) {
  if (!settings.enabled) return {};
  PICKET_TRY(check_provider(settings));
  if (!settings.server.certificate_file.empty()) PICKET_TRY(tls_server::make_context(settings.server.certificate_file, settings.server.key_file));
  return {};
}

std::string owner_of(const ksn::Provider& provider) {
  std::string out = cat(provider.private_ksn ? "private " : "global ", provider.name);
  for (const auto& key : provider.answer_keys) out += cat("\n", key.key_id());
  return out;
}

}  // namespace

picket_status KsnProxy::failed(const picket::Error& error) const { return host_.fail(-static_cast<picket_status>(error.code), error.message); }

picket_status KsnProxy::start(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return failed(settings.error());
  settings_ = std::move(*settings);
  open_or_try_later();  // a start that fails would be tried a few times only, and what is missing may come later
  host_.observed(revision, PICKET_HEALTH_HEALTHY, state());
  return PICKET_OK;
}

picket_status KsnProxy::apply(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return failed(settings.error());
  if (auto good = check(*settings); !good) return failed(good.error());
  const auto before = std::exchange(settings_, std::move(*settings));
  close();
  const auto kept = kept_;
  if (auto opened = open(); !opened) {
    close();
    settings_ = before;
    kept_ = kept;
    open_or_try_later();
    return failed(opened.error());
  }
  host_.observed(revision, PICKET_HEALTH_HEALTHY, state());
  return PICKET_OK;
}

Result<> KsnProxy::open() {
  since_ = unix_now();
  why_not_.clear();
  seat_.be_still();
  if (!settings_.enabled) {
    kept_ = {};
    seat_.leave();
    host_.report(PICKET_HEALTH_HEALTHY, state());
    return {};
  }
  provider_seen_ = picket::stamp_of(settings_.provider_file);  // before it is read: what is written meanwhile is another one
  PICKET_LET(provider, read_provider(settings_));
  PICKET_LET(is_ours, seat_.take());
  if (!is_ours) return {};
  provider_ = provider.to_json();
  whose_ = {provider.name, provider.private_ksn, PICKET_VERSION};

  PICKET_LET(lines, Lines::start(roads_of(settings_, provider), settings_.rest));
  lines_ = std::move(lines);

  const auto warn = [host = host_](std::string_view text) { host.warning(text); };
  if (auto owner = owner_of(provider); owner != kept_.whose) kept_ = {std::move(owner), {}, 0, nullptr};
  if (const auto bytes = settings_.broker.cache_bytes; !kept_.answers || kept_.bytes != bytes) {
    kept_.answers = std::make_shared<Answers>(bytes);
    kept_.bytes = bytes;
  }
  broker_ = std::make_unique<Broker>(
      settings_.broker, Broker::Parts{*lines_, ksn::Verifier(provider.answer_keys, provider.name, provider.private_ksn), own_number(), PICKET_VERSION, &unix_now, warn, kept_.answers, kept_.licences});
  auto forwards = settings_.forwarder;
  for (const auto& key : provider.answer_keys) forwards.ksn.push_back(key.key_id());
  PICKET_LET(forwarder, Forwarder::start(std::move(forwards), {*lines_, &unix_now, warn, [this](std::string_view licence, int& status) { return broker_->why_not_kept(licence, status); }}));
  forwarder_ = std::move(forwarder);
  service_ = std::make_unique<Service>(*broker_, *forwarder_, whose_, &unix_now);
  return open_server();
}

// The proxy's own: it says nothing of the devices behind. A copied image draws another one.
std::string KsnProxy::own_number() const {
  constexpr std::string_view kKey = "installation";
  const auto kept = host_.load(kKey).value_or("");
  const auto machine = picket::machine_mark();
  auto number = kept.substr(0, 16);
  const auto mark = kept.substr(number.size());
  if (number.size() != 16 || !picket::is_of_this_machine(mark, machine)) number = picket::random_bytes(16);
  else if (mark == machine || machine.empty()) return number;
  host_.store(kKey, cat(number, machine));
  return number;
}

Result<tls_server::CertificateFiles> KsnProxy::own_certificate() {
  auto own = tls_server::own_certificate(std::filesystem::path(settings_.folder) / "tls", settings_.names.empty() ? tls_server::own_names() : settings_.names);
  if (!own) return fail(std::move(own).error(), "a certificate of its own");
  certificate_ = own->digest;
  if (!settings_.names.empty() && !own->not_for.empty()) {
    const auto not_for = cat(", which is not for ", picket::listed(own->not_for), " (setting names)");
    certificate_ += not_for;
    host_.warning(cat("the certificate ", own->certificate.native(), not_for, ": devices that call the proxy so refuse it; remove it and restart the plugin for another, which devices must be given"));
  }
  if (own->is_new) host_.info(cat("made a certificate: give ", own->certificate.native(), " to the devices as the proxy's certificate; SHA-256 ", own->digest));
  return own;
}

Result<> KsnProxy::open_server() {
  auto settings = settings_.server;
  certificate_.clear();
  if (settings.certificate_file.empty()) {
    PICKET_LET(own, own_certificate());
    settings.certificate_file = own.certificate;
    settings.key_file = own.key;
  }
  settings.page = [this](std::string_view path) { return page(path); };
  auto inherited = seat_.sockets();
  PICKET_LET(server, ksn_server::Server::start(
                         std::move(settings), [this](const ksn_server::Request& request, ksn_server::Reply reply) { service_->handle(request, std::move(reply)); },
                         std::move(inherited[settings_.place()])));
  server_ = std::move(server);
  address_ = cat(settings_.server.address.find(':') != std::string::npos ? cat("[", settings_.server.address, "]") : settings_.server.address, ":",
                 std::to_string(server_->port()));
  host_.info(cat("listens: https ", address_));
  {
    const std::lock_guard lock(page_mutex_);
    page_server_ = server_.get();
  }
  host_.set_timer(kLookTimer, kLookMs, kLookMs);
  show();
  return {};
}

void KsnProxy::show() {
  const std::lock_guard lock(page_mutex_);
  page_state_ = state();
  host_.report(refused_.empty() ? PICKET_HEALTH_HEALTHY : PICKET_HEALTH_DEGRADED, page_state_);
}

// Whoever changes the file need not know of this plugin. One that is no good is looked at again: the key that signed it may come later.
void KsnProxy::look_at_provider() {
  const auto seen = picket::stamp_of(settings_.provider_file);
  if (seen == provider_seen_ && refused_.empty()) return;
  provider_seen_ = seen;
  const auto provider = check_provider(settings_);
  if (provider && provider->to_json() != provider_) {
    host_.info(cat("the provider file is read again: ", settings_.provider_file));
    close();
    return open_or_try_later();
  }
  auto refused = provider ? std::string() : cat("the new provider file is refused, and the one before stays in force: ", provider.error().message);
  if (refused == refused_) return;
  refused_ = std::move(refused);
  if (!refused_.empty()) host_.warning(refused_);
  show();
}

void KsnProxy::look_at_certificate() {
  const auto renewed = server_->look_at_certificate();
  if (!renewed) return host_.warning(renewed.error().message);
  if (!*renewed) return;
  host_.info("serves the renewed certificate");
  if (!settings_.server.certificate_file.empty()) return;
  if (const auto own = own_certificate(); !own) host_.warning(own.error().message);
  show();
}

std::string KsnProxy::page(std::string_view path) const {
  if (path != "/status" && path != "/") return {};
  const std::lock_guard lock(page_mutex_);
  const auto front = page_server_ != nullptr ? page_server_->counters() : ksn_server::Counters();
  return status_page(whose_, page_state_, lines_->describe(), since_, figures(broker_->counters(), forwarder_->counters(), front));
}

void KsnProxy::on_timer(std::uint64_t id) {
  if (id == kLookTimer && server_) {
    look_at_certificate();
    look_at_provider();
  }
  if (id == kSeatTimer && seat_.may_open()) open_or_try_later();
}

void KsnProxy::open_or_try_later() {
  const auto opened = open();
  if (opened) return;
  close();
  why_not_ = opened.error().message;
  host_.report(PICKET_HEALTH_FAILED, why_not_);
  seat_.try_again_later();
}

// When a new version stands by, the folder and the port are its from here on. Who connects meanwhile waits in the socket.
void KsnProxy::stop() {
  picket::UniqueFd listener;
  if (server_ && seat_.is_awaited()) listener = server_->drain();
  close();
  if (listener) static_cast<void>(seat_.hand_over({{settings_.place(), listener.get()}}));
  seat_.leave();
}

void KsnProxy::close() {
  seat_.be_still();
  refused_.clear();
  if (server_) {
    host_.cancel_timer(kLookTimer);
    server_->stop();                       // nobody asks any more
  }
  if (broker_) {
    broker_->stop();                       // nothing new goes upstream
    kept_.licences = broker_->standings();
  }
  if (forwarder_) forwarder_->stop_sending();
  lines_.reset();                          // what is on its way comes back as cancelled; messages go to the disk
  forwarder_.reset();
  broker_.reset();
  service_.reset();
  {
    const std::lock_guard lock(page_mutex_);
    page_server_ = nullptr;
  }
  server_.reset();
  address_.clear();
}

std::string KsnProxy::state() const {
  if (!settings_.enabled) return "off: setting enabled";
  if (!why_not_.empty()) return cat("serves nobody, and tries again: ", why_not_);
  if (seat_.is_waiting()) return "stands by for the version that runs";
  return cat("serves the KSN \"", whose_.name, "\" (", whose_.is_private ? "private" : "global", ") on ", address_,
             certificate_.empty() ? "" : cat("; own certificate, SHA-256 ", certificate_), refused_.empty() ? "" : cat("; ", refused_));
}

void KsnProxy::on_request(std::uint64_t request_id, const picket::plugin::Message& request) {
  if (request.topic == "picket.ksn.proxy.status") return answer_status(request_id);
  host_.refuse(request_id, PICKET_E_UNSUPPORTED, cat("the KSN proxy does not answer ", request.topic));
}

void KsnProxy::answer_status(std::uint64_t request_id) const {
  ksn::v1::ServerStatusReply reply;
  reply.set_state(state());
  reply.set_since(since_);
  if (server_) {
    reply.add_addresses(cat("https ", address_));
    for (const auto& [name, value] : figures(broker_->counters(), forwarder_->counters(), server_->counters())) (*reply.mutable_counters())[name] = value;
    reply.set_upstream(lines_->describe());
  }
  host_.respond(request_id, PICKET_OK, "application/x-protobuf; messageType=picket.ksn.v1.ServerStatusReply", reply.SerializeAsString());
}

}  // namespace ksn_proxy
