// A real picketd as a child process, with plugins from the build folder; ended with the object, by its process id.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "bus/wire/client.hpp"

namespace picket::support {

struct PicketdOptions {
  std::filesystem::path build;                                     // the build folder: bin/, plugins/, devkey/
  std::filesystem::path folder;                                    // everything of this picketd lies below it
  std::filesystem::path root_file;                                 // initial root of trust
  std::vector<std::string> plugins;                                // ids
  std::vector<std::string> isolated = {};                          // those of them that run in a child
  std::vector<std::pair<std::string, std::string>> settings = {};  // id -> JSON
  std::vector<std::string> more_lines = {};                        // of picketd.conf
};

class Picketd {
 public:
  // Returns when it answers; its plugins may still be starting, which ask() waits for.
  [[nodiscard]] static Result<std::unique_ptr<Picketd>> start(const PicketdOptions& options);
  ~Picketd();  // SIGTERM, and SIGKILL where that does not help
  Picketd(const Picketd&) = delete;
  Picketd& operator=(const Picketd&) = delete;

  [[nodiscard]] Result<std::string> ask(std::string_view topic, std::string_view payload, std::chrono::milliseconds timeout = std::chrono::seconds(60));
  template <class Reply, class Question>
  [[nodiscard]] Result<Reply> ask(std::string_view topic, const Question& question) {
    PICKET_LET(payload, ask(topic, std::string_view(question.SerializeAsString())));
    Reply out;
    if (!out.ParseFromString(payload)) return fail(Code::invalid, cat("the answer to ", topic, " does not parse"));
    return out;
  }
  void kill();                                       // SIGKILL
  void stop();                                       // SIGTERM, and waits
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string log() const;

 private:
  Picketd() = default;
  PicketdOptions options_;
  pid_t pid_ = -1;
  std::unique_ptr<bus::wire::Client> client_;
};

}  // namespace picket::support
