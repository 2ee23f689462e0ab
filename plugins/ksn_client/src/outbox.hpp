// What extended mode sends besides questions: statistics on a schedule, files or parts of them that the service asked for. Kept over restarts,
// bounded, nothing twice. Any thread; it waits for the disk, so not on the plugin's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "keep.hpp"
#include "local_lists.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "settings.hpp"

namespace ksn_client {

class Outbox {
 public:
  struct Limits {
    bool extended = false;
    std::chrono::hours period{24};
    std::vector<std::string> kinds;
    std::uint64_t most_bytes = 0, most_bytes_per_day = 0;
    std::shared_ptr<const LocalLists> local{};  // what KSN is not asked about is not sent to it
    bool operator==(const Limits&) const = default;
  };
  static constexpr std::size_t kMostStatistics = 30, kMostWishes = 256, kMostDone = 4096, kMostPaths = 8192;
  // Of the records of all KSNs that were set before, of the 4 MB that the plugin may keep: what waits has two at most, with the longest paths.
  static constexpr std::size_t kMostAsideBytes = 2u << 20;
  static constexpr std::int64_t kKeepSeconds = 600;  // a crash loses at most so much of what was counted

  // What is kept is read here. A damaged record is dropped with one line; where it cannot be read now, nothing is kept over it before read() or clear().
  // `warn`: why a file that KSN wishes for is not sent though it could be, and what is given up; not under a lock of the outbox.
  using Warn = std::function<void(std::string_view)>;
  Outbox(Keep keep, std::string& told, Warn warn = {});
  // Again, where it could not be read: before use(). An error: it still cannot.
  [[nodiscard]] Result<> read(std::string& told);
  [[nodiscard]] bool is_read() const { return is_read_; }  // waits for nobody
  // The counters' sums since the start.
  using Sums = std::map<std::string, std::uint64_t>;
  // `sums`: as they are now. What was counted while extended mode was not in force is in no statistics, and leaving it clears.
  void use(Limits limits, const Sums& sums, std::int64_t now);

  // The ids of the keys whose answers count. What waits for a KSN that has none of them is put aside: no other gets it. It is back with one of its keys,
  // should the settings go back before another KSN has taken something, however many were set meanwhile; where there is no room for all of them, the one
  // that was left first is given up. Says how much was put aside, and then takes and gives nothing before use() is called again.
  std::size_t belong_to(std::vector<std::string> ksn, const Sums& sums = {});

  // Where a file lies that was asked about: so a wish for it can be fulfilled.
  void seen(std::string_view digest, std::string_view path);
  // True: something new waits.
  bool wish(const v1::Wish& wish);
  // What was counted since the last time is kept every kKeepSeconds, and waits to be sent when a period is over.
  void counted(const Sums& sums, std::int64_t now);
  // At the end of a run.
  void keep_counted(const Sums& sums);
  [[nodiscard]] std::int64_t counts_at() const;  // when counted() has something to do again; 0: never

  // The next message, without its asker; nullopt: nothing. The same one again until `sent`, `given_up` or `failed`.
  struct Message {
    std::string path;                 // "/ksn/v1/statistics", "/ksn/v1/content"
    v1::StatisticsRequest statistics;
    v1::ContentRequest content;
    std::uint64_t emptied = 0;        // how often all had been thrown away or put aside before
    [[nodiscard]] bool is_content() const { return path == "/ksn/v1/content"; }
  };
  [[nodiscard]] std::optional<Message> next(bool statistics_permitted, bool content_permitted, std::int64_t now);
  // What next() would give, without a file's bytes: as many zeros stand for them. Nothing is read, and nothing changes.
  [[nodiscard]] std::optional<Message> look(bool statistics_permitted, bool content_permitted, std::int64_t now) const;
  void sent(const Message& message, const v1::ContentReply* reply, std::int64_t now);
  void given_up(const Message& message);  // nobody wants it, or it is not there any more
  void failed(const Message& message);    // it may be this file that does not pass: the others come first
  // All was thrown away or put aside since next() gave it: it must not go any more, and what became of it counts no more.
  [[nodiscard]] bool is_void(const Message& message) const;

  [[nodiscard]] std::size_t waiting() const;
  // Throws everything away, says how many, and takes and gives nothing before use() is called again.
  std::size_t clear();

 private:
  struct Part {
    std::string digest;
    std::uint64_t first = 0, bytes = 0;  // 0: to its end
    bool operator==(const Part&) const = default;
    [[nodiscard]] bool holds(const Part& other) const;
    [[nodiscard]] std::string text() const;  // DIGEST:FIRST:BYTES
    [[nodiscard]] static std::optional<Part> of(std::string_view text);
  };
  struct Wish {
    Part part;
    std::string type;
    std::uint64_t held = 0;
    bool asked_held = false;
    picket::FileStamp file{};  // as it was when its digest was right: another one under its path is not sent
  };
  struct Read {
    v1::ContentRequest request;
    picket::FileStamp file;
  };
  struct Known {
    std::string path;
    std::uint64_t turn = 0;
  };
  // Reads the file, which may take a while: not under the lock. nullopt: it is not sent.
  // `only_look`: neither its digest is made nor its bytes read, nor is a word said.
  [[nodiscard]] std::optional<Read> read(const Wish& wish, const std::string& path, const Limits& limits, bool only_look = false) const;
  [[nodiscard]] std::string path_of(const Wish& wish) const;  // under the lock
  [[nodiscard]] bool add(const Sums& sums);  // false: nothing new
  [[nodiscard]] bool is_first(const v1::ContentRequest& content) const;
  void first_is_done();
  void say_given_up(std::string_view what, const std::deque<std::string>& records) const;  // not under the lock
  std::size_t empty();
  void forget();
  void note_sent(const Message& message, const v1::ContentReply* reply, std::int64_t now);
  // All that waits for one KSN, as it is kept, with what is put aside; taken up where nothing waits.
  [[nodiscard]] std::string record(const std::deque<std::string>& aside) const;
  [[nodiscard]] Result<> take_up(const std::string& record);
  [[nodiscard]] static std::size_t size_within(const std::string& record);  // what it takes where it lies in another
  [[nodiscard]] static std::size_t waiting_in(const std::deque<std::string>& records);  // statistics and files
  std::size_t belong_to(std::vector<std::string> ksn, const Sums& sums, std::unique_lock<std::mutex> lock);
  [[nodiscard]] std::deque<std::string> put_aside(const std::vector<std::string>& ksn);
  void save();

  mutable std::mutex mutex_;
  const Keep keep_;
  const Warn warn_;
  Limits limits_;
  std::vector<std::string> ksn_;   // the ids of its keys; none: not known yet
  std::deque<std::string> aside_;  // the records of KSNs that were set before, the one left last at the end
  std::deque<v1::StatisticsRequest> statistics_;
  Sums last_sums_;       // of this run
  Sums period_counted_;  // in this period, up to last_sums_; of earlier runs too
  std::int64_t period_began_ = 0, kept_at_ = 0;
  bool unsaved_ = false;
  std::atomic<bool> is_read_ = false;  // changes under the lock
  std::uint64_t emptied_ = 0;  // how often all was thrown away or put aside
  std::deque<Wish> wishes_;
  std::deque<Part> done_;     // sent, or not wanted when it was offered
  std::deque<Part> refused_;  // policy, or another file lies there: not looked at again before policy changes or a restart
  std::map<std::string, Known, std::less<>> paths_;
  std::uint64_t turn_ = 0;
  std::int64_t day_ = 0;
  std::uint64_t day_bytes_ = 0;
};

}  // namespace ksn_client
