// What extended mode sends besides questions: statistics on a schedule, files or parts of them that the service asked for. Kept over restarts,
// bounded, nothing twice. Any thread; it waits for the disk, so not on the plugin's.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "keep.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "settings.hpp"

namespace ksn_client {

// "executable", "script", "archive", "document"; empty: none of these. By the first bytes.
[[nodiscard]] std::string_view kind_of_content(std::string_view head);

class Outbox {
 public:
  struct Limits {
    bool extended = false;
    std::chrono::hours period{24};
    std::vector<std::string> kinds;
    std::uint64_t most_bytes = 0, most_bytes_per_day = 0;
  };
  static constexpr std::size_t kMostStatistics = 30, kMostWishes = 256, kMostDone = 4096, kMostPaths = 8192;

  // What is kept is read here. A record that cannot be read is dropped with one line.
  Outbox(Keep keep, std::string& told);
  void use(Limits limits, std::int64_t now);

  // Where a file lies that was asked about: so a wish for it can be fulfilled.
  void seen(std::string_view digest, std::string_view path);
  // True: something new waits.
  bool wish(const v1::Wish& wish);
  // The counters' sums since the start; the difference to the last time is sent when a period is over.
  using Sums = std::map<std::string, std::uint64_t>;
  void counted(const Sums& sums, std::int64_t now);
  // At the end of a run: else a computer that is off when its period ends would have nothing to say of it.
  void keep_counted(const Sums& sums);
  [[nodiscard]] std::int64_t next_statistics() const;

  // The next message, without its asker; nullopt: nothing. The same one again until `sent` or `given_up`.
  struct Message {
    std::string path;                 // "/ksn/v1/statistics", "/ksn/v1/content"
    v1::StatisticsRequest statistics;
    v1::ContentRequest content;
    [[nodiscard]] bool is_content() const { return path == "/ksn/v1/content"; }
  };
  [[nodiscard]] std::optional<Message> next(bool statistics_permitted, bool content_permitted, std::int64_t now);
  void sent(const Message& message, const v1::ContentReply* reply, std::int64_t now);
  void given_up(const Message& message);  // nobody wants it, or it is not there any more

  [[nodiscard]] std::size_t waiting() const;
  std::size_t clear();  // thrown away: how many

 private:
  struct Wish {
    std::string digest, type;
    std::uint64_t first = 0, bytes = 0, held = 0;
    bool asked_held = false;
  };
  struct Known {
    std::string path;
    std::uint64_t turn = 0;
  };
  // Reads the file, which may take a while: not under the lock.
  [[nodiscard]] static std::optional<v1::ContentRequest> part_of(const Wish& wish, const std::string& path, const Limits& limits);
  void add(const Sums& sums);
  void drop_front();
  void save();
  [[nodiscard]] static std::string name_of(std::string_view digest, std::uint64_t first, std::uint64_t bytes);

  mutable std::mutex mutex_;
  const Keep keep_;
  Limits limits_;
  std::deque<v1::StatisticsRequest> statistics_;
  Sums last_sums_;       // of this run
  Sums period_counted_;  // in this period, up to last_sums_; of earlier runs too
  std::int64_t period_began_ = 0;
  std::deque<Wish> wishes_;
  std::deque<std::string> done_order_;
  std::set<std::string> done_;
  std::map<std::string, Known, std::less<>> paths_;
  std::uint64_t turn_ = 0;
  std::int64_t day_ = 0;
  std::uint64_t day_bytes_ = 0;
};

}  // namespace ksn_client
