// Who asked for what: the devices in scope, over the point's API. Bounded, in all and for each sender, and forgotten when a device is not heard of for long.
// Any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "address_range.hpp"
#include "announcement.hpp"
#include "base/result.hpp"
#include "record_log.hpp"

namespace distribution_point {

// Each wish is in the file before its device hears that it was accepted. The book's time passes only while a point runs: a wall clock that jumps makes
// nobody forgotten, and while it was off it could hear nobody. So `now` is of clock(): seconds that only grow, from anywhere.
//
// A name is no proof of who speaks, so a wish belongs to the name together with the address that it came from (of IPv6: its /64, all of which one computer may
// use). Another address that says the same name has a wish of its own beside it. A full book turns nobody away, or who invents names would lock the others
// out: those who never fetched a file give way first, those that were silent longest before others.
class DemandBook {
 public:
  static constexpr std::string_view kLost = "(a damaged record)";   // stands for devices whose wishes were lost; no device can be called so
  // A device that moved leaves its wish behind. Twice the time in which devices say theirs again, so two computers of one name both keep theirs.
  static constexpr std::chrono::hours kMovedLasts{24};
  [[nodiscard]] static std::int64_t clock();

  struct Limits {
    std::size_t devices = 10'000, of_one_address = 256;
    std::chrono::seconds lasts = std::chrono::hours(24 * 7);
  };
  explicit DemandBook(std::filesystem::path file, std::uint64_t most_bytes = RecordLog::kMostBytes) : log_(std::move(file), most_bytes) {}
  void set_limits(const Limits& limits);
  // Once, at first. False: there is no file, or records of it are lost; the others are kept.
  bool load(std::int64_t now);
  // After a load that was false: somebody's wishes are lost, so these count until all devices have had the time to say theirs again.
  void adopt(const std::set<ComponentVariant>& wants, std::int64_t now);
  // Now and then, and at the end: keeps the time, makes a long file short. The error is of what could not be written since; it is tried again.
  [[nodiscard]] picket::Result<> keep(std::int64_t now);

  // Replaces what this device said before from this address. After an error the device should say it again.
  [[nodiscard]] picket::Result<> announce(const picket::Address& from, Announcement announcement, std::int64_t now);
  // Somebody there was sent something. For each request: it does not wait for the disk.
  void note_fetch(const picket::Address& from);
  // Of all devices that are not forgotten: who wants it.
  [[nodiscard]] std::map<ComponentVariant, std::vector<std::string>> wants(std::int64_t now);

  struct Counts {
    std::size_t devices = 0, most = 0;   // a device that moved counts at both addresses
    std::uint64_t displaced = 0;         // since the start
  };
  [[nodiscard]] Counts counts() const;
  // Which limit is reached, or was within a day: one line with its setting. Empty: none.
  [[nodiscard]] std::string crowding(std::int64_t now);

 private:
  using Sender = std::array<std::uint8_t, 16>;   // all zero: not known, in the records of earlier versions
  struct Name {
    Sender from{};
    std::string device;
    auto operator<=>(const Name&) const = default;
  };
  struct Wish {
    std::set<ComponentVariant> wants;
    std::int64_t heard = 0, kept = 0;    // kept: `heard` as it is in the file
    bool fetched = false;
  };
  using Wishes = std::map<Name, Wish>;
  using Places = std::vector<Wishes::iterator>;
  struct Crowd {
    std::string text;
    std::int64_t until = 0;
  };
  [[nodiscard]] static Sender sender_of(const picket::Address& address);
  [[nodiscard]] static std::string record_of(const Name& name, const Wish& wish);
  [[nodiscard]] std::int64_t time(std::int64_t now);
  void forget_old(std::int64_t time);
  void take_record(std::string_view record);
  void take_fetches();
  [[nodiscard]] Places places();
  [[nodiscard]] Places places_of(const Sender& from);
  bool displace(Places from, std::size_t most);
  void make_room_at(const Sender& from, std::size_t for_more);
  void make_room(std::size_t for_more);
  void trim();
  [[nodiscard]] picket::Result<std::uint64_t> append(const std::string& record);
  [[nodiscard]] picket::Result<> rewrite();

  RecordLog log_;
  mutable std::mutex mutex_;             // of all but the fetches
  Wishes wishes_;
  Limits limits_;
  std::uint64_t displaced_ = 0;
  Crowd in_all_, at_one_address_;
  std::int64_t time_ = 0, kept_time_ = 0, last_now_ = 0;
  std::uint64_t short_size_ = 0;         // of the file when it was last written anew
  bool must_rewrite_ = false;
  picket::Result<> trouble_{};           // of the last attempt to write
  std::mutex fetches_mutex_;
  std::set<Sender> fetches_;             // since they were last taken
};

}  // namespace distribution_point
