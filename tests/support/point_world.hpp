// For tests of the distribution point: an upstream in memory, and a client that takes nothing on trust.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "mirror.hpp"
#include "support/update_repository.hpp"

namespace picket::support {

// Serves what the repository holds, by several roads that may each be in trouble.
class MapUpstream : public ::distribution_point::Upstream {
 public:
  std::map<std::string, std::string> files;       // "metadata/timestamp.json", "targets/..."
  std::string root;
  std::vector<::distribution_point::Road> roads_list{{.name = "a", .plugin = "plugin.a", .location = "x", .options_json = "{}"}};
  std::vector<::distribution_point::AgentWish> agent;
  std::vector<::distribution_point::Roads::Declined> declined;
  std::vector<::distribution_point::ComponentVariant> wanted;   // as the mirror said last
  std::size_t chunk = 16'384;
  std::uint64_t sent = 0;                         // bytes of targets
  std::map<std::string, unsigned> asked;
  std::vector<std::string> reports;               // "a", "a: what it failed of"
  std::map<std::string, std::string> points;      // road -> the point that answers there
  bool knows_limits = true;                       // else all comes, however little was asked for
  // Called for each request; an error is what the source says. `bytes` may be changed.
  std::function<Result<>(const std::string& road, const std::string& path, std::string& bytes)> trouble;
  std::function<void(std::string_view path, std::uint64_t sent)> on_chunk;

  void take(const UpdateRepository& repository) {
    files.clear();
    for (const auto& [name, bytes] : repository.tuf.files) files[cat("metadata/", name)] = bytes;
    for (const auto& [name, bytes] : repository.tuf.targets) files[cat("targets/", name)] = bytes;
    root = repository.tuf.first_root();
  }
  Result<::distribution_point::Roads> roads(std::uint64_t) override { return ::distribution_point::Roads{roads_list, root, declined}; }
  Result<std::vector<::distribution_point::AgentWish>> agent_demand() override { return agent; }
  void wants(std::vector<::distribution_point::ComponentVariant> all) override { wanted = std::move(all); }
  Result<Got> fetch(const ::distribution_point::Road& road, std::string_view path, std::uint64_t offset, std::uint64_t max_bytes, const Sink& sink) override {
    const std::string name(path);
    ++asked[name];
    const auto found = files.find(name);
    std::string bytes = found == files.end() ? std::string() : found->second;
    if (trouble) PICKET_TRY(trouble(road.name, name, bytes));
    if (found == files.end()) return fail(Code::not_found, "no such file");
    const auto part = std::string_view(bytes).substr(std::min<std::size_t>(offset, bytes.size())).substr(0, knows_limits ? max_bytes : std::string::npos);
    for (std::size_t at = 0; at < part.size(); at += chunk) {
      if (on_chunk) on_chunk(path, at);
      const auto piece = part.substr(at, chunk);
      if (name.starts_with("targets/")) sent += piece.size();
      PICKET_TRY(sink(piece));
    }
    const auto point = points.find(road.name);
    return Got{part.size(), offset, point == points.end() ? std::string() : point->second};
  }
  void report(const ::distribution_point::Road& road, const Error* error) override { reports.push_back(error == nullptr ? road.name : cat(road.name, ": ", error->message)); }
};

// What a client that comes with the first root gets to see through `read` ("metadata/...", "targets/..."): the newest release of the
// component whose metadata and file are whole and signed.
class CheckingClient : private trust::Fetcher {
 public:
  using Read = std::function<Result<std::string>(const std::string& path)>;
  CheckingClient(std::filesystem::path folder, std::string root, Read read, std::function<trust::UnixTime()> now = [] { return TufRepo::start + 3600; })
      : folder_(std::move(folder)), root_(std::move(root)), read_(std::move(read)), now_(std::move(now)) {}

  [[nodiscard]] Result<std::int64_t> newest(const std::string& component) {
    std::filesystem::create_directories(folder_);
    trust::ClientOptions options;
    options.metadata_dir = folder_;
    options.pinned_root = root_;
    options.now = now_;
    PICKET_LET(client, trust::Client::open(std::move(options), *this));
    PICKET_TRY(client->refresh());
    PICKET_LET(targets, client->targets_of(component));
    const trust::Target* best = nullptr;
    std::int64_t release = 0;
    for (const auto& target : targets)
      if (const auto parsed = trust::parse_release(target); parsed && parsed->release > release) {
        release = parsed->release;
        best = &target;
      }
    if (best == nullptr) return fail(Code::not_found, "no release");
    PICKET_LET(bytes, read_(cat("targets/", trust::consistent_target_path(best->path, best->file.hashes.at("sha256")))));
    PICKET_TRY(trust::verify_file(best->path, bytes, {0, best->file.length, best->file.hashes}));
    return release;
  }

 private:
  Result<std::string> fetch_metadata(std::string_view path, std::uint64_t) override { return read_(cat("metadata/", path)); }
  std::filesystem::path folder_;
  std::string root_;
  Read read_;
  std::function<trust::UnixTime()> now_;
};

[[nodiscard]] inline CheckingClient::Read read_folder(const std::filesystem::path& folder) {
  return [folder](const std::string& path) { return read_file(folder / path, 1u << 30); };
}

}  // namespace picket::support
