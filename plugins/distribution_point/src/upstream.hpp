// Where the mirror gets its content and learns of the agent's wishes: the bus in the plugin, a folder in tests.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "settings.hpp"

namespace distribution_point {

struct Road {
  std::string name, plugin, location, options_json;
  std::chrono::milliseconds connect_timeout{10'000}, stall_timeout{30'000};
  std::chrono::seconds rests{0};     // it failed a while ago, for the agent or for this point
  std::string rests_after{};         // what it failed of
  bool rest_is_asked_for = false;    // by the server
  bool may_hold_back = false;        // the agent's settings believe it that it holds releases back on purpose
};
struct Roads {
  std::vector<Road> roads;      // to be tried in this order
  std::string initial_root;     // the shipped root of trust
  struct Declined {
    std::string component;
    std::uint64_t release = 0;  // 0: every one
    bool newer = false;         // and every newer one
  };
  std::vector<Declined> declined = {};   // by the administrator, or held back by the agent: it refused them, or has not verified them yet

  [[nodiscard]] bool declines(std::string_view component, std::uint64_t release) const {
    for (const auto& one : declined)
      if (one.component == component && (one.release == 0 || one.release == release || (one.newer && release > one.release))) return true;
    return false;
  }
  // Whether verifications of this agent decide which of its releases others get: the newer ones wait for the next.
  [[nodiscard]] bool are_verified(std::string_view component) const {
    return std::ranges::any_of(declined, [&](const Declined& one) { return one.newer && one.component == component; });
  }
  [[nodiscard]] bool is_any_verified() const { return std::ranges::any_of(declined, &Declined::newer); }
};
struct AgentWish {
  ComponentVariant what;
  bool is_optional = false;     // the agent works without
};

class Upstream {
 public:
  virtual ~Upstream() = default;
  // `run`: the id of this run, for what servers are told.
  [[nodiscard]] virtual picket::Result<Roads> roads(std::uint64_t run) = 0;
  // What the agent of this computer needs.
  [[nodiscard]] virtual picket::Result<std::vector<AgentWish>> agent_demand() = 0;
  // Before a check: what the point that it goes to, if it is one, is told that this one wants. The most important first.
  virtual void wants(std::vector<ComponentVariant> all) = 0;

  using Sink = std::function<picket::Result<>(std::string_view)>;
  struct Got {
    std::uint64_t bytes = 0;
    std::uint64_t offset = 0;   // where they begin: 0 when the source cannot resume
    std::string point{};        // the distribution point that answered and those it follows, as it names them (chain.hpp)
  };
  // At most max_bytes from `offset` on. Code::not_found only when the source says that there is no such file.
  [[nodiscard]] virtual picket::Result<Got> fetch(const Road& road, std::string_view path, std::uint64_t offset, std::uint64_t max_bytes, const Sink& sink) = 0;
  // How the road did, so that everybody on this computer knows whether it rests. `error`: of its last fetch; nullptr: it worked.
  virtual void report(const Road& road, const picket::Error* error) = 0;
};

}  // namespace distribution_point
