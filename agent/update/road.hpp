// Which bytes to fetch for a release: a delta, a chain of deltas, or the full file, whichever is fewer. A pure function: what it says is what
// `explain` shows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "trust/release.hpp"

namespace picket::update {

struct RoadQuestion {
  const trust::Release& wanted;
  const std::vector<trust::Release>& releases;   // what is offered of the component, any order
  const std::vector<trust::Delta>& deltas;       // the same
  std::string base_sha256;                       // content of the set in force; empty: none that is whole
  std::uint64_t arrived = 0;                     // of the full file, already here
  bool allowed = true;                           // by the settings
  std::size_t max_links = 4;
  std::uint64_t avoided = 0;                     // a release for which deltas have failed before; 0: none
};

struct Road {
  // In order, each with the release that it makes; empty: the full file, or nothing at all.
  struct Link {
    const trust::Delta* delta = nullptr;
    const trust::Release* makes = nullptr;
  };
  std::vector<Link> links;
  bool is_same = false;  // a set that is here has this content already: a release that was published again, or another component's
  std::filesystem::path set = {};  // where, if it is not the one in force
  std::uint64_t bytes = 0;
  std::string why;   // one line
};

[[nodiscard]] Road choose_road(const RoadQuestion& question);

}  // namespace picket::update
