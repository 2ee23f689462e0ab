// The facade: all plugins of this computer, and what they are doing.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "core/clock.hpp"
#include "trust/keys.hpp"

namespace picket::runtime {
class Executor;
class Timers;
class IoLoop;
class Log;
}

namespace picket::plugin_host {

enum class Home { in_process, isolated };
enum class State { verifying, starting, running, stopping, stopped, backing_off, failed, refused };
enum class Health { unknown, healthy, degraded, failed };

[[nodiscard]] std::string_view to_string(Home);
[[nodiscard]] std::string_view to_string(State);
[[nodiscard]] std::string_view to_string(Health);

struct Status {
  std::string id, version, vendor;
  Home home = Home::isolated;
  State state = State::verifying;
  Health health = Health::unknown;
  std::string text;                 // why it is failed, refused, degraded
  unsigned restarts = 0;
  std::int64_t since = 0;           // Unix seconds, in this state
  std::int64_t next_attempt = 0;    // backing_off
  std::uint64_t expected_revision = 0, observed_revision = 0;
  int pid = 0;                      // isolated
  std::string pending;              // a version that is used from the next start on
  std::string passed_over;          // newer versions that lie there and cannot run, and why
  int leaving_pid = 0;              // of the version before it, as long as that one still ends what it was asked
};

struct Info {
  Status status;
  std::string manifest_json, path, signed_by, settings_json;
  bus::PeerCounters counters;
  std::uint64_t overruns = 0;
};

// What a plugin's manifest asks the update engine for.
struct Demand {
  std::string component;
  std::string component_class;  // databases, agent, application
  std::string plugin;
  bool running = false;         // only running plugins are asked to confirm
  bool optional = false;        // the plugin works without
};

// What the administrator leaves of a manifest's topics: topics or filters of the bus. Not set: all of that list.
struct TopicLimits {
  std::optional<std::vector<std::string>> publishes = {}, subscribes = {}, answers = {}, asks = {};
  [[nodiscard]] bool operator==(const TopicLimits&) const = default;
};

struct Settings {
  std::string json;        // complete and valid
  std::uint64_t revision = 0;
  TopicLimits topics = {};
};

// What came of offering settings to a plugin.
struct Outcome {
  std::string plugin;
  std::uint64_t expected_revision = 0, observed_revision = 0;
  Health health = Health::unknown;
  std::string text;
};

// A package somewhere: <root>/<id>/<version>/. Empty root: the newest one in Options::folders.
struct Place {
  std::string id, version;
  std::filesystem::path root;
};

// What came of trying another version beside the one that runs.
// at_next_start: it will run inside picketd, and was only loaded on trial. in_order: the same, and take_over() stops the old one before it starts.
enum class Beside { ready, at_next_start, in_order, not_needed };

struct Options {
  std::vector<std::filesystem::path> folders;      // each holds <id>/<version>/{plugin.json, plugin.json.dsse, *.so}; the newest verified version runs
  std::filesystem::path child_program;             // picket-plugin-host
  std::filesystem::path storage_dir;               // <dir>/<plugin id>/
  std::vector<trust::PublicKey> keys;              // who may sign manifests
  std::vector<std::string> in_process;             // ids that the administrator lets run inside picketd
  std::vector<std::string> stand_in;               // ids that he lets use what is kept for Picket's own plugins
  std::vector<std::string> disabled;               // ids that are not started
  bool require_root_owner = true;                  // files must belong to root or to us (off: to anybody; for tests)
  struct Restart {
    std::chrono::milliseconds first{500}, most{60'000};  // doubling back-off
    unsigned tries = 5;                                  // within `window`, then failed
    std::chrono::seconds window{600};
  } restart;
  struct Replacing {
    std::chrono::milliseconds prove_for{2'000};        // a new version runs so long beside the old one before it counts
    std::chrono::milliseconds healthy_within{45'000};  // after its start: it loads its databases meanwhile
    std::chrono::milliseconds drain{10'000};           // how long the old one may take for what it was asked
  } replacing;
  std::chrono::milliseconds trial_deadline{10'000}; // a first load in a throw-away child: reads the libraries from a cold disk
  std::chrono::milliseconds start_deadline{5'000}, stop_deadline{3'000}, ping_period{10'000};
};

class PluginHost {
 public:
  struct Parts {
    bus::Router& router;
    runtime::Executor& executor;
    runtime::Timers& timers;
    runtime::IoLoop& io;
    const core::Clock& clock;
    runtime::Log& log;  // each plugin writes as "plugin.<id>"
  };
  // Settings for a plugin about to start: filled and validated. An error refuses the start, with its text.
  using SettingsFor = std::function<Result<Settings>(const std::string& plugin_id, const std::string& schema_json)>;
  // Called any-thread after each change of a plugin's status; must not block.
  using OnChange = std::function<void(const Status&)>;

  [[nodiscard]] static std::unique_ptr<PluginHost> make(Options options, Parts parts, SettingsFor settings_for, OnChange on_change);
  virtual ~PluginHost() = default;

  // Finds, verifies and starts all plugins; returns when each is running, refused, failed or backing off, or after `limit`.
  virtual void start(std::chrono::milliseconds limit) = 0;
  virtual void stop() = 0;

  [[nodiscard]] virtual std::vector<Status> list() const = 0;
  [[nodiscard]] virtual Result<Info> info(std::string_view id) const = 0;   // Code::not_found
  // Also takes a failed one back, and looks again for newer versions. `on_settled`: it runs, or waits for its next try, or will not run; each
  // stage on the way has a deadline. On the supervisor's thread, must not block; never called if the host ends before.
  using OnSettled = std::function<void(const Status&)>;
  [[nodiscard]] virtual Result<> restart(std::string_view id, OnSettled on_settled = {}) = 0;
  [[nodiscard]] virtual std::vector<Demand> demands() const = 0;
  // id -> settings_schema of every verified plugin (for the policy part).
  struct Schema { std::string id, schema_json; };
  [[nodiscard]] virtual std::vector<Schema> schemas() const = 0;

  // Packages beside those of Options::folders that may run, at most one per id; of both the higher version does. Takes effect at a plugin's
  // next start: before start() this is what is loaded.
  virtual void choose(std::vector<Place> places) = 0;
  // Verifies a package and starts it beside what runs of this plugin, which goes on undisturbed. An error says what the new one did wrong,
  // and nothing of it is left. A higher version in Options::folders is taken instead of it.
  // `on_started`: it has started and stands by, with what its manifest demands; any thread, must not block. How well it is is judged after that.
  using OnBeside = std::function<void(const std::string& id, const std::vector<Demand>& demands)>;
  [[nodiscard]] virtual Result<Beside> start_beside(const Place& place, OnBeside on_started = {}) = 0;
  // What start_beside() made ready is in the place of the old one from here on; that one ends what it was asked, and stops. In order: has begun
  // when this returns, and starts what choose() says; the status tells how it goes.
  [[nodiscard]] virtual Result<> take_over(const std::string& id) = 0;
  virtual void end_beside(const std::string& id) = 0;

  // Offers settings to a running plugin and waits for what it observed, at most `limit`. A plugin without picket.settings/1 is restarted
  // with them, and so is one whose topics change; what is taken away is denied at once. A plugin that is not running only remembers
  // them for its next start: outcome unknown, and not waited for. One that was refused or failed is started again, as its settings may have been the reason.
  [[nodiscard]] virtual Outcome apply(const std::string& id, const Settings& settings, std::chrono::milliseconds limit) = 0;
};

}  // namespace picket::plugin_host
