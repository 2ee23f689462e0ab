// A set of rules, compiled. Immutable and shared: scans that run keep theirs while a newer one takes over.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "failure.hpp"

struct YR_RULES;

namespace scanner {

// The names of the variables that rules may use; each scan of a file defines them anew.
inline constexpr const char* kExternals[] = {"filename", "filepath", "extension", "filetype", "owner", "md5"};

[[nodiscard]] std::string yara_error(int code);

class Rules {
 public:
  struct Options {
    bool tolerate_broken_files = false;
    const std::atomic<bool>* cancelled = nullptr;  // looked at between files
  };
  // All *.yar and *.yara below the folder, each file in a namespace of its own; or the one *.yarc. Takes seconds for thousands of rules.
  [[nodiscard]] static Outcome<std::shared_ptr<const Rules>> load(const std::string& folder, const Options& options);
  ~Rules();
  Rules(const Rules&) = delete;
  Rules& operator=(const Rules&) = delete;

  [[nodiscard]] YR_RULES* get() const { return rules_; }  // libyara's scanners take no const, but only read
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] const std::string& note() const { return note_; }  // what was left out, empty when nothing

 private:
  explicit Rules(YR_RULES* rules);
  YR_RULES* rules_;
  std::uint64_t count_ = 0;
  std::string note_;
};

}  // namespace scanner
