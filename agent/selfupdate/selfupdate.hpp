// The facade: who is asked to put the components of class agent in force.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "launcher/link.hpp"
#include "plugin_host/plugin_host.hpp"
#include "trust/keys.hpp"

namespace picket::runtime {
class IoLoop;
class Timers;
}

namespace picket::selfupdate {

inline constexpr std::string_view kPeer = "picket.self";

struct Options {
  std::filesystem::path state_dir;              // what was chosen
  std::vector<std::string> plugin_components;   // components that carry plugin packages
  std::string agent_component;                  // the one that carries picketd itself; empty: none
  std::vector<trust::PublicKey> keys;           // who may sign the list of its programs
  std::string version;                          // of this picketd
};

class SelfUpdate {
 public:
  struct Parts {
    bus::Router& router;
    plugin_host::PluginHost& plugins;
    runtime::IoLoop& io;
    runtime::Timers& timers;
    std::optional<launcher::Link> link;         // none: picketd was not started by the launcher, and is not replaced
    std::function<void(bool warning, std::string_view text)> log;
    std::function<void()> settled;              // any thread: it is known whether this picketd counts; the engine may ask
  };
  // Before the plugin host starts: says what it is to load.
  [[nodiscard]] static Result<std::unique_ptr<SelfUpdate>> open(Options options, Parts parts);
  virtual ~SelfUpdate() = default;  // stop()
  virtual void started() = 0;       // picketd is up
  virtual void stop() = 0;

  [[nodiscard]] virtual std::vector<plugin_host::Demand> demands() const = 0;
  struct Shown {
    std::string slot;               // package, a, b; empty: no launcher
    std::string text;               // one line for people: which slot, and what was taken back
    bool is_taken_back = false;
  };
  [[nodiscard]] virtual Shown shown() const = 0;
};

}  // namespace picket::selfupdate
