// What the repository offers, as far as its signatures go.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "trust/client.hpp"
#include "trust/release.hpp"
#include "update/downloads.hpp"
#include "update/explain.hpp"
#include "update/source_reader.hpp"
#include "update/steps.hpp"

namespace picket::update {

// Lives for one run, so that the metadata take no memory between runs. All metadata of one repository, whichever source it comes through.
class Catalogue {
 public:
  struct Where {
    std::filesystem::path metadata_dir, high_water_file, root_file;
  };
  [[nodiscard]] static Result<std::unique_ptr<Catalogue>> open(const Where& where, const core::Clock& clock, Explain& explain, const Steps& steps);
  ~Catalogue();

  // Brings the metadata up to date through this source. An error is the source's fault unless its code is no_space.
  [[nodiscard]] Result<> refresh(SourceReader& source);
  // All that the repository offers something of. Code::unsupported: it does not list them.
  [[nodiscard]] Result<std::vector<std::string>> components() const { return client_->delegated_roles(); }
  struct Offer {
    std::vector<trust::Release> releases;
    std::vector<trust::Delta> deltas;
  };
  // What is offered of one component. May read its role through this source, whichever one the others came through: the snapshot says what is right.
  // Code::not_found: the repository offers no such component. Any other error is this source's, unless its code is no_space.
  [[nodiscard]] Result<Offer> offer_of(const std::string& component, SourceReader& source) { return offer_through(component, &source); }
  // Instead of refresh: what the last run stored, without a question to anybody. Code::expired, Code::not_found; of an offer Code::conflict when its role is not stored.
  [[nodiscard]] Result<> load();
  [[nodiscard]] Result<Offer> stored_offer_of(const std::string& component) { return offer_through(component, nullptr); }
  // The files that lead others to the same state, for these components, whose offers were read.
  [[nodiscard]] Result<std::vector<trust::MetadataFile>> metadata_files(const std::vector<std::string>& components) { return client_->metadata_files(components); }
  // How to ask any source for a release or a delta.
  template <class Target>
  [[nodiscard]] Wanted wanted(const Target& target) const {
    return {path_of(target.path, target.hashes), target.length, target.hashes};
  }

 private:
  [[nodiscard]] Result<Offer> offer_through(const std::string& component, SourceReader* source);
  [[nodiscard]] std::string path_of(const std::string& path, const std::map<std::string, std::string>& hashes) const;
  class Switchable;
  class TellingDisk;
  explicit Catalogue(Explain& explain);
  Explain& explain_;
  std::unique_ptr<Switchable> fetcher_;
  std::unique_ptr<TellingDisk> disk_;
  std::unique_ptr<trust::Client> client_;
};

}  // namespace picket::update
