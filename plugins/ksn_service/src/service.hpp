// The service without network and bus: bytes in, bytes out. Any thread, several at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "asking.hpp"
#include "keeper.hpp"
#include "limiter.hpp"
#include "refusal.hpp"
#include "samples.hpp"
#include "settings.hpp"
#include "signer.hpp"

namespace ksn_service {

class Service {
 public:
  // tell: of the store, on any thread. now: Unix seconds.
  Service(ServiceSettings settings, Signer signer, Keeper::Tell tell, std::function<std::int64_t()> now);

  // Answers are signed by another key from now on.
  void sign_with(Signer signer);
  // peer: an IP address. Never throws for bad input, whatever the bytes are.
  [[nodiscard]] Response handle(std::string_view path, std::string_view body, std::string_view peer);
  // Whether handle() may wait for a disk or another machine.
  [[nodiscard]] bool may_wait(std::string_view path) const;
  // Opens the store, or says that it cannot: for the start and once a second afterwards.
  void look_after_store() { static_cast<void>(keeper_.get()); }
  // A store on other machines, none of which has answered since the start: only a question finds out, and the first client may be long in coming.
  [[nodiscard]] bool is_untried() const { return settings_.store.starts_with("redis:") && !answered_; }
  void try_store();  // may wait
  // Why no sample could be kept; what is in its way may go while it runs.
  [[nodiscard]] picket::Result<> look_after_samples() const { return samples_.look(); }
  [[nodiscard]] std::string store_state() const { return keeper_.state(); }
  [[nodiscard]] std::map<std::string, std::uint64_t> counters() const;

 private:
  [[nodiscard]] Response ask(std::string_view body, std::string_view peer);
  [[nodiscard]] Response statistics(std::string_view body, std::string_view peer);
  [[nodiscard]] Response content(std::string_view body, std::string_view peer);
  [[nodiscard]] Response hello(std::string_view body, std::string_view peer);
  [[nodiscard]] Response refuse(const Refused& refused);
  // Who asks is known, may ask, and does not ask too much.
  [[nodiscard]] tl::expected<std::shared_ptr<picket::ksn_store::Store>, Refused> admit(const v1::Asker& asker, std::string_view peer, std::uint64_t count);

  const ServiceSettings settings_;
  const std::function<std::int64_t()> now_;
  Keeper keeper_;
  std::atomic<bool> answered_{false};
  Limiter by_installation_, by_address_;
  Samples samples_;
  std::mutex mutex_;
  std::shared_ptr<const Signer> signer_;
  std::vector<std::unique_ptr<Asking>> idle_;
  struct Counters {
    std::atomic<std::uint64_t> requests{0}, digests{0}, known{0}, prefixes{0}, refused_licence{0}, refused_limit{0}, refused_malformed{0}, refused_unavailable{0}, refused_other{0}, statistics{0}, content_parts{0},
        samples{0}, wishes{0};
  } counters_;
};

}  // namespace ksn_service
