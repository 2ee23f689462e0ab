#include "child.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <thread>

#include "base/files.hpp"
#include "support/server_process.hpp"

namespace ksn_client {
namespace {

using picket::Code;
using testing::HasSubstr;
using namespace std::chrono_literals;

TEST(KsnChild, is_heard_to_its_end) {
  const auto said = run_child({"/bin/sh", "-c", "echo out; echo err >&2; exit 7"});
  ASSERT_TRUE(said) << said.error().message;
  EXPECT_EQ(said->status, 7);
  EXPECT_EQ(said->output, "out\n");
  EXPECT_EQ(said->error, "err\n");
  EXPECT_EQ(run_child({"/bin/sh", "-c", "kill -9 $$"})->status, 128 + 9);
}

TEST(KsnChild, is_given_its_arguments_as_they_are_and_nothing_of_ours) {
  ::setenv("PICKET_TEST_SECRET", "secret", 1);
  const picket::UniqueFd open(::open("/dev/null", O_RDONLY));  // not close-on-exec
  const auto arguments = run_child({"/usr/bin/printf", "%s|", "a b", "$(id)", "; ls", "--"});
  EXPECT_EQ(arguments->output, "a b|$(id)|; ls|--|");
  const auto environment = run_child({"/usr/bin/env"});
  EXPECT_EQ(environment->output, "LC_ALL=C\nPATH=/usr/bin:/bin\nHOME=/nonexistent\n");
  EXPECT_EQ(run_child({"/bin/sh", "-c", "ls /proc/self/fd | wc -l; pwd; read line || echo nothing"})->output, "4\n/\nnothing\n") << "0, 1, 2 and the folder that ls reads";
}

TEST(KsnChild, that_hangs_or_floods_is_ended_with_all_it_started) {
  picket::support::ServerFolder folder;
  const auto began = std::chrono::steady_clock::now();
  // The one it started holds the pipe open. On a slow computer it may not come to that in time.
  for (auto time = 300ms; !std::filesystem::exists(folder / "pid"); time *= 2) {
    ASSERT_LT(time, 60s);
    const auto hung = run_child({"/bin/sh", "-c", "sleep 3600 & echo $! >" + (folder / "new").native() + "; mv " + (folder / "new").native() + " " + (folder / "pid").native() + "; sleep 3600"}, {.time = time});
    EXPECT_EQ(hung.error().code, Code::timeout);
    EXPECT_THAT(hung.error().message, HasSubstr("/bin/sh did not end within " + std::to_string(time.count()) + " ms"));
  }
  EXPECT_EQ(run_child({"/bin/sh", "-c", "exec >&- 2>&-; exec sleep 3600"}, {.time = 300ms}).error().code, Code::timeout);
  EXPECT_EQ(run_child({"/usr/bin/yes"}, {.output = 1 << 20}).error().code, Code::too_large);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 150s) << "of the hour that it would take";
  const auto pid = picket::read_file(folder / "pid", 100);
  ASSERT_TRUE(pid);
  // Dead, or dead and not yet waited for by who inherited it; soon, for nobody waits until its end.
  const auto state = [&] { return picket::read_file("/proc/" + std::to_string(std::stoi(*pid)) + "/stat", 4096); };
  const auto is_dead = [&] {
    const auto now = state();
    return !now || now->find(") Z") != std::string::npos;
  };
  for (const auto until = std::chrono::steady_clock::now() + 20s; !is_dead() && std::chrono::steady_clock::now() < until;) std::this_thread::yield();
  EXPECT_TRUE(is_dead()) << state().value_or("");
}

TEST(KsnChild, that_is_not_there_is_said) {
  EXPECT_EQ(run_child({"/nonexistent/rpm"}).error().code, Code::not_found);
  EXPECT_EQ(run_child({"sh"}).error().code, Code::invalid);
  EXPECT_EQ(run_child({}).error().code, Code::invalid);
}

}  // namespace
}  // namespace ksn_client
