// A real server as a child process of a test: started in the foreground, its output in a file, ended by its process id with the object (and
// with the test, even a killed one).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"
#include "support/temporary_folder.hpp"

namespace picket::support {

// Of loopback, for servers that cannot listen on port 0 and say which they got, and for those that go and come back. Nobody else is given it until this
// program ends: it stays bound here without listening, and a server listens there all the same, with SO_REUSEADDR as servers do.
[[nodiscard]] Result<std::uint16_t> free_port();
[[nodiscard]] bool accepts(std::uint16_t port);  // on 127.0.0.1, now

class ServerProcess {
 public:
  ServerProcess() = default;
  ~ServerProcess() { end(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Returns when `is_ready` is true. Code::not_found: the program (an absolute path) is not installed; Code::invalid with its own words: it ended.
  [[nodiscard]] Result<> start(const std::vector<std::string>& arguments, const std::filesystem::path& log, const std::function<bool()>& is_ready,
                               const std::vector<std::string>& environment = {});
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string log() const;
  void end();   // TERM, after five seconds KILL; its children too
  void kill();  // at once, its children too
  void hold();  // SIGSTOP for it and its children: accepts no more and sends no more, as a server that hangs
  void go_on();

 private:
  void signal(int number) const;
  pid_t pid_ = -1;
  std::filesystem::path log_;
};

using ServerFolder = TemporaryFolder;

}  // namespace picket::support
