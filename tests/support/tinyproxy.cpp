#include "support/tinyproxy.hpp"

#include "base/files.hpp"

namespace picket::support {

Result<std::unique_ptr<Tinyproxy>> Tinyproxy::start(const std::string& user, const std::string& password) {
  std::unique_ptr<Tinyproxy> self(new Tinyproxy);
  const auto config = (self->folder_ / "tinyproxy.conf").native();
  for (int tries = 1;; ++tries) {
    PICKET_LET(port, free_port());
    self->port_ = port;
    PICKET_TRY(write_file_atomic(config, cat("Port ", std::to_string(port), "\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nAllow 127.0.0.1\nLogLevel Connect\nLogFile \"",
                                             (self->folder_ / "log").native(), "\"\n", user.empty() ? "" : cat("BasicAuth ", user, " ", password, "\n"))));
    auto started = self->process_.start({"/usr/bin/tinyproxy", "-d", "-c", config}, self->folder_ / "output", [&] { return accepts(port); });
    if (started) return self;
    if (tries == 5 || started.error().message.find("in use") == std::string::npos) return fail(std::move(started).error());
  }
}

std::string Tinyproxy::log() const { return read_file(folder_ / "log", 16u << 20).value_or(""); }

}  // namespace picket::support
