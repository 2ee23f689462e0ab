#include "leftovers.hpp"

#include <algorithm>
#include <string>

#include "base/files.hpp"

namespace ksn_proxy {

using picket::cat;

Leftovers::Leftovers(const std::filesystem::path& folder, const std::filesystem::path& own, Warn warn)
    : warn_(std::move(warn)), others_(other_outboxes(folder, own)), aside_(put_aside(folder)) {}

std::uint64_t Leftovers::give_up(std::size_t count, std::string_view why) {
  std::uint64_t messages = 0;
  for (; count > 0; --count, others_.pop_front()) {
    const auto& folder = others_.front().folder;
    messages += remove_outbox(folder);
    std::erase_if(aside_, [&](const auto& one) { return one.file.parent_path() == folder; });
  }
  if (messages > 0) warn_(cat(why, ": messages that waited for the one before are given up (", std::to_string(messages), ")"));
  return messages;
}

std::uint64_t Leftovers::bytes_of_others() const {
  std::uint64_t out = 0;
  for (const auto& other : others_) out += other.bytes;
  return out;
}

std::uint64_t Leftovers::keep_within(std::uint64_t wanted, std::uint64_t most) {
  const auto others = bytes_of_others();
  std::uint64_t bytes = 0, gone = 0;
  for (const auto& one : aside_) bytes += one.bytes;
  for (; !aside_.empty() && wanted + others + bytes > most; aside_.pop_front()) {
    bytes -= aside_.front().bytes;
    if (const auto removed = picket::remove_file(aside_.front().file)) ++gone;
    else warn_(cat(removed.error().message, ": tried again after the next start"));
  }
  if (gone > 0) warn_(cat("what waits needs the room (outbox_mb): files that were put aside as *.damaged are removed (", std::to_string(gone), ")"));
  return others + bytes;
}

Leftovers::Room Leftovers::make_room(std::uint64_t wanted, std::uint64_t most) {
  auto left = keep_within(wanted, most);
  Room out;
  while (!others_.empty() && wanted <= most && wanted + bytes_of_others() > most) {
    left -= others_.front().bytes;
    out.given_up += give_up(1, "what waits for this KSN needs the room (outbox_mb)");
  }
  out.bytes = most - std::min(most, left);
  return out;
}

}  // namespace ksn_proxy
