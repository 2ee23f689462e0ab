// Two processes and one seat: what listens goes over without a client noticing.
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>

#include "seat/seat.hpp"
#include "unit/plugins/source_rig.hpp"

namespace {

using picket::UniqueFd;
using picket::plugin::Host;
using picket::plugin::Seat;

// A host that has storage, in a folder that two processes share, and one timer that never fires.
class StorageHost {
 public:
  explicit StorageHost(std::filesystem::path folder) : folder_(std::move(folder)) {
    table_ = {sizeof table_, PICKET_ABI_MINOR, this, &get_extension, [](const picket_host*, std::int32_t, picket_bytes) {}, [](const picket_host*, picket_bytes) {}};
    storage_ = {sizeof storage_, 0, &get, &put, &remove, nullptr};
    timer_ = {sizeof timer_, 0, [](const picket_host* host, std::uint64_t, std::uint64_t, std::uint64_t period) { return self(host).period_ms = period, PICKET_OK; },
              [](const picket_host* host, std::uint64_t) { return self(host).period_ms = 0, PICKET_OK; }};
  }
  [[nodiscard]] Host host() const { return Host(&table_); }
  std::uint64_t period_ms = 0;  // of the timer; 0: it will not fire a second time

 private:
  static StorageHost& self(const picket_host* host) { return *static_cast<StorageHost*>(host->ctx); }
  static const void* get_extension(const picket_host* host, const char* id) {
    if (std::strcmp(id, PICKET_EXT_TIMER) == 0) return &self(host).timer_;
    return std::strcmp(id, PICKET_EXT_STORAGE) == 0 ? &self(host).storage_ : nullptr;
  }
  static picket_status get(const picket_host* host, picket_bytes key, const picket_sink* into) {
    const auto value = picket::read_file(self(host).folder_ / picket::plugin::view(key), 4096);
    if (!value) return PICKET_E_NOT_FOUND;
    into->write(into->ctx, {value->data(), value->size()});
    return PICKET_OK;
  }
  static picket_status put(const picket_host* host, picket_bytes key, picket_bytes value) {
    return picket::write_file_atomic(self(host).folder_ / picket::plugin::view(key), picket::plugin::view(value)) ? PICKET_OK : PICKET_E_IO;
  }
  static picket_status remove(const picket_host* host, picket_bytes key) {
    return picket::remove_file(self(host).folder_ / picket::plugin::view(key)) ? PICKET_OK : PICKET_E_IO;
  }
  std::filesystem::path folder_;
  picket_host table_{};
  picket_host_storage storage_{};
  picket_host_timer timer_{};
};

class SeatTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::pipe(to_child_), 0);
    ASSERT_EQ(::pipe(from_child_), 0);
  }
  void TearDown() override {
    if (child_ > 0) end();
    for (const int fd : {to_child_[0], to_child_[1], from_child_[0], from_child_[1]}) ::close(fd);
  }

  // Another process has the seat and a socket that listens, and does `then` when it is told to go on.
  void start_holder(const std::function<void(Seat&, int listener)>& then) {
    child_ = ::fork();
    ASSERT_GE(child_, 0);
    if (child_ == 0) {
      Seat seat(storage_.host(), 1);
      const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof address;
      bool good = ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(listener, 16) == 0 &&
                  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0;
      good = seat.take().value_or(false) && good;
      if (!good || ::write(from_child_[1], &address.sin_port, sizeof address.sin_port) != sizeof address.sin_port) ::_exit(1);
      char word = 0;
      if (::read(to_child_[0], &word, 1) != 1) ::_exit(1);
      then(seat, listener);
      ::_exit(0);
    }
    ASSERT_EQ(::read(from_child_[0], &port_, sizeof port_), static_cast<ssize_t>(sizeof port_));
  }
  void go_on() { ASSERT_EQ(::write(to_child_[1], "x", 1), 1); }
  void end(int by = SIGKILL) {
    ::kill(child_, by);
    ASSERT_EQ(::waitpid(child_, nullptr, 0), child_);
    child_ = -1;
  }
  [[nodiscard]] UniqueFd connected() const {
    UniqueFd out(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = port_;
    EXPECT_EQ(::connect(out.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return out;
  }

  picket::plugin_tests::TemporaryFolder folder_;
  StorageHost storage_{folder_.path()};
  int to_child_[2] = {-1, -1}, from_child_[2] = {-1, -1};
  pid_t child_ = -1;
  in_port_t port_ = 0;
};

TEST_F(SeatTest, is_free_when_nobody_has_it) {
  Seat seat(storage_.host(), 1);
  EXPECT_TRUE(seat.take().value_or(false));
  EXPECT_FALSE(seat.is_awaited());
  EXPECT_FALSE(seat.hand_over({}));
  EXPECT_TRUE(seat.sockets().empty());
}

TEST_F(SeatTest, goes_over_with_the_sockets_and_who_waits_in_them) {
  start_holder([](Seat& seat, int listener) {
    if (!seat.is_awaited() || !seat.hand_over({{"http here", listener}, {"https here", listener}})) ::_exit(1);
  });
  Seat seat(storage_.host(), 1);
  EXPECT_FALSE(seat.take().value_or(true));
  EXPECT_FALSE(seat.take().value_or(true));
  const auto client = connected();
  go_on();
  int status = 1;
  ASSERT_EQ(::waitpid(child_, &status, 0), child_);  // it is gone, and all that it had open
  child_ = -1;
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(seat.take().value_or(false));
  auto sockets = seat.sockets();
  ASSERT_EQ(sockets.size(), 2u);
  const UniqueFd accepted(::accept(sockets["http here"].get(), nullptr, nullptr));
  ASSERT_TRUE(accepted);
  ASSERT_EQ(::send(accepted.get(), "hello", 5, 0), 5);
  char text[5];
  EXPECT_EQ(::recv(client.get(), text, sizeof text, MSG_WAITALL), 5);
  EXPECT_FALSE(seat.is_awaited());  // the next one has a name of its own
}

TEST_F(SeatTest, falls_to_who_waits_when_the_other_is_killed) {
  start_holder([](Seat&, int) {});
  Seat seat(storage_.host(), 1);
  EXPECT_FALSE(seat.take().value_or(true));
  EXPECT_FALSE(seat.may_open());
  EXPECT_TRUE(seat.is_waiting());
  end();
  EXPECT_TRUE(seat.may_open());
  EXPECT_FALSE(seat.is_waiting());
  EXPECT_TRUE(seat.take().value_or(false));
  EXPECT_TRUE(seat.sockets().empty());
  EXPECT_TRUE(seat.may_open()) << "to try once more what failed";
}

TEST_F(SeatTest, is_looked_at_again_and_again_by_who_stands_by_whatever_failed_meanwhile) {
  start_holder([](Seat&, int) {});
  Seat seat(storage_.host(), 1);
  EXPECT_FALSE(seat.take().value_or(true));
  EXPECT_NE(storage_.period_ms, 0u);
  seat.be_still();
  EXPECT_EQ(storage_.period_ms, 0u);
  seat.try_again_later();
  EXPECT_FALSE(seat.may_open());
  EXPECT_NE(storage_.period_ms, 0u);
  end();
  EXPECT_TRUE(seat.may_open());
  EXPECT_EQ(storage_.period_ms, 0u);
}

TEST_F(SeatTest, is_not_held_by_a_process_that_only_has_the_number_of_one_that_had_it) {
  storage_.host().store("seat", picket::cat(std::to_string(::getppid()), " 1"));
  Seat seat(storage_.host(), 1);
  EXPECT_TRUE(seat.take().value_or(false));
}

TEST_F(SeatTest, stays_where_it_is_when_nobody_listens_to_the_word) {
  start_holder([](Seat& seat, int listener) {
    if (seat.hand_over({{"http here", listener}}) || !seat.is_ours()) ::_exit(1);
  });
  {
    Seat killed(storage_.host(), 1);  // stood by, and is gone
    EXPECT_FALSE(killed.take().value_or(true));
  }
  go_on();
  int status = 1;
  ASSERT_EQ(::waitpid(child_, &status, 0), child_);
  child_ = -1;
  EXPECT_EQ(status, 0);
}

}  // namespace
