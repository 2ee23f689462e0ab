// Frames over a SOCK_SEQPACKET socket with plain system calls: for picketctl, and for the child's own loop.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

#include "base/files.hpp"
#include "base/result.hpp"
#include "bus/wire/frame.hpp"

namespace picket::bus::wire {

// Two connected ends, close-on-exec, with room for the largest frame.
[[nodiscard]] Result<std::pair<UniqueFd, UniqueFd>> socket_pair();
[[nodiscard]] Result<> set_buffers(int fd);

// Code::unavailable: nobody listens there; the text names the path and what to do.
[[nodiscard]] Result<UniqueFd> connect_to(const std::filesystem::path& path, std::chrono::milliseconds timeout);
// Replaces a socket file that nobody listens on; Code::conflict when somebody does.
[[nodiscard]] Result<UniqueFd> listen_at(const std::filesystem::path& path, unsigned mode);

// Without blocking. Code::busy: the socket's buffer is full, poll for POLLOUT. Code::unavailable: the other side is gone.
[[nodiscard]] Result<> try_send(int fd, const Frame& frame);
[[nodiscard]] Result<> try_send_bytes(int fd, std::string_view packet);
// Without blocking. The frame borrows from `buffer` (made kMaxFrame + 1 long). Code::busy: nothing there;
// unavailable: closed by the other side; invalid: not a frame.
[[nodiscard]] Result<Frame> try_receive(int fd, std::string& buffer);

// The same, waiting at most so long. Code::timeout.
[[nodiscard]] Result<> send(int fd, const Frame& frame, std::chrono::milliseconds timeout);
[[nodiscard]] Result<Frame> receive(int fd, std::string& buffer, std::chrono::milliseconds timeout);

}  // namespace picket::bus::wire
