// The plugin: settings, whose KSN it is, and the parts that do the work.
#pragma once

#include <picket/plugin.hpp>

#include <memory>
#include <mutex>
#include <string>

#include "base/files.hpp"
#include "seat/seat.hpp"
#include "service.hpp"
#include "settings.hpp"
#include "tls_server/own_certificate.hpp"

namespace ksn_proxy {

class KsnProxy {
 public:
  explicit KsnProxy(picket::plugin::Host host) : host_(host), seat_(host, kSeatTimer) {}
  ~KsnProxy() { close(); }

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop();
  void on_timer(std::uint64_t id);
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request);

 private:
  static constexpr std::uint64_t kSeatTimer = 1;

  picket_status failed(const picket::Error& error) const;
  [[nodiscard]] picket::Result<> open();
  void open_or_try_later();
  void look_at_provider();
  void look_at_certificate();
  void show();
  [[nodiscard]] std::string own_number() const;
  [[nodiscard]] picket::Result<tls_server::CertificateFiles> own_certificate();  // and what the state says of it
  [[nodiscard]] picket::Result<> open_server();
  [[nodiscard]] std::string page(std::string_view path) const;
  void close();
  [[nodiscard]] std::string state() const;
  void answer_status(std::uint64_t request_id) const;

  picket::plugin::Host host_;
  picket::plugin::Seat seat_;  // another version of this plugin may have the port and the folder, and give them to this one
  Settings settings_;
  WhoseKsn whose_;
  picket::FileStamp provider_seen_;    // the provider's file as it was looked at last, good or not
  std::string provider_;               // what stood in the one that is in force
  std::string refused_;                // why another one that lies there is not
  std::string why_not_;                // it serves; empty: it does, stands by or is off
  std::int64_t since_ = 0;
  std::string address_, certificate_;  // where it listens, and the digest of its own certificate, with what is wrong with it
  // For the page, which the server's threads make.
  mutable std::mutex page_mutex_;
  std::string page_state_;
  const ksn_server::Server* page_server_ = nullptr;
  // Kept while it stays whose they are, by which keys; the answers while they may have as many bytes, too.
  struct Kept {
    std::string whose;
    Standings licences;
    std::size_t bytes = 0;
    std::shared_ptr<Answers> answers;
  };
  Kept kept_;
  // Made in this order, ended in the one that close() shows.
  std::unique_ptr<Lines> lines_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Forwarder> forwarder_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<ksn_server::Server> server_;
};

}  // namespace ksn_proxy
