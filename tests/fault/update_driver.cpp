// One life of an agent, to be killed: opens the engine on a folder, updates once from a repository on disk through an in-process source,
// says what came of it. Usage: update_driver FOLDER REPOSITORY KILL_AT [update|rollback [VERDICT|- [COMPONENT...]]]
//   KILL_AT n > 0: SIGKILL itself before the n-th step that touches the disk; n < 0: fills the disk of FOLDER up before the -n-th, in the file
//   FOLDER/../filler, and goes on; 0: count them. "call:N": SIGKILL before the N-th system call that changes something below FOLDER; "torn:N": the same,
//   but after half of what it writes; "calls:FILE": a line about each of them, into FILE. Prints "steps N", "result R", "sent BYTES".
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "fault/system_calls.h"
#include "support/small_disk.hpp"
#include "support/update_world.hpp"

namespace {

// True when `order` was about system calls.
bool watch_calls(const std::filesystem::path& folder, std::string_view order) {
  const auto rest = std::string(order.substr(order.find(':') + 1));
  if (order.starts_with("calls:")) {
    picket_watch_calls(folder.c_str(), 0, 0, ::open(rest.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  } else if (order.starts_with("call:") || order.starts_with("torn:")) {
    picket_watch_calls(folder.c_str(), std::atol(rest.c_str()), order.starts_with("torn:"), -1);
  } else {
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace picket;
  if (argc < 4) return 2;
  const std::filesystem::path folder = argv[1], repository = argv[2];
  const long kill_at = watch_calls(folder, argv[3]) ? 0 : std::atol(argv[3]);
  const std::string action = argc > 4 ? argv[4] : "update";
  const std::string verdict = argc > 5 && std::string_view(argv[5]) != "-" ? argv[5] : "";

  support::UpdateWorld world(folder);
  support::FakeSource source(*world.router, "source.a");
  source.chunk_size = 20'000;  // several writes per file
  for (const auto& entry : std::filesystem::recursive_directory_iterator(repository))
    if (entry.is_regular_file()) source.files[std::filesystem::relative(entry.path(), repository).native()] = read_file(entry.path(), 100u << 20).value();
  support::FakeConsumer consumer(*world.router, "scanner");
  if (!verdict.empty()) consumer.judge = [&](const auto& request) { return request.restored() ? std::string() : verdict; };
  if (argc <= 6) world.demands = {{"rules", "databases", "scanner", true}};
  for (int i = 6; i < argc; ++i) world.demands.push_back({argv[i], "databases", "scanner", true});
  std::atomic<long> steps{0};
  world.at_step = [&](std::string_view) {
    const auto step = ++steps;
    if (step == kill_at) ::kill(::getpid(), SIGKILL);
    if (step == -kill_at) support::SmallDisk::fill(folder.parent_path() / "filler");
  };
  if (auto opened = world.open(); !opened) {
    std::printf("result cannot open: %s\n", opened.error().message.c_str());
    return 1;
  }
  if (auto taken = world.settings({"source.a"}); !taken) return 1;
  const auto result = action == "rollback" ? world.rollback("rules") : world.run();
  world.close();
  std::printf("steps %ld\nresult %s: %s\nsent %llu\n", steps.load(), result.result().c_str(), result.text().c_str(),
              static_cast<unsigned long long>(source.sent_of("targets/")));
  return 0;
}
