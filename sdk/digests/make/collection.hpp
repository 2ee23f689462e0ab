// What a publisher knows, on its way into a database. Not for several threads. Holds 40 bytes a digest, and each name once.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "digests/digests.hpp"

namespace picket::digests {

class Collection {
 public:
  // Texts become valid UTF-8 of one line and bounded length. Code::too_large: more digests or names than a database holds.
  [[nodiscard]] Result<> add(const Sha256& digest, Verdict verdict, std::string_view category, std::string_view name);

  struct Written {
    Counts counts;                  // in the file
    std::uint64_t repeated = 0;     // said more than once with one verdict
    std::uint64_t in_conflict = 0;  // said with several: the stricter one is taken
    std::uint64_t left_out = 0;     // light: trusted ones
    std::uint64_t bytes = 0;
  };
  void for_each(const std::function<void(const Sha256&)>& visit) const;
  // The same content gives the same bytes, in whatever order it was added. The file is there as a whole or not at all. To be called once.
  [[nodiscard]] Result<Written> write_full(const std::filesystem::path& path);
  [[nodiscard]] Result<Written> write_light(const std::filesystem::path& path);

 private:
  struct Entry {
    Verdict verdict = Verdict::unknown;
    std::string category, name;
    auto operator<=>(const Entry&) const = default;
  };
  struct Record {
    Sha256 digest;
    std::uint32_t entry;
  };
  // Sorts, leaves one record a digest, and only entries that are used.
  void settle();
  [[nodiscard]] bool is_trusted(const Record& record) const { return entries_[record.entry].verdict == Verdict::trusted; }

  std::map<Entry, std::uint32_t> numbers_;
  std::vector<Entry> entries_;
  std::vector<Record> records_;
  Written known_;  // what settle() found, of all verdicts
};

}  // namespace picket::digests
