// Files on their way: <folder>/<digest>.part while they arrive, <folder>/<digest> once verified. What is verified is never fetched again, what
// arrived is not asked for again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "core/cancel.hpp"
#include "update/source_reader.hpp"
#include "update/steps.hpp"

namespace picket::update {

// What is signed about a file.
struct Wanted {
  std::string path;       // as the repository names it, below targets/
  std::uint64_t length = 0;
  std::map<std::string, std::string> hashes;  // algorithm -> lower hex

  [[nodiscard]] const std::string& key() const;  // the strongest common name: sha256, else sha512
};

class Downloads {
 public:
  using Progress = std::function<void(std::uint64_t done)>;

  [[nodiscard]] static Result<Downloads> open(std::filesystem::path folder, Steps steps);

  // The verified file, if it is here; its bytes are read again, since a disk can forget. A damaged one is thrown away.
  [[nodiscard]] Result<std::filesystem::path> find(const Wanted& wanted, const core::CancelToken& cancel);
  // How much of it has arrived, verified or not.
  [[nodiscard]] std::uint64_t have(const Wanted& wanted) const;

  struct Outcome {
    std::filesystem::path file;
    std::uint64_t resumed_at = 0;
    bool began_anew = false;   // what lay here or came could not be used
    std::string from;
  };
  // Brings it from one source, going on where an earlier attempt ended. On failure what arrived stays for the next attempt, unless it is
  // proven wrong. Code::untrusted: this source has another file there. `ours` says that the failure is this computer's, not the source's.
  [[nodiscard]] Result<Outcome> fetch(const Wanted& wanted, SourceReader& reader, const Progress& progress, const core::CancelToken& cancel, bool& ours);

  [[nodiscard]] Result<> remove(const Wanted& wanted);
  // All but these keys; returns how many files went.
  std::size_t remove_others(const std::set<std::string, std::less<>>& keys);

 private:
  Downloads(std::filesystem::path folder, Steps steps) : folder_(std::move(folder)), steps_(std::move(steps)) {}
  [[nodiscard]] std::filesystem::path whole(const Wanted& wanted) const { return folder_ / wanted.key(); }
  [[nodiscard]] std::filesystem::path part(const Wanted& wanted) const { return folder_ / (wanted.key() + ".part"); }
  struct Blame {
    bool ours = true;           // until the source is asked
    bool resumed_wrong = false; // what came does not fit what lay here
  };
  [[nodiscard]] Result<Outcome> attempt(const Wanted& wanted, SourceReader& reader, const Progress& progress, const core::CancelToken& cancel, Blame& blame);

  std::filesystem::path folder_;
  Steps steps_;
};

}  // namespace picket::update
