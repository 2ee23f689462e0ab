// The KSN behind the proxy: what the rest of the proxy needs of the line.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace ksn_proxy {

struct Posted {
  int status = 0;       // any of HTTP
  std::string body;
  std::size_t server = 0;  // which of the upstream's answered
};
// To a message on this path: the reply that it has, as far as nobody else looks at it (answers are signed, greetings are compared), or a Refusal that
// says why not. Else a server before the KSN speaks, which may well say 200 with a page of its own.
[[nodiscard]] bool is_word_of_ksn(std::string_view path, const Posted& posted);

class Upstream {
 public:
  using Done = std::function<void(picket::Result<Posted>)>;
  virtual ~Upstream() = default;
  // `done` comes exactly once, on a thread of the upstream's or before this returns. Code::unavailable: no server can be reached, or all rest.
  virtual void post(std::string_view path, std::string body, std::chrono::milliseconds deadline, Done done) = 0;
  // This answer was none of the provider's: as bad as no answer.
  virtual void blame(const Posted& posted, std::string_view why) = 0;
  // Seconds until it is worth trying again; 0: now.
  [[nodiscard]] virtual std::uint32_t rests_for() const = 0;
  // Some server does not rest.
  [[nodiscard]] virtual bool works() const { return rests_for() == 0; }
  [[nodiscard]] virtual std::string describe() const = 0;
};

}  // namespace ksn_proxy
