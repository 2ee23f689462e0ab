#include "support/dnsmasq.hpp"

#include <unistd.h>

namespace picket::support {

Result<std::unique_ptr<Dnsmasq>> Dnsmasq::start(const std::string& domain, const std::string& address) {
  std::unique_ptr<Dnsmasq> self(new Dnsmasq);
  for (int tries = 1;; ++tries) {
    PICKET_LET(port, free_port());
    self->port_ = port;
    std::vector<std::string> arguments{"/usr/sbin/dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--log-queries", "--log-facility=-",
                                       "--bind-interfaces", "--listen-address=127.0.0.1", cat("--port=", std::to_string(port)), "--pid-file=",
                                       cat("--address=/", domain, "/", address)};
    if (::geteuid() == 0) arguments.push_back("--user=root");
    // It listens over TCP too, on the same port, once it is ready.
    auto started = self->process_.start(arguments, self->folder_ / "output", [&] { return accepts(port); });
    if (started) return self;
    if (tries == 5 || started.error().message.find("in use") == std::string::npos) return fail(std::move(started).error());
  }
}

}  // namespace picket::support
