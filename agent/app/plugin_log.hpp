// What the log says of plugins: a line for each change that a person would see as one. A status also changes for revisions, counters and pids.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "plugin_host/plugin_host.hpp"
#include "runtime/log.hpp"

namespace picket::app {

class PluginLog {
 public:
  struct Change {
    runtime::Level level = runtime::Level::info;
    std::string line;      // empty: it would say the same again
    bool came_up = false;  // it runs, and did not before
  };
  [[nodiscard]] Change change_of(const plugin_host::Status& status);  // any-thread

 private:
  struct Seen {
    plugin_host::State state;
    std::string line;
  };
  std::mutex mutex_;
  std::map<std::string, Seen> seen_;
};

}  // namespace picket::app
