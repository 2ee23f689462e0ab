// What the administrator says: verdicts that beat KSN's, and objects that are never asked. Immutable once made.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "key.hpp"
#include "settings.hpp"

namespace ksn_client {

class LocalLists {
 public:
  // Settings and the files that they name: lines "object,verdict[,threat[,category]]", '#' begins a comment. The error names file and line.
  [[nodiscard]] static Result<LocalLists> make(const Settings& settings);

  struct Said {
    bool excluded = false;
    v1::Facts facts;
    std::size_t which = 0;  // of the keys
  };
  // Of the first key about which something is said.
  [[nodiscard]] std::optional<Said> find(std::span<const Key> keys) const;
  [[nodiscard]] bool empty() const { return verdicts_.empty() && excluded_.empty(); }
  [[nodiscard]] std::size_t size() const { return verdicts_.size() + excluded_.size(); }

 private:
  [[nodiscard]] Result<> add(const LocalEntry& entry);
  [[nodiscard]] Result<> add_file(const std::string& path);

  std::unordered_map<Key, v1::Facts, KeyHash> verdicts_;
  std::unordered_set<Key, KeyHash> excluded_;
};

}  // namespace ksn_client
