// The other end of a bridge, played by hand.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bus/wire/socket.hpp"

namespace picket::bus::wire {

class Remote {
 public:
  explicit Remote(UniqueFd socket) : socket_(std::move(socket)) {}

  void say(const Frame& frame) {
    const auto sent = send(socket_.get(), frame, std::chrono::seconds(30));
    EXPECT_TRUE(sent) << sent.error().message;
  }
  // Borrowed until the next call. A GOODBYE of a default-made frame stands for the end of the connection.
  [[nodiscard]] Frame hear() {
    auto frame = receive(socket_.get(), buffer_, std::chrono::seconds(30));
    if (frame) return *frame;
    why_ = frame.error();
    return {};
  }
  [[nodiscard]] Frame hear(Type type) {
    for (;;) {
      auto frame = hear();
      if (frame.type == type || why_.code != Code::internal) return frame;
    }
  }
  [[nodiscard]] bool is_closed() {
    while (why_.code == Code::internal) (void)hear();
    return why_.code == Code::unavailable;
  }
  [[nodiscard]] int fd() const { return socket_.get(); }
  void hang_up() { socket_.reset(); }

 private:
  UniqueFd socket_;
  std::string buffer_;
  Error why_;
};

}  // namespace picket::bus::wire
