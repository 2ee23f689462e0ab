// Reads what is stored again, a portion at a time, and takes out what is no longer what was stored: a bit that flips on the disk would else be
// served until a newer release comes, and every device would fetch it in vain. What is taken out, the next download brings again.
// On the thread that has the store.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "store.hpp"

namespace distribution_point {

class Scrub {
 public:
  // Where the last portion ended is kept in the folder: a large store is read to its end even if the point is restarted often.
  explicit Scrub(Store& store) : store_(store) {}

  struct Portion {
    std::uint64_t bytes = 0;             // read
    std::vector<std::string> damaged;    // taken out: "db/full/HASH.12.tar.zst", "sets/7/metadata/timestamp.json"
    bool is_round_over = false;          // everything was read once; the next portion begins anew
  };
  // Whole files, until they have so many bytes together, or until `stop` says so; at most one round.
  [[nodiscard]] Portion read(std::uint64_t bytes, const std::function<bool()>& stop = {});
  void begin_anew();

 private:
  Store& store_;
};

// Per minute, so that a store of this size is read within the interval: small ones at once, large ones in even portions.
[[nodiscard]] std::uint64_t portion_of(std::uint64_t stored_bytes, std::chrono::seconds interval);

}  // namespace distribution_point
