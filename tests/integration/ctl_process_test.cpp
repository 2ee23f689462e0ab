// picketctl as a program: terminal, signals, bash.
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.hpp"
#include "picket/host/v1/host.pb.h"
#include "picket/update/v1/update.pb.h"
#include "support/ctl_picketd.hpp"

namespace picket::test {
namespace {

constexpr int patience_ms = 20'000;

struct Process {
  pid_t pid = -1;
  UniqueFd out;  // or the terminal

  // What it still writes, until it closes its end.
  std::string rest() {
    std::string text;
    char buffer[4096];
    for (;;) {
      pollfd ready{out.get(), POLLIN, 0};
      if (::poll(&ready, 1, patience_ms) <= 0) return text + "<nothing more came in time>";
      const auto count = ::read(out.get(), buffer, sizeof buffer);
      if (count <= 0) return text;  // EIO: the terminal's other end is closed
      text.append(buffer, static_cast<std::size_t>(count));
    }
  }
  int wait() {
    int status = 0;
    for (int i = 0; i < patience_ms / 10; ++i) {
      if (::waitpid(pid, &status, WNOHANG) == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
      ::poll(nullptr, 0, 10);
    }
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    return -1;
  }
};

void execute(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

Process start_with_pipe(const std::vector<std::string>& command) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Process out;
  out.pid = ::fork();
  if (out.pid == 0) {
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
    execute(command);
  }
  ::close(ends[1]);
  out.out.reset(ends[0]);
  return out;
}

Process start_on_terminal(const std::vector<std::string>& command, bool no_color = false) {
  Process out;
  int terminal = -1;
  out.pid = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (out.pid == 0) {
    ::setenv("TERM", "xterm", 1);
    if (no_color) ::setenv("NO_COLOR", "1", 1);
    else ::unsetenv("NO_COLOR");
    execute(command);
  }
  out.out.reset(terminal);
  return out;
}

class CtlProcess : public ::testing::Test {
 protected:
  std::vector<std::string> command(std::vector<std::string> words) {
    words.insert(words.begin(), PICKETCTL);
    words.push_back("--socket");
    words.push_back(picketd.socket());
    return words;
  }
  void answer_plugins() {
    host::v1::PluginListReply plugins;
    auto& plugin = *plugins.add_plugins();
    plugin.set_id("org.picket.scanner");
    plugin.set_state("running");
    picketd.answer_with("picket.plugin.list", plugins);
  }
  CtlPicketd picketd;
};

TEST_F(CtlProcess, colours_only_a_terminal_that_wants_them) {
  answer_plugins();
  picketd.start();
  auto on_terminal = start_on_terminal(command({"plugin", "list"}));
  EXPECT_NE(on_terminal.rest().find("\x1b[32mrunning"), std::string::npos);
  EXPECT_EQ(on_terminal.wait(), 0);
  auto unwanted = start_on_terminal(command({"plugin", "list"}), true);
  EXPECT_EQ(unwanted.rest().find('\x1b'), std::string::npos);
  EXPECT_EQ(unwanted.wait(), 0);
  auto option = start_on_terminal(command({"plugin", "list", "--no-color"}));
  EXPECT_EQ(option.rest().find('\x1b'), std::string::npos);
  EXPECT_EQ(option.wait(), 0);
  auto piped = start_with_pipe(command({"plugin", "list"}));
  EXPECT_EQ(piped.rest().find('\x1b'), std::string::npos);
  EXPECT_EQ(piped.wait(), 0);
}

TEST_F(CtlProcess, draws_a_bar_on_a_terminal) {
  picketd.answer_bytes("picket.update.run", [](std::string_view) {
    CtlAnswer answer;
    update::v1::Progress progress;
    progress.set_step("fetch");
    progress.set_component("yara-rules");
    progress.set_total(1000);
    for (const std::uint64_t done : {500U, 1000U}) {
      progress.set_done(done);
      answer.chunks.push_back(progress.SerializeAsString());
    }
    update::v1::RunResult result;
    result.set_result("ok");
    answer.reply = result.SerializeAsString();
    return answer;
  });
  picketd.start();
  auto process = start_on_terminal(command({"update", "run"}));
  const auto text = process.rest();
  EXPECT_NE(text.find("fetch yara-rules ["), std::string::npos) << text;
  EXPECT_NE(text.find("100%"), std::string::npos) << text;
  EXPECT_EQ(process.wait(), 0);
}

TEST_F(CtlProcess, draws_one_bar_for_several_at_once_and_a_line_for_each_that_is_done) {
  picketd.answer_bytes("picket.update.run", [](std::string_view) {
    CtlAnswer answer;
    update::v1::Progress progress;
    progress.set_step("fetch");
    const auto add = [&](const char* component, std::uint64_t done) {
      progress.set_component(component);
      progress.set_total(1000);
      progress.set_done(done);
      answer.chunks.push_back(progress.SerializeAsString());
    };
    add("lists", 100);
    add("rules", 200);
    add("lists", 1000);
    add("rules", 1000);
    update::v1::RunResult result;
    result.set_result("ok");
    answer.reply = result.SerializeAsString();
    return answer;
  });
  picketd.start();
  auto process = start_on_terminal(command({"update", "run"}));
  const auto text = process.rest();
  EXPECT_NE(text.find("\rfetch lists ["), std::string::npos) << text;
  EXPECT_NE(text.find("\rfetch rules ["), std::string::npos) << text;
  std::size_t full = 0;
  for (auto at = text.find("100%"); at != std::string::npos; at = text.find("100%", at + 1)) ++full;
  EXPECT_EQ(full, 2u) << text;
  EXPECT_EQ(process.wait(), 0);
}

TEST_F(CtlProcess, ctrl_c_asks_the_other_side_to_stop) {
  picketd.answer_bytes("picket.update.run", [](std::string_view) { return CtlAnswer{{}, std::string(), true}; });
  picketd.start();
  auto process = start_with_pipe(command({"update", "run"}));
  ASSERT_TRUE(picketd.wait_for_request());
  ::kill(process.pid, SIGINT);
  EXPECT_TRUE(picketd.wait_for_cancel());
  EXPECT_EQ(process.wait(), 130) << process.rest();
}

TEST_F(CtlProcess, an_end_of_picketd_ends_the_command) {
  auto process = [&] {
    CtlPicketd gone;
    gone.answer_bytes("picket.update.run", [](std::string_view) { return CtlAnswer{{}, std::string(), true}; });
    gone.start();
    auto started = start_with_pipe({PICKETCTL, "update", "run", "--socket", gone.socket()});
    EXPECT_TRUE(gone.wait_for_request());
    return started;
  }();
  EXPECT_EQ(process.wait(), 1);
  EXPECT_NE(process.rest().find("picketctl: "), std::string::npos);
}

TEST_F(CtlProcess, a_closed_pipe_ends_watching) {
  picketd.answer_bytes("picket.bus.watch", [](std::string_view) { return CtlAnswer{{}, std::string(), true}; });
  picketd.start();
  auto process = start_with_pipe({"/bin/sh", "-c", cat(PICKETCTL, " bus watch --socket ", picketd.socket().string(), " | true")});
  EXPECT_TRUE(picketd.wait_for_cancel()) << "nobody reads any more, and it need not write to find out";
  EXPECT_EQ(process.wait(), 0);
}

TEST_F(CtlProcess, bash_completes) {
  answer_plugins();
  picketd.start();
  const auto complete = [&](const std::string& words, int index) {
    const auto script = cat("PATH='", std::filesystem::path(PICKETCTL).parent_path().string(), "':$PATH; source <(picketctl completion bash); COMP_WORDS=(", words,
                            "); COMP_CWORD=", std::to_string(index), "; _picketctl; printf '%s ' \"${COMPREPLY[@]}\"");
    auto process = start_with_pipe({"/bin/bash", "--norc", "-c", script});
    const auto text = process.rest();
    EXPECT_EQ(process.wait(), 0) << text;
    return text;
  };
  EXPECT_EQ(complete("picketctl sta", 1), "status ");
  EXPECT_EQ(complete("picketctl plugin ''", 2), "info list restart ");
  EXPECT_EQ(complete(cat("picketctl --socket ", picketd.socket().string(), " plugin info org"), 5), "org.picket.scanner ");
  EXPECT_EQ(complete("picketctl update run --fo", 3), "--force ");
  EXPECT_EQ(complete("picketctl scan /", 2), " ") << "files are bash's own";
}

}  // namespace
}  // namespace picket::test
