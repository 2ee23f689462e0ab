// Bringing files and publishing them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/progress.hpp"
#include "mirror_run.hpp"

namespace distribution_point {
namespace {

using picket::Digest;
using picket::fail_errno;

// Below "targets/", each byte that is not plain percent-encoded: what sources are asked for.
std::string url_path(std::string_view path) { return cat("targets/", picket::percent_encoded(path, "/")); }

// All hashes of the known kinds at once.
class Hashes {
 public:
  explicit Hashes(const std::map<std::string, std::string>& expected) {
    for (const auto& [algorithm, hex] : expected)
      if (Digest::is_known(algorithm)) running_.emplace_back(Digest(algorithm), hex);
  }
  void update(std::string_view bytes) {
    for (auto& [digest, hex] : running_) digest.update(bytes);
  }
  [[nodiscard]] bool agree() {
    bool good = !running_.empty();
    for (auto& [digest, hex] : running_) good = digest.finish_hex() == hex && good;
    return good;
  }

 private:
  std::vector<std::pair<Digest, std::string>> running_;
};

}  // namespace

Result<> Mirror::fetch_all(Run& run) {
  for (std::size_t i = 0; i < run.needs.size();) {
    auto& need = run.needs[i];
    Result<> all;
    for (std::size_t f = 0; f < need.files.size();) {
      const auto& file = need.files[f];
      if (parts_.store.has(file.key, file.length)) {
        ++f;
        continue;
      }
      run.tell("fetch", file.path, picket::human_bytes(file.length));
      const auto before = run.done;
      all = fetch(run, file);
      run.done = before + (all ? file.length : 0);
      if (all) {
        ++f;
        run.result.set_files(run.result.files() + 1);
      } else if (f > 0 && is_hopeless(all.error().code)) {
        // Beside the newest release. A point that keeps fewer releases than this one lacks the older ones, for instance.
        if (!file.spares_only) miss(run, need.wish, cat("an older release: ", all.error().message), true);
        all = {};
        need.files.erase(need.files.begin() + static_cast<std::ptrdiff_t>(f));
      } else {
        break;
      }
    }
    if (all) {
      ++i;
      continue;
    }
    // What every source has wrong or lacks will not come by waiting; the others must not wait for it. All else ends the run, and the
    // set that is in force stays, as the next run goes on where this one ended.
    if (!is_hopeless(all.error().code)) return fail(std::move(all).error());
    const bool goes_on = need.go_on_without_the_newest();
    miss(run, need.wish, cat(goes_on ? cat("release ", std::to_string(need.release), " is served as long as the newer one is lacking: ") : "", all.error().message), true);
    if (!goes_on) run.needs.erase(run.needs.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return {};
}

Result<> Mirror::fetch(Run& run, const File& file) {
  return try_roads(run, file.path, [&](const Road& road) {
    auto done = fetch_from(run, road, file);
    // The bytes that lay here may be what is wrong: once more from the start.
    if (!done && done.error().code == Code::conflict) done = fetch_from(run, road, file);
    return done;
  });
}

Result<> Mirror::fetch_from(Run& run, const Road& road, const File& file) {
  const auto path = parts_.store.part(file.key);
  picket::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail_errno(cat("open ", path.native()));
  Hashes hashes(file.hashes);
  std::uint64_t have = 0;
  std::string buffer(1u << 16, '\0');
  while (have <= file.length) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0) return fail_errno(cat("read ", path.native()));
    if (got == 0) break;
    hashes.update({buffer.data(), static_cast<std::size_t>(got)});
    have += static_cast<std::uint64_t>(got);
  }
  const auto start_anew = [&](std::string_view why) -> Result<> {
    if (::ftruncate(fd.get(), 0) != 0) return fail_errno(cat("shorten ", path.native()));
    return fail(Code::conflict, cat(why, ": begun anew"));
  };
  if (have > file.length) return start_anew("more lies here than the file has");
  const std::uint64_t resumed_at = have;
  const auto before = run.done;
  auto told = std::chrono::steady_clock::now();
  if (have < file.length) {
    parts_.store.step("file.fetch");
    auto got = parts_.upstream.fetch(road, url_path(file.path), have, file.length - have, [&](std::string_view chunk) -> Result<> {
      if (run.cancelled) return fail(Code::cancelled, "cancelled");
      if (chunk.size() > file.length - have) return fail(Code::untrusted, "the source sends more than the file has");
      if (auto written = picket::write_all(fd.get(), chunk); !written) return written;
      hashes.update(chunk);
      have += chunk.size();
      run.target_bytes += chunk.size();
      run.done = before + have;
      if (const auto now = std::chrono::steady_clock::now(); now - told > std::chrono::milliseconds(200)) {
        told = now;
        run.tell("fetch", file.path, "");
      }
      return {};
    });
    if (!got) {
      if (resumed_at > 0 && got.error().code == Code::untrusted) return start_anew(got.error().message);
      return fail(std::move(got).error());  // what came stays for the next attempt
    }
    if (got->offset != resumed_at) return start_anew("the source cannot go on in the middle");
    if (have < file.length) return fail(Code::untrusted, cat("the source has only ", picket::human_bytes(have), " of ", picket::human_bytes(file.length)));
  }
  if (!hashes.agree()) {
    if (resumed_at > 0) return start_anew("what came does not fit what lay here");
    if (::ftruncate(fd.get(), 0) != 0) return fail_errno(cat("shorten ", path.native()));
    return fail(Code::untrusted, "its digest is wrong: not the file that was signed");
  }
  parts_.store.step("file.sync");
  if (::fsync(fd.get()) != 0) return fail_errno(cat("write ", path.native()));
  return parts_.store.keep(file.key);
}

// Clients come with the root they were installed with, which may be older than this agent's, and walk from there.
void Mirror::add_older_roots(Run& run, std::vector<Store::Metadata>& out) {
  const auto newest = run.client->versions().root, oldest_here = newest - static_cast<std::int64_t>(out.size()) + 1;
  for (auto version = std::max<std::int64_t>(1, newest - trust::Limits{}.root_rotations + 1); version < oldest_here; ++version) {
    const auto name = cat(std::to_string(version), ".root.json");
    auto bytes = picket::read_file(parts_.store.set_folder(parts_.store.published()) / "metadata" / name, trust::Limits{}.root_bytes);
    if (!bytes || !trust::is_root(*bytes, version)) bytes = run.fetcher->fetch_metadata(name, trust::Limits{}.root_bytes);
    if (bytes && trust::is_root(*bytes, version)) out.push_back({name, std::move(*bytes)});
    else if (bytes) parts_.log(cat(name, " is passed over: it is no root of that version"));
    else if (bytes.error().code != Code::not_found) parts_.log(cat(name, " is lacking until the next download: ", bytes.error().message));
    // else not everybody keeps the first ones
  }
}

Result<std::vector<Store::Metadata>> Mirror::metadata_of(Run& run) {
  // What the client verified, byte for byte as it came: of roots all from the one on that the agent was installed with, whatever the sources still have.
  PICKET_LET(verified, run.client->metadata_files(run.roles));
  std::vector<Store::Metadata> out;
  const auto take = [&](bool roots) {
    for (auto& file : verified)
      if (file.path.ends_with(".root.json") == roots) out.push_back({file.path, std::move(file.bytes)});
  };
  take(true);
  add_older_roots(run, out);
  take(false);
  out.insert(out.end(), run.kept_roles.begin(), run.kept_roles.end());
  if (auto held = trust::write_held_back(run.held); !run.held.empty() && held.size() <= trust::kMostHeldBack) out.push_back({std::string(trust::kHeldBackFile), std::move(held)});
  return out;
}

bool Mirror::is_published(const std::vector<Store::Metadata>& metadata, const std::vector<Store::Target>& targets) const {
  const auto set = parts_.store.published();
  if (set == 0) return false;
  const auto folder = parts_.store.set_folder(set);
  const auto current = Catalogue::load(folder);
  if (!current || current->size() != metadata.size() + targets.size()) return false;
  for (const auto& one : metadata) {
    const auto bytes = picket::read_file(folder / "metadata" / one.name, one.bytes.size());
    if (!bytes || *bytes != one.bytes) return false;
  }
  return std::ranges::all_of(targets, [&](const auto& one) { return parts_.store.is_linked(set, one); });
}

Result<> Mirror::publish(Run& run) {
  PICKET_LET(metadata, metadata_of(run));
  std::vector<Store::Target> targets;
  std::set<std::string> paths;
  for (const auto& need : run.needs)
    for (const auto& file : need.files)
      if (paths.insert(file.path).second) targets.push_back({file.path, file.key});
  const auto remember = [&] {
    served_.clear();
    unverified_.clear();
    for (const auto& need : run.needs) {
      served_[need.wish] = need.release;
      if (need.is_unverified) unverified_.insert(need.wish);
    }
  };
  if (is_published(metadata, targets)) {
    remember();
    follow(std::move(*run.follows));
    return {};
  }
  run.tell("publish", "", "");
  const auto before = parts_.store.published();
  PICKET_LET(set, parts_.store.build(metadata, targets));
  PICKET_LET(fresh, catalogue_of(set));
  // A server has many threads. First all of them know the new files and still name the old set, then all name the new one: whoever was told
  // of a file by one of them gets it from any other. So does the first set, before which there was none.
  Catalogue old;
  if (before != 0) {
    PICKET_LET(loaded, Catalogue::load(parts_.store.set_folder(before)));
    old = std::move(loaded);
  }
  auto both = fresh;
  both.take_newest(old);
  serve(std::move(both));
  PICKET_TRY(parts_.store.publish(set));
  followed_ = std::move(*run.follows);
  withdraw(fresh, set);
  serve(std::move(fresh));
  remember();
  run.result.set_published(true);
  return {};
}

}  // namespace distribution_point
