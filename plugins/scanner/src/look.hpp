// What was found in one file, until it is decided what that means.
#pragma once

#include <string>
#include <vector>

#include "digests/digests.hpp"
#include "judge.hpp"

namespace scanner {

struct Match {
  std::string rule, description;
  std::vector<std::string> tags;
};

struct Look {
  std::string path;              // printable
  bool is_exact_path = false;    // and the very name of the file
  std::vector<Match> matches;
  picket::digests::Sha256 digest{};
  bool has_digest = false;       // it was needed
  std::string category, threat;  // the database's words
  Evidence evidence;

  // About what it takes in memory.
  [[nodiscard]] std::size_t bytes() const {
    std::size_t out = sizeof(Look) + path.size() + category.size() + threat.size();
    for (const auto& match : matches) {
      out += sizeof(Match) + match.rule.size() + match.description.size();
      for (const auto& tag : match.tags) out += sizeof tag + tag.size();
    }
    return out;
  }
};

}  // namespace scanner
