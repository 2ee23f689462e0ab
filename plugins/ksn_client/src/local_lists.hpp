// What the administrator says: verdicts that beat KSN's, and objects that are never asked. Immutable once made.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/files.hpp"
#include "key.hpp"
#include "objects.hpp"
#include "settings.hpp"

namespace ksn_client {

[[nodiscard]] std::vector<picket::FileStamp> stamps_of(const std::vector<std::string>& files);

class LocalLists {
 public:
  // Settings and the files that they name: lines "object,verdict[,threat[,category]]", '#' begins a comment. The error names file and line.
  // An object that nothing can match is left out and told in ignored(): the rest of the lists, and KSN, are worth more than its refusal.
  [[nodiscard]] static Result<LocalLists> make(const Settings& settings);

  struct Said {
    bool excluded = false;
    v1::Facts facts;
    std::size_t which = 0;  // of the keys
  };
  // Of the first key about which something is said.
  [[nodiscard]] std::optional<Said> find(std::span<const Key> keys) const;
  // The same, and of an address whose host is a number: of the narrowest range that it lies in.
  [[nodiscard]] std::optional<Said> find(const Asked& asked) const;
  [[nodiscard]] const std::string& ignored() const { return ignored_; }  // one line for people; empty: nothing was left out
  [[nodiscard]] bool empty() const { return verdicts_.empty() && excluded_.empty(); }

 private:
  [[nodiscard]] std::optional<Key> key_of_object(std::string_view text, std::string_view where);  // none: it is ignored
  [[nodiscard]] Result<> add(const LocalEntry& entry, std::string_view where);
  [[nodiscard]] Result<> add_file(const std::string& path);

  std::unordered_map<Key, v1::Facts, KeyHash> verdicts_;
  std::unordered_set<Key, KeyHash> excluded_;
  std::set<unsigned, std::greater<>> widths_;  // of the ranges among them, narrowest first
  std::string ignored_;
  std::size_t ignored_count_ = 0;
};

}  // namespace ksn_client
