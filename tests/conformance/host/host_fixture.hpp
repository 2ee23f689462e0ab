// A plugin host with a bus and a good neighbour, in a temporary folder.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bus/bus.hpp"
#include "bus/caller.hpp"
#include "core/clock.hpp"
#include "plugin_host/plugin_host.hpp"
#include "runtime/executor.hpp"
#include "runtime/io_loop.hpp"
#include "runtime/log.hpp"
#include "runtime/timers.hpp"
#include "trust/keys.hpp"

namespace picket::test {

using plugin_host::Home;
using plugin_host::State;
using std::chrono::milliseconds;

// What a package says; everything but the library has a default that works for the bad plugins.
struct PackageSpec {
  std::string library = {};  // name of a built plugin, without .so
  std::string id = "org.picket.test.bad";
  std::string version = "1.0.0";
  std::string preferred = "in-process";  // which home it gets, the test's grants decide
  unsigned callback_ms = 20'000, memory_mb = 64;  // a call that a busy machine holds up is no hang
  std::string topics = {};   // JSON; empty: those of the test plugins
  std::string limits = {};   // further limits, each after a comma
  std::string extra = {};  // further members of the manifest, each followed by a comma
  bool sign = true;
};

class HostFixture : public ::testing::Test {
 protected:
  HostFixture();
  ~HostFixture() override;

  // Writes folder()/<id>/<version>/...; returns that folder.
  std::filesystem::path install(const PackageSpec& spec);
  // As in a set that an update brought: in a root of its own.
  plugin_host::Place install_apart(const PackageSpec& spec, const std::string& set = "set-2");
  std::filesystem::path install_neighbour();  // org.picket.test.good-echo
  [[nodiscard]] const std::filesystem::path& folder() const { return plugins_; }

  // In both homes alike: where ids are granted to run in process.
  void grant_in_process(const std::string& id) { options.in_process.push_back(id); }
  void set_settings(const std::string& id, std::string json, std::uint64_t revision = 1, plugin_host::TopicLimits topics = {});

  // Starts the host with all that is installed.
  void start(milliseconds limit = milliseconds(60'000));
  void stop();

  [[nodiscard]] plugin_host::Status status(const std::string& id = "org.picket.test.bad") const;
  // Waits until it is in this state; fails the test otherwise.
  plugin_host::Status await(State state, const std::string& id = "org.picket.test.bad", milliseconds limit = milliseconds(40'000));
  plugin_host::Status await(const std::function<bool(const plugin_host::Status&)>& is_so, const std::string& what, const std::string& id = "org.picket.test.bad",
                            milliseconds limit = milliseconds(40'000));
  [[nodiscard]] bool await_log(const std::string& part_of_line, milliseconds limit = milliseconds(40'000));

  // Asks over the bus.
  Result<std::string> ask(const std::string& topic, const std::string& payload = "", milliseconds timeout = milliseconds(20'000), const std::string& to = "");
  bus::Status publish_event(const std::string& payload = "x");
  // The neighbour answers each time, whatever else goes on; within a bound that a machine busy with other things keeps too.
  void expect_neighbour_answers(int times = 20);

  plugin_host::Options options;
  std::vector<plugin_host::Place> chosen;  // what start() tells the host to load
  std::unique_ptr<plugin_host::PluginHost> host;
  std::unique_ptr<runtime::Executor> executor;
  std::unique_ptr<runtime::Timers> timers;
  std::unique_ptr<runtime::IoLoop> io;
  std::unique_ptr<bus::Router> router;
  std::unique_ptr<bus::Caller> caller;
  std::unique_ptr<trust::PrivateKey> key;
  std::unique_ptr<runtime::Log> log;

 private:
  std::filesystem::path root_, plugins_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::map<std::string, plugin_host::Settings> settings_;
};

}  // namespace picket::test
