// The small parts of the plugin host, each by itself.
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "isolation/frames.hpp"
#include "plugin_host/back_off.hpp"
#include "plugin_host/call_watch.hpp"
#include "plugin_host/host_tables.hpp"
#include "plugin_host/lifecycle.hpp"
#include "plugin_host/log_gate.hpp"
#include "plugin_host/plugin_storage.hpp"
#include "plugin_host/sealed_file.hpp"
#include "runtime/timers.hpp"
#include "support/leftovers.hpp"
#include "support/temporary_folder.hpp"

namespace picket::plugin_host {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

class Folder : public ::testing::Test {
 protected:
  const support::TemporaryFolder temporary_;
  const fs::path path_ = temporary_.path();
};

class Storage : public Folder {
 protected:
  std::set<std::string> keys(PluginStorage& storage) {
    std::set<std::string> out;
    EXPECT_TRUE(storage.list([&](std::string_view key) { out.emplace(key); }));
    return out;
  }
};

TEST_F(Storage, keeps_values_over_a_restart) {
  {
    PluginStorage storage(path_ / "x", 100);
    EXPECT_EQ(storage.get("a").error().code, Code::not_found);
    ASSERT_TRUE(storage.put("a", "1"));
    ASSERT_TRUE(storage.put("a", std::string("2\0\n", 3)));
    ASSERT_TRUE(storage.put("empty", ""));
  }
  PluginStorage storage(path_ / "x", 100);
  EXPECT_EQ(storage.get("a").value_or("?"), std::string("2\0\n", 3));
  EXPECT_EQ(storage.get("empty").value_or("?"), "");
  EXPECT_EQ(keys(storage), (std::set<std::string>{"a", "empty"}));
  ASSERT_TRUE(storage.remove("a"));
  ASSERT_TRUE(storage.remove("a"));
  EXPECT_EQ(storage.get("a").error().code, Code::not_found);
}

TEST_F(Storage, holds_its_limit_and_leaves_the_old_value) {
  PluginStorage storage(path_, 10);
  ASSERT_TRUE(storage.put("a", "12345"));
  ASSERT_TRUE(storage.put("b", "12345"));
  EXPECT_EQ(storage.put("c", "1").error().code, Code::no_space);
  EXPECT_EQ(storage.put("a", "123456").error().code, Code::no_space);
  EXPECT_EQ(storage.get("a").value_or("?"), "12345");
  ASSERT_TRUE(storage.put("a", "1"));  // makes room for the next
  ASSERT_TRUE(storage.put("c", "1234"));
  PluginStorage again(path_, 10);
  EXPECT_EQ(again.put("d", "1").error().code, Code::no_space);
}

TEST_F(Storage, takes_only_keys_that_the_contract_allows) {
  PluginStorage storage(path_, 100);
  for (const std::string key : {"", ".hidden", "a/b", "../x", "a b", "ä"}) {
    EXPECT_EQ(storage.put(key, "x").error().code, Code::invalid) << key;
    EXPECT_EQ(storage.get(key).error().code, Code::invalid) << key;
  }
  EXPECT_EQ(storage.put(std::string(129, 'k'), "x").error().code, Code::invalid);
  EXPECT_TRUE(storage.put(std::string(128, 'k'), "x"));
  EXPECT_TRUE(storage.put("A.b_c-9", "x"));
}

// It may as well be another version's, which runs beside and is just writing it.
TEST_F(Storage, leaves_a_half_written_value_alone_and_counts_it_not) {
  const auto half = support::leave_cut_off_write(path_ / "a");
  PluginStorage storage(path_, 10);
  ASSERT_TRUE(storage.put("a", "1234567890"));
  EXPECT_TRUE(fs::exists(half));
  EXPECT_EQ(keys(storage), (std::set<std::string>{"a"}));
}

using SealedFileTest = Folder;

TEST_F(SealedFileTest, cannot_be_changed_any_more) {
  std::ofstream(path_ / "x") << "the bytes";
  const UniqueFd source(::open((path_ / "x").c_str(), O_RDONLY | O_CLOEXEC));
  auto sealed = seal_copy(source.get(), "x", 1000);
  ASSERT_TRUE(sealed) << sealed.error().message;
  EXPECT_EQ(sealed->sha256, sha256_hex("the bytes"));
  EXPECT_EQ(::pwrite(sealed->fd.get(), "X", 1, 0), -1);
  EXPECT_EQ(::ftruncate(sealed->fd.get(), 1), -1);
  EXPECT_EQ(::fcntl(sealed->fd.get(), F_ADD_SEALS, F_SEAL_WRITE), -1);
  // Not through another opening of it either.
  const UniqueFd again(::open(cat("/proc/self/fd/", std::to_string(sealed->fd.get())).c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_TRUE(!again || ::pwrite(again.get(), "X", 1, 0) == -1);
  std::ofstream(path_ / "x") << "other";
  char byte = 0;
  ASSERT_EQ(::pread(sealed->fd.get(), &byte, 1, 0), 1);
  EXPECT_EQ(byte, 't');
}

TEST_F(SealedFileTest, is_made_of_regular_files_within_the_limit_only) {
  std::ofstream(path_ / "x") << "12345";
  const UniqueFd source(::open((path_ / "x").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(seal_copy(source.get(), "x", 4).error().code, Code::too_large);
  const UniqueFd folder(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(seal_copy(folder.get(), "x", 4).error().code, Code::invalid);
}

class Watch : public ::testing::Test {
 protected:
  void wait_for_reports(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(told_.wait_for(lock, std::chrono::seconds(60), [&] { return reports_.size() >= count; }));
  }
  std::size_t reports() {
    const std::lock_guard lock(mutex_);
    return reports_.size();
  }
  std::mutex mutex_;
  std::condition_variable told_;
  std::vector<std::string> reports_;
  std::unique_ptr<runtime::Timers> timers_ = runtime::Timers::make();
  CallWatch::OnOverrun note_ = [this](const char* what, milliseconds) {
    const std::lock_guard lock(mutex_);
    reports_.emplace_back(what);
    told_.notify_all();
  };
};

TEST_F(Watch, tells_of_a_call_that_does_not_return_once) {
  CallWatch watch(*timers_, milliseconds(20), note_);
  watch.begin("on_message");
  EXPECT_STREQ(watch.running(), "on_message");
  wait_for_reports(1);
  watch.end();
  watch.begin("on_request");
  wait_for_reports(2);
  watch.end();
  EXPECT_EQ(reports_, (std::vector<std::string>{"on_message", "on_request"}));
  EXPECT_EQ(watch.running(), nullptr);
}

TEST_F(Watch, says_nothing_of_many_short_calls) {
  using Clock = std::chrono::steady_clock;
  // For longer than the budget, but no single call is; where a busy computer makes one, once more.
  for (int tries = 0; tries < 100; ++tries) {
    const auto before = reports();
    CallWatch watch(*timers_, milliseconds(50), note_);
    Clock::duration longest{};
    for (const auto end = Clock::now() + milliseconds(200); Clock::now() < end;) {
      const auto began = Clock::now();
      watch.begin("on_message");
      watch.end();
      longest = std::max(longest, Clock::now() - began);
    }
    if (longest > milliseconds(30)) continue;
    EXPECT_EQ(reports(), before);
    return;
  }
  FAIL() << "there were no short calls";
}

TEST(LogGate, lets_a_hundred_through_a_second_and_counts_the_rest) {
  LogGate gate;
  LogGate::Clock::time_point now(std::chrono::hours(1));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(gate.pass(now), 0u);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(gate.pass(now), std::nullopt);
  now += std::chrono::seconds(1);
  EXPECT_EQ(gate.pass(now), 7u);
  EXPECT_EQ(gate.pass(now), 0u);
}

TEST(Lifecycle, leaves_every_state_by_a_stop_or_is_at_rest) {
  using enum State;
  for (const auto state : {verifying, starting, running, backing_off, failed}) EXPECT_NE(find_transition(state, Event::stop_wanted), nullptr) << to_string(state);
  for (const auto state : {stopped, refused}) EXPECT_EQ(find_transition(state, Event::stop_wanted), nullptr) << to_string(state);
  for (const auto state : {stopped, refused, failed, backing_off, running, starting}) EXPECT_NE(find_transition(state, Event::restart_wanted), nullptr) << to_string(state);
}

TEST(Lifecycle, waits_nowhere_without_a_deadline) {
  using enum State;
  for (const auto state : {verifying, starting, stopping}) EXPECT_NE(find_transition(state, Event::deadline), nullptr) << to_string(state);
  EXPECT_NE(find_transition(backing_off, Event::retry_due), nullptr);
}

TEST(Lifecycle, does_not_try_again_what_was_refused) {
  for (const auto event : {Event::retry_due, Event::ended, Event::started, Event::accepted}) EXPECT_EQ(find_transition(State::refused, event), nullptr);
}

TEST(BackOff, doubles_up_to_its_most_and_gives_up_after_so_many_tries) {
  BackOff back_off({milliseconds(500), milliseconds(3000), 5, std::chrono::seconds(600)});
  milliseconds now = std::chrono::hours(1);
  for (const int delay : {500, 1000, 2000, 3000, 3000}) {
    EXPECT_EQ(back_off.failed(now), milliseconds(delay));
    now += milliseconds(delay);
  }
  EXPECT_EQ(back_off.failed(now), std::nullopt);
  EXPECT_EQ(back_off.failures(), 6u);
  back_off.forget();
  EXPECT_EQ(back_off.failed(now), milliseconds(500)) << "taken back by hand";
}

TEST(BackOff, begins_anew_after_a_window_without_a_failure) {
  BackOff back_off({milliseconds(500), milliseconds(60'000), 2, std::chrono::seconds(600)});
  milliseconds now = std::chrono::hours(1);
  const auto after = [&](milliseconds passed) { return back_off.failed(now += passed); };
  EXPECT_EQ(after(milliseconds(0)), milliseconds(500));
  EXPECT_EQ(after(std::chrono::seconds(600)), milliseconds(1000)) << "just within it";
  EXPECT_EQ(after(milliseconds(1)), milliseconds(1000)) << "the first is too long ago";
  EXPECT_EQ(after(std::chrono::minutes(11)), milliseconds(500));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(after(std::chrono::minutes(11)), milliseconds(500)) << "a failure now and then is never too many";
}

TEST(CleanLine, is_one_line_of_utf8) {
  EXPECT_EQ(clean_line("a\nb\tc\x7f"), "a b c ");
  EXPECT_EQ(clean_line("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(clean_line("\xff\xfe!"), std::string(2, '?') + "!");
  EXPECT_EQ(clean_line(std::string(5000, 'x')).size(), 4096u);
  EXPECT_EQ(clean_line(std::string(4095, 'x') + "\xc3\xa9" + "tail").size(), 4095u);
}

TEST(Setup, survives_the_way_to_the_child) {
  isolation::Setup setup;
  setup.id = "org.picket.x";
  setup.extensions = {"picket.bus/1"};
  setup.publishes = {"a", "b"};
  setup.asks = {"*"};
  setup.callback_ms = 7;
  setup.memory_mb = 99;
  setup.storage_dir = "/var/lib/\"x\"";
  setup.storage_bytes = 1ull << 40;
  const auto read = isolation::Setup::parse(setup.to_json());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->publishes, setup.publishes);
  EXPECT_EQ(read->asks, setup.asks);
  EXPECT_EQ(read->storage_dir, setup.storage_dir);
  EXPECT_EQ(read->storage_bytes, setup.storage_bytes);
  EXPECT_EQ(read->callback_ms, 7u);
  EXPECT_FALSE(isolation::Setup::parse("{}"));
  EXPECT_FALSE(isolation::Setup::parse("nonsense"));
}

}  // namespace

}  // namespace picket::plugin_host
