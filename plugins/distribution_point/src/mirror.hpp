// One download, top to bottom, on the point's own thread: check -> plan -> fetch -> publish -> clean. What is published is whole, or what was
// published before stays.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "catalogue.hpp"
#include "chain.hpp"
#include "result.hpp"
#include "scrub.hpp"
#include "store.hpp"
#include "trust/client.hpp"
#include "trust/release.hpp"
#include "upstream.hpp"

namespace distribution_point {

// Who asked for it: "settings", "agent", ids of devices.
using Wishes = std::map<ComponentVariant, std::vector<std::string>>;

// What the published set holds, as somebody must have asked for it.
[[nodiscard]] std::set<ComponentVariant> published_wishes(const Store& store);

class Mirror {
 public:
  struct Parts {
    Store& store;
    Upstream& upstream;
    std::function<void(std::shared_ptr<const Catalogue>)> serve;   // returns when nobody is served from the one before any more
    std::function<std::int64_t()> now;
    std::function<void(std::string_view)> log;
    PointName self{};         // how this point names itself to who asks it; without an id: not at all
  };
  using Progress = std::function<void(const v1::DownloadProgress&)>;

  explicit Mirror(Parts parts) : parts_(std::move(parts)), self_(parts_.self) {}

  // Serves what was published before; at the start.
  [[nodiscard]] picket::Result<> serve_published();
  // `devices`: what they ask for. Leaves the union with the other wishes in `wishes`, with the releases served.
  // `id`: of this run. `is_ordered`: by somebody, who wants an attempt even where every source asked to be left alone.
  [[nodiscard]] v1::PointResult run(const MirrorSettings& settings, const Wishes& devices, const std::vector<std::string>& more, const Progress& progress,
                                    const std::atomic<bool>& cancelled, std::uint64_t id = 0, bool is_ordered = true);
  // Removes sets that nobody is on the way to any more. Also between runs.
  void clean(std::chrono::seconds grace);
  // Reads a portion of what is stored again (scrub.hpp). What is damaged is not served any more when this returns; the next run brings it again.
  [[nodiscard]] Scrub::Portion look_for_damage(std::uint64_t bytes, const std::function<bool()>& stop = {});
  // The same, all of it.
  [[nodiscard]] Scrub::Portion look_for_damage();

  [[nodiscard]] const Wishes& wishes() const { return wishes_; }
  [[nodiscard]] std::uint64_t release_of(const ComponentVariant& wish) const;
  // Served, although no verification of this agent tried it, while verifications decide about others.
  [[nodiscard]] bool is_unverified(const ComponentVariant& wish) const { return unverified_.contains(wish); }

 private:
  struct File {
    std::string path;                          // below targets/, as it is asked for
    std::string key;                           // sha256, else sha512
    std::uint64_t length = 0;
    std::map<std::string, std::string> hashes;
    bool spares_only = false;                  // a delta: without it clients fetch more, no less
    std::uint64_t release = 0;                 // that it is all of
  };
  class Fetcher;
  struct Run;

  [[nodiscard]] picket::Result<> choose_roads(Run& run);
  [[nodiscard]] picket::Result<> check(Run& run);
  // What the administrator wants first, then what the agent, then what most devices want.
  [[nodiscard]] std::pair<int, std::ptrdiff_t> importance_of(const ComponentVariant& wish) const;
  [[nodiscard]] std::vector<ComponentVariant> most_wanted() const;
  // What a source of the site holds back, as the point that this one follows, no one behind this one can have.
  void take_held_back(Run& run);
  [[nodiscard]] picket::Result<> plan(Run& run);
  [[nodiscard]] picket::Result<> plan_component(Run& run, const std::string& component);
  // Of the component's role, from the first road that has it right. Code::not_found: the repository offers no such component.
  [[nodiscard]] picket::Result<std::vector<picket::trust::Target>> targets_of(Run& run, const std::string& component);
  // What is served of a component whose metadata no road could give goes on being served. False: nothing is.
  bool keep_earlier(Run& run, const std::string& component);
  using Attempt = std::function<picket::Result<>(const Road& road)>;
  // With each road in turn, until one does it. The error names all of them, with the code that leaves most hope.
  [[nodiscard]] picket::Result<> try_roads(Run& run, std::string_view what, const Attempt& attempt);
  void add_deltas(const MirrorSettings& settings, const std::string& variant, const std::vector<picket::trust::Release>& releases,
                  const std::vector<picket::trust::Delta>& deltas, std::vector<File>& files) const;
  void fit_into_space(Run& run);
  [[nodiscard]] picket::Result<> fetch_all(Run& run);
  [[nodiscard]] picket::Result<> fetch(Run& run, const File& file);
  [[nodiscard]] picket::Result<> fetch_from(Run& run, const Road& road, const File& file);
  [[nodiscard]] picket::Result<> publish(Run& run);
  [[nodiscard]] picket::Result<std::vector<Store::Metadata>> metadata_of(Run& run);
  void add_older_roots(Run& run, std::vector<Store::Metadata>& out);
  [[nodiscard]] bool is_published(const std::vector<Store::Metadata>& metadata, const std::vector<Store::Target>& targets) const;
  void miss(Run& run, const ComponentVariant& wish, std::string_view why, bool counts);
  [[nodiscard]] picket::Result<Catalogue> catalogue_of(std::uint64_t set) const;
  void withdraw(Catalogue& catalogue, std::uint64_t set) const;
  void serve(Catalogue catalogue);
  // From here on this point tells that what it serves came through these.
  void follow(Chain chain);
  void serve_again();

  Parts parts_;
  PointName self_;
  Chain followed_;                                  // through which the published set came
  std::set<std::string> lead_back_;                 // roads whose point followed this one, when it was asked last
  Wishes wishes_;
  std::map<ComponentVariant, std::uint64_t> served_;
  std::set<ComponentVariant> unverified_;           // of those
  std::map<std::uint64_t, std::int64_t> retired_;   // set -> since when it is not in force
};

}  // namespace distribution_point
