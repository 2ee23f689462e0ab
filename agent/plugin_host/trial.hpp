// A plugin's first load in a throw-away child, as picketd sees it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace picket::runtime {
class ChildProcess;
class IoLoop;
}

namespace picket::plugin_host {

class Trial {
 public:
  struct Options {
    std::filesystem::path program;  // picket-plugin-host
    int library = -1;               // sealed; borrowed until start() has returned
    std::string id;
    bool in_process = true;
  };
  // on_end: once, on the loop's thread, perhaps before start() has returned. Its error says what the plugin did wrong.
  [[nodiscard]] static Result<std::unique_ptr<Trial>> start(runtime::IoLoop& loop, const Options& options, std::function<void(Result<>)> on_end);
  ~Trial();  // ends the child; on_end does not run any more

 private:
  Trial();
  std::unique_ptr<runtime::ChildProcess> child_;
};

}  // namespace picket::plugin_host
