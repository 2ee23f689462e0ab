// All that is served: names that were read from the published sets, never from a request. What is not listed here does not exist, so
// no request can lead anywhere else. Immutable once loaded; shared by the server's threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"

namespace distribution_point {

struct Entry {
  std::filesystem::path file;
  std::uint64_t size = 0;
  std::int64_t modified = 0;
  std::string etag;            // with its quotes
  std::string validators;      // the ready lines "ETag: ...\r\nLast-Modified: ...\r\n"
  std::string packed;          // of metadata: the same with gzip, where that is worth it
  std::string packed_etag, packed_validators;
  bool changes = false;        // its name has no version, so the next set may hold other bytes under it
};

class Catalogue {
 public:
  // The regular files below metadata/ and targets/ of the set's folder. Code::not_found: no such folder.
  [[nodiscard]] static picket::Result<Catalogue> load(const std::filesystem::path& set);
  // Adds what `other` has and this one has not: an earlier set, whose clients are still on their way.
  void add_missing(const Catalogue& other);
  void leave_out(const std::string& path) { entries_.erase(path); }
  // Of what tells clients what is newest, that of `other` and no more: the names that change between sets, and which roots there are. Who was given a new
  // root and then a timestamp by its predecessor's keys would take it for a forgery.
  void take_newest(const Catalogue& other);
  // How the point that serves this names itself, to whoever asks for what changes (chain.hpp). Empty: it does not.
  void set_point(std::string header) { point_ = std::move(header); }
  [[nodiscard]] const std::string& point() const { return point_; }

  // "/metadata/timestamp.json"
  [[nodiscard]] const Entry* find(std::string_view path) const {
    const auto found = entries_.find(path);
    return found == entries_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
  std::string point_;
};

}  // namespace distribution_point
