// Messages that wait for the line, on disk: files that only grow, a checksum on each message, gone when all in them is delivered. A message
// that was taken survives kill -9 and a power cut. One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/result.hpp"

namespace ksn_proxy {

enum class MessageKind : std::uint8_t { statistics = 1, content = 2 };

struct Message {
  MessageKind kind = MessageKind::statistics;
  std::int64_t taken = 0;        // Unix seconds
  std::string body;
};

class Outbox {
 public:
  struct Limits {
    std::uint64_t bytes = 256u << 20;
    std::uint64_t segment_bytes = 4u << 20;  // a file is closed when it has so many
    int (*flush)(int fd) = nullptr;          // fdatasync; for tests another one, because no test can break a disk
  };
  struct Counters {
    std::uint64_t waiting = 0, waiting_bytes = 0;
    std::uint64_t damaged = 0, damaged_bytes = 0;  // places that could not be read, since the start
  };

  // Reads what is there; each whole message is shown once, oldest first. What is torn at the end of the last file was never promised to anybody and
  // is cut off; what is damaged elsewhere is counted, and put aside as NAME.damaged, for people only.
  [[nodiscard]] static picket::Result<Outbox> open(const std::filesystem::path& folder, Limits limits, const std::function<void(const Message&)>& show);
  Outbox(Outbox&&) = default;
  Outbox& operator=(Outbox&&) = default;

  // Of the files, when this message were in them too.
  [[nodiscard]] std::uint64_t bytes_with(const Message& message) const;
  void set_limit(std::uint64_t bytes) { limits_.bytes = bytes; }
  // In memory and in the file, not yet promised: sync() does that. Code::no_space: the bound, or the disk; nothing has changed then.
  [[nodiscard]] picket::Result<> append(const Message& message);
  // When it fails, all that was appended since the last time is gone again: after an error the kernel may forget what it could not write, and call the
  // next flush good.
  [[nodiscard]] picket::Result<> sync();

  // The oldest; nullopt: none. Code::io and untrusted: it cannot be read any more; drop() it.
  [[nodiscard]] picket::Result<std::optional<Message>> front() const;
  // The oldest is delivered, or given up. May be forgotten in a power cut: it is sent again then.
  [[nodiscard]] picket::Result<> drop();
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  struct Place {
    std::uint64_t sequence = 0, segment = 0, offset = 0;
    std::uint32_t size = 0;      // with its head
  };
  struct Segment {
    std::uint64_t number = 0, bytes = 0, left = 0;
  };
  Outbox(std::filesystem::path folder, Limits limits) : folder_(std::move(folder)), limits_(limits) {}
  [[nodiscard]] picket::Result<> load(const std::function<void(const Message&)>& show);
  [[nodiscard]] picket::Result<> load_segment(std::uint64_t number, bool is_last, std::uint64_t delivered, const std::function<void(const Message&)>& show);
  [[nodiscard]] std::filesystem::path file_of(std::uint64_t number) const;
  [[nodiscard]] picket::Result<> open_segment();
  void flush();
  void take_back();

  std::filesystem::path folder_;
  Limits limits_;
  std::deque<Place> places_;
  std::deque<Segment> segments_;             // with something in them; the last one may be open
  picket::UniqueFd out_;                     // the last segment
  picket::UniqueFd done_;                    // "delivered": the sequence numbers of what is done, appended
  std::uint64_t done_bytes_ = 0;
  std::uint64_t next_sequence_ = 1, next_segment_ = 1;
  std::size_t unsynced_ = 0;                 // of places_, at its end
  picket::Result<> flushed_;                 // since the last sync()
  Counters counters_;
};

}  // namespace ksn_proxy
