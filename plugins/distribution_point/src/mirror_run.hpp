// What one run of the mirror works with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "mirror.hpp"
#include "trust/held_back.hpp"

namespace distribution_point {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
namespace trust = picket::trust;

// Whose wishes count for more than a device's.
inline constexpr std::string_view kOfSettings = "settings", kOfAgent = "agent";

// Metadata through the road that is being tried.
class Mirror::Fetcher : public picket::trust::Fetcher {
 public:
  Fetcher(Upstream& upstream, const std::atomic<bool>& cancelled, const PointName& self) : upstream_(upstream), cancelled_(cancelled), self_(self) {}
  picket::Result<std::string> fetch_metadata(std::string_view path, std::uint64_t max_bytes) override;
  const Road* road = nullptr;
  std::uint64_t bytes = 0;
  Chain chain;               // of the point that answered on that road, if one did
  std::string refused;       // why it must not be followed

 private:
  Upstream& upstream_;
  const std::atomic<bool>& cancelled_;
  const PointName& self_;
};

// Will not come by waiting: every source that was asked has it wrong or lacks it.
[[nodiscard]] inline bool is_hopeless(picket::Code code) {
  return code == picket::Code::untrusted || code == picket::Code::not_found || code == picket::Code::conflict;
}

// By which a file is stored. Empty: it has no hash of a known kind.
[[nodiscard]] inline std::string key_of(const std::map<std::string, std::string>& hashes) {
  auto key = hashes.find("sha256");
  if (key == hashes.end()) key = hashes.find("sha512");
  return key == hashes.end() ? std::string() : key->second;
}

struct Mirror::Run {
  const MirrorSettings& settings;
  const Progress& progress;
  const std::atomic<bool>& cancelled;
  const bool is_ordered;
  v1::PointResult result{};
  Roads roads{};
  std::unique_ptr<Fetcher> fetcher{};
  std::unique_ptr<picket::trust::Client> client{};
  std::optional<Chain> follows{};               // of the first road that counts

  // Per wish, in the order of importance: what it needs.
  struct Need {
    ComponentVariant wish;
    std::uint64_t release = 0;
    std::vector<File> files;                  // the newest release first
    bool is_unverified = false;               // this agent verifies others, but not this
    std::optional<File> at_hand{};            // the newest of the older releases whose file lies here
    // No source has the newest: what is here of the others is better than nothing. False: there is none.
    bool go_on_without_the_newest() {
      files.erase(files.begin());
      std::erase_if(files, [](const File& file) { return file.spares_only; });  // they lead to it
      if (files.empty() && at_hand) files.push_back(*std::exchange(at_hand, std::nullopt));
      release = files.empty() ? 0 : files.front().release;
      return !files.empty();
    }
  };
  std::vector<Need> needs{};
  std::vector<std::string> roles{};             // whose metadata is served
  picket::trust::HeldBack held{};               // which clients are told of
  std::vector<Store::Metadata> kept_roles{};    // an earlier version, of those whose metadata no road could give
  std::set<std::string> reported{};             // roads that failed in the middle
  std::string lack{};                           // the first of what is missing that counts
  std::size_t missing_bytes = 0, unnamed = 0;   // of what is missing: said, and not said any more
  std::uint64_t done = 0, total = 0, target_bytes = 0;

  // What a result tells must fit into one answer on the bus, with a status around it: devices may ask for anything, and texts of sources are long.
  static constexpr int kMostSteps = 100;
  static constexpr std::size_t kMostText = 400, kMostReason = 4 * 1024, kMostMissing = 24 * 1024;
  void say(std::string_view source, std::string_view text) {
    if (result.steps_size() >= kMostSteps) return;
    auto& step = *result.add_steps();
    step.set_source(std::string(source));
    step.set_text(std::string(picket::whole_characters(text, kMostText)));
  }
  void miss(std::string_view text, bool counts) {
    if (counts && lack.empty()) lack = text;
    auto line = std::string(picket::whole_characters(text, kMostText));
    // What devices ask for in vain must not crowd out what the administrator has to hear of, which is found out later.
    if (missing_bytes + line.size() > (counts ? kMostMissing : kMostMissing / 2)) return void(++unnamed);
    missing_bytes += line.size();
    result.add_missing(std::move(line));
  }
  void tell(std::string_view step, std::string_view file, std::string_view text) const {
    if (!progress) return;
    v1::DownloadProgress message;
    message.set_step(std::string(step));
    message.set_file(std::string(file));
    message.set_text(std::string(text));
    message.set_done(done);
    message.set_total(total);
    progress(message);
  }
};

}  // namespace distribution_point
