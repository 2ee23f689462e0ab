#include "outbox.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "support/leftovers.hpp"
#include "support/server_process.hpp"

using namespace ksn_proxy;
using picket::Code;
namespace fs = std::filesystem;

namespace {

class OutboxTest : public ::testing::Test {
 protected:
  Outbox open(Outbox::Limits limits = {}) {
    seen_.clear();
    auto out = Outbox::open(folder_.path(), limits, [this](const Message& message) { seen_.push_back(message.body); });
    if (!out) throw std::runtime_error(out.error().message);
    return std::move(*out);
  }
  static Message message(std::string body) { return {MessageKind::statistics, 1000, std::move(body)}; }
  std::vector<std::string> drain(Outbox& outbox) {
    std::vector<std::string> out;
    for (;;) {
      auto front = outbox.front();
      if (!front || !*front) return out;
      out.push_back((*front)->body);
      EXPECT_TRUE(outbox.drop());
    }
  }
  std::vector<fs::path> files() {
    std::vector<fs::path> out;
    for (const auto& one : fs::directory_iterator(folder_.path()))
      if (one.path().extension() == ".messages") out.push_back(one.path());
    std::sort(out.begin(), out.end());
    return out;
  }
  picket::support::ServerFolder folder_;
  std::vector<std::string> seen_;
};

TEST_F(OutboxTest, gives_back_in_order_what_it_took_also_after_a_restart) {
  {
    auto outbox = open();
    for (const char* body : {"one", "two", "three"}) ASSERT_TRUE(outbox.append(message(body)));
    ASSERT_TRUE(outbox.sync());
    ASSERT_TRUE(outbox.drop());
  }
  picket::support::leave_cut_off_write(folder_ / "delivered");
  auto outbox = open();
  EXPECT_EQ(picket::support::leftovers_below(folder_.path()), "");
  EXPECT_EQ(seen_, (std::vector<std::string>{"two", "three"}));
  ASSERT_TRUE(outbox.append(message("four")));
  EXPECT_EQ(drain(outbox), (std::vector<std::string>{"two", "three", "four"}));
  EXPECT_TRUE(files().empty());
  EXPECT_TRUE(open().counters().waiting == 0);
}

TEST_F(OutboxTest, is_bounded_and_says_so) {
  Outbox::Limits limits{10'000, 2'000};
  auto outbox = open(limits);
  int taken = 0;
  for (; taken < 1000; ++taken) {
    auto appended = outbox.append(message(std::string(500, 'x')));
    if (appended) continue;
    EXPECT_EQ(appended.error().code, Code::no_space);
    break;
  }
  EXPECT_GT(taken, 10);
  EXPECT_LT(taken, 20);
  std::uintmax_t bytes = 0;
  for (const auto& file : files()) bytes += fs::file_size(file);
  EXPECT_LE(bytes, limits.bytes);
  EXPECT_GT(files().size(), 2u);
  // Room comes back as files are done.
  for (int i = 0; i < taken / 2; ++i) ASSERT_TRUE(outbox.drop());
  EXPECT_TRUE(outbox.append(message("more")));
  EXPECT_EQ(drain(outbox).back(), "more");
  EXPECT_TRUE(files().empty());
}

TEST_F(OutboxTest, cuts_a_torn_end_off_wherever_it_is_torn) {
  std::string whole;
  {
    auto outbox = open();
    ASSERT_TRUE(outbox.append(message("first")));
    ASSERT_TRUE(outbox.append(message("second")));
  }
  const auto file = files().at(0);
  whole = *picket::read_file(file, 1 << 20);
  const auto second = whole.rfind("PKSM");
  for (std::size_t size = second; size < whole.size(); ++size) {
    ASSERT_TRUE(picket::write_file_atomic(file, whole.substr(0, size)));
    auto outbox = open();
    ASSERT_EQ(seen_, std::vector<std::string>{"first"}) << size;
    EXPECT_EQ(outbox.counters().damaged, 0u);
    ASSERT_EQ(fs::file_size(file), second);
  }
}

TEST_F(OutboxTest, counts_what_is_damaged_and_gives_the_rest) {
  {
    auto outbox = open();
    for (const char* body : {"first", "second", "third"}) ASSERT_TRUE(outbox.append(message(body)));
  }
  const auto file = files().at(0);
  const auto whole = *picket::read_file(file, 1 << 20);
  const auto second = whole.find("PKSM", 4), third = whole.find("PKSM", second + 4);
  for (std::size_t at = second; at < third; ++at) {
    auto bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    ASSERT_TRUE(picket::write_file_atomic(file, bytes));
    fs::remove(folder_ / "delivered");
    const auto outbox = open();
    ASSERT_EQ(seen_, (std::vector<std::string>{"first", "third"})) << at;
    ASSERT_EQ(outbox.counters().damaged, 1u);
    ASSERT_EQ(outbox.counters().damaged_bytes, third - second);
    ASSERT_TRUE(fs::exists(fs::path(file).concat(".damaged")));
  }
}

TEST_F(OutboxTest, reads_any_bytes_without_harm) {
  for (const auto& bytes : {std::string(), std::string("PKSM"), std::string(100, '\xff'), "PKSM" + std::string(100, '\xff'), "PKSM" + std::string(20, '\0') + std::string(60, 'x')}) {
    ASSERT_TRUE(picket::write_file_atomic(folder_ / "000000000001.messages", bytes));
    ASSERT_TRUE(picket::write_file_atomic(folder_ / "delivered", bytes));
    auto outbox = open();
    EXPECT_TRUE(seen_.empty());
    ASSERT_TRUE(outbox.append(message("next")));
    EXPECT_EQ(drain(outbox), std::vector<std::string>{"next"});
  }
}

// What was promised is there after kill -9, and what was delivered does not come back.
TEST_F(OutboxTest, keeps_its_word_over_kill_9) {
  for (int round = 0; round < 5; ++round) {
    int promised[2];
    ASSERT_EQ(::pipe(promised), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto outbox = Outbox::open(folder_.path(), {64u << 20, 4'000}, [](const Message&) {});
      for (int i = 0; outbox && i < 100'000; ++i) {
        const auto body = std::to_string(round) + ":" + std::to_string(i);
        if (!outbox->append(message(body)) || !outbox->sync()) ::_exit(1);
        if (::write(promised[1], "x", 1) != 1) ::_exit(1);
      }
      ::_exit(1);
    }
    ::close(promised[1]);
    int count = 0;
    for (char byte; count < 50 + round * 37 && ::read(promised[0], &byte, 1) == 1;) ++count;
    ::kill(child, SIGKILL);
    for (char byte; ::read(promised[0], &byte, 1) == 1;) ++count;
    ::close(promised[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    auto outbox = open({64u << 20, 4'000});
    // At most one more was written than was promised.
    ASSERT_GE(seen_.size(), static_cast<std::size_t>(count));
    ASSERT_LE(seen_.size(), static_cast<std::size_t>(count) + 1);
    for (std::size_t i = 0; i < seen_.size(); ++i) ASSERT_EQ(seen_[i], std::to_string(round) + ":" + std::to_string(i));
    EXPECT_EQ(outbox.counters().damaged, 0u);
    EXPECT_EQ(drain(outbox).size(), seen_.size());
  }
}

TEST_F(OutboxTest, a_full_disk_is_one_clear_error_and_loses_nothing) {
  auto outbox = open();
  ASSERT_TRUE(outbox.append(message("before")));
  // A limit on file size stands for the disk: the kernel writes as much as fits, then fails.
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = 200;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto appended = outbox.append(message(std::string(1000, 'x')));
  ::setrlimit(RLIMIT_FSIZE, &old);
  ASSERT_FALSE(appended);
  ASSERT_TRUE(outbox.append(message("after")));
  EXPECT_EQ(drain(outbox), (std::vector<std::string>{"before", "after"}));
}

}  // namespace
