// Starts picketd of the slot that counts, watches a new one until it has proved itself, and takes it back when it does not.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::launcher {

struct Options {
  std::filesystem::path slots;            // folder of `state`, a/ and b/
  std::vector<std::string> package;       // the installed picketd and its arguments; another slot's picketd gets the same arguments
  std::chrono::milliseconds prove_within{120'000};  // a new one says in this time that all is well
  unsigned attempts = 3;                  // and does not end more often than this before
  std::chrono::milliseconds settle{10'000};         // how long it is to stay up before it says so
  std::chrono::seconds probation{86'400};           // after that it still may not crash
  unsigned crashes = 3;                             // so often
  std::chrono::milliseconds stop_within{20'000};    // after SIGTERM
  std::function<void(std::string_view line)> log;
  std::function<void(std::string_view step)> at_step;  // test hook, before each step that touches the disk or starts or ends a process
};

// Until picketd ends for good, or SIGTERM or SIGINT comes: its exit status, 128 + n for signal n. Blocks those signals and SIGCHLD, SIGHUP.
[[nodiscard]] int launch(const Options& options);

}  // namespace picket::launcher
