// What the messages in the outbox bring, oldest first: parts of which pieces of files, in whose share. Without it a device would be told to send again
// what is here, or to go on behind a gap. Locked by its owner.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "outbox.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_proxy {

using Piece = std::pair<std::string, std::uint64_t>;  // of a file: digest, first byte

// What a message brings; statistics: of no piece.
struct Part {
  Piece piece;
  std::uint64_t begin = 0, end = 0;  // from the piece's first byte on
  std::string peer{};                // whose share it is in; empty: of a time before the start
  std::uint64_t bytes = 0;           // in that share
};
[[nodiscard]] Part part_of(const Message& message);
// nullptr: nothing.
[[nodiscard]] const char* wrong_with(const picket::ksn::v1::ContentRequest& content);
// A ContentReply.
[[nodiscard]] std::string held_answer(const picket::ksn::v1::ContentRequest& content, std::uint64_t held);

class Waiting {
 public:
  void remember(Part part);
  // The oldest is gone; not arrived: what is lost must come again, and so must all behind it.
  void forget_oldest(bool arrived);
  void forget_newest(std::uint64_t count);

  // How much of a piece is here or at the KSN without a gap, in bytes; nullopt: nothing of it waits.
  [[nodiscard]] std::optional<std::uint64_t> held_of(const Piece& piece) const;

  // Bytes that wait of one address.
  [[nodiscard]] std::uint64_t share_of(std::string_view peer) const;
  void give(const std::string& peer, std::uint64_t bytes) { shares_[peer] += bytes; }
  void give_back(const std::string& peer, std::uint64_t bytes);

 private:
  struct Held {
    std::uint64_t until = 0;
    std::size_t messages = 0;  // that wait
  };
  void lose(const Part& part);
  void release(const Part& part);

  std::deque<Part> parts_;
  std::map<Piece, Held> held_;
  std::map<std::string, std::uint64_t, std::less<>> shares_;
};

}  // namespace ksn_proxy
