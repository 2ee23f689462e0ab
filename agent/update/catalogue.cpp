#include "update/catalogue.hpp"

#include "base/files.hpp"
#include "trust/client/disk.hpp"

namespace picket::update {

// The client is made once per run, sources change under it.
class Catalogue::Switchable : public trust::Fetcher {
 public:
  Result<std::string> fetch_metadata(std::string_view path, std::uint64_t max_bytes) override {
    if (source == nullptr) return fail(Code::unavailable, "no source");
    return source->fetch_metadata(path, max_bytes);
  }
  SourceReader* source = nullptr;
};

// Lets a test stop before each change of the trusted metadata.
class Catalogue::TellingDisk : public trust::RealDisk {
 public:
  explicit TellingDisk(Steps steps) : steps_(std::move(steps)) {}
  Result<> write(std::span<const NewFile> files) override {
    steps_("metadata.write");
    return RealDisk::write(files);
  }
  Result<> remove(const std::filesystem::path& file) override {
    steps_("metadata.remove");
    return RealDisk::remove(file);
  }

 private:
  Steps steps_;
};

Result<std::unique_ptr<Catalogue>> Catalogue::open(const Where& where, const core::Clock& clock, Explain& explain, const Steps& steps) {
  auto out = std::unique_ptr<Catalogue>(new Catalogue(explain));
  out->fetcher_ = std::make_unique<Switchable>();
  out->disk_ = std::make_unique<TellingDisk>(steps);
  auto root = read_file(where.root_file, trust::Limits{}.root_bytes);
  if (!root) return fail(std::move(root).error(), "the initial root of trust");
  // Found out by the first source, it would look like its fault.
  if (auto good = trust::Metadata<trust::Root>::parse(*root); !good) return fail(std::move(good).error(), cat("the initial root of trust, ", where.root_file.native()));
  PICKET_TRY(make_folders(where.metadata_dir, 0700));
  trust::ClientOptions options;
  options.metadata_dir = where.metadata_dir;
  options.high_water_file = where.high_water_file;
  options.now = [&clock] { return clock.wall_seconds(); };
  options.event = [&explain](std::string_view what) { explain.say({.file = "metadata"}, what); };
  options.disk = out->disk_.get();
  options.pinned_root = std::move(*root);
  PICKET_LET(client, trust::Client::open(std::move(options), *out->fetcher_));
  out->client_ = std::move(client);
  return out;
}

Catalogue::Catalogue(Explain& explain) : explain_(explain) {}
Catalogue::~Catalogue() = default;

Result<> Catalogue::refresh(SourceReader& source) {
  fetcher_->source = &source;
  auto done = client_->refresh();
  if (done) {
    const auto versions = client_->versions();
    explain_.say({.source = source.source().name, .file = "metadata"},
                 cat("verified: root ", std::to_string(versions.root), ", timestamp ", std::to_string(versions.timestamp), ", snapshot ",
                     std::to_string(versions.snapshot), ", targets ", std::to_string(versions.targets), ", valid until ", trust::format_time(versions.timestamp_expires)));
    return {};
  }
  auto error = std::move(done).error();
  if (error.code == Code::untrusted && error.message.find("version fell") != error.message.npos) error = std::move(error).context("older than what is known");
  return fail(std::move(error));
}

Result<> Catalogue::load() {
  fetcher_->source = nullptr;
  return client_->load_local();
}

Result<Catalogue::Offer> Catalogue::offer_through(const std::string& component, SourceReader* source) {
  fetcher_->source = source;
  auto targets = client_->targets_of(component);
  if (!targets) {
    if (targets.error().code == Code::not_found) return fail(Code::not_found, cat("the repository offers no component ", component));
    return fail(std::move(targets).error());
  }
  Offer out;
  for (const auto& target : *targets) {
    auto release = trust::parse_release(target);
    if (!release) {
      if (auto delta = trust::parse_delta(target)) {
        out.deltas.push_back(std::move(*delta));
        continue;
      }
      explain_.say({.component = component, .file = target.path}, cat("passed over: ", release.error().message));
      continue;
    }
    if (release->component != component) {
      explain_.say({.component = component, .file = target.path}, cat("passed over: says that it is a release of ", release->component));
      continue;
    }
    out.releases.push_back(std::move(*release));
  }
  return out;
}

std::string Catalogue::path_of(const std::string& path, const std::map<std::string, std::string>& hashes) const {
  if (!client_->versions().consistent_snapshot) return path;
  return trust::consistent_target_path(path, Wanted{path, 0, hashes}.key());
}

}  // namespace picket::update
