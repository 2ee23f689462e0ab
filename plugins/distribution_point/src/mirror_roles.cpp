// What a component offers: its role, which any road may give, since the snapshot says what is right; and what stays of it while none gives it.
#include <algorithm>

#include "base/files.hpp"
#include "mirror_run.hpp"

namespace distribution_point {

namespace {

// Of each component whose role is among a set's metadata: what it signs, or nullptr where that is damaged.
void each_role(const std::filesystem::path& set, const std::function<void(const std::string& component, const trust::Targets* role)>& act) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(set / "metadata", error), end; !error && it != end; it.increment(error)) {
    // "7.yara-rules.json"
    auto name = it->path().stem().native();
    const auto dot = name.find('.');
    if (dot == name.npos || !trust::check_component_name(name.substr(dot + 1))) continue;
    name.erase(0, dot + 1);
    const auto bytes = picket::read_file(it->path(), trust::Limits{}.declared_bytes);
    const auto role = bytes ? trust::Metadata<trust::Targets>::parse(*bytes) : Result<trust::Metadata<trust::Targets>>(fail(bytes.error()));
    act(name, role ? &role->body : nullptr);
  }
}

}  // namespace

std::set<ComponentVariant> published_wishes(const Store& store) {
  std::set<ComponentVariant> out;
  const auto folder = store.set_folder(store.published());
  each_role(folder, [&](const std::string& component, const trust::Targets* role) {
    if (role == nullptr) return void(out.insert({component, "full"}));
    std::error_code error;
    for (const auto& [path, file] : role->targets) {
      const auto release = trust::parse_release({path, component, file});
      if (release && std::filesystem::exists(folder / "targets" / trust::consistent_target_path(path, key_of(file.hashes)), error)) out.insert({component, release->variant});
    }
  });
  return out;
}

// What the set holds back is not served from an earlier one either: a bad release that was taken back would spread for as long as the grace lasts.
// What leads through it to a newer one lies in the set itself, and stays.
void Mirror::withdraw(Catalogue& catalogue, std::uint64_t set) const {
  const auto folder = parts_.store.set_folder(set);
  const auto text = picket::read_file(folder / "metadata" / trust::kHeldBackFile, trust::kMostHeldBack);
  const auto held = text ? trust::parse_held_back(*text) : Result<trust::HeldBack>(fail(text.error()));
  if (!held) return;  // most hold nothing back
  each_role(folder, [&](const std::string& component, const trust::Targets* role) {
    if (role == nullptr || !held->contains(component)) return;
    std::error_code error;
    for (const auto& [path, file] : role->targets) {
      const auto release = trust::parse_release({path, component, file});
      const auto delta = trust::parse_delta({path, component, file});
      const auto stored = trust::consistent_target_path(path, key_of(file.hashes));
      if (trust::holds_back(*held, component, release ? release->release : delta ? delta->release : 0) && !std::filesystem::exists(folder / "targets" / stored, error))
        catalogue.leave_out(cat("/targets/", stored));
    }
  });
}

Result<> Mirror::try_roads(Run& run, std::string_view what, const Attempt& attempt) {
  picket::Error all{Code::unavailable, ""};
  for (const auto& road : run.roads.roads) {
    const bool is_first = all.message.empty();
    auto done = attempt(road);
    if (done) return done;
    auto& error = done.error();
    parts_.log(cat("source ", road.name, ": ", what, ": ", error.message));
    run.say(road.name, cat("failed: ", what, ": ", error.message));
    if (run.cancelled) return fail(Code::cancelled, "cancelled");
    if (error.code == Code::no_space) return fail(std::move(error), what);
    // Not for lacking a file, and once a run: it would else rest the longer, the more files there are.
    if (!is_hopeless(error.code) && run.reported.insert(road.name).second) parts_.upstream.report(road, &error);
    if (is_first || !is_hopeless(error.code)) all.code = error.code;
    all.message += cat(is_first ? "" : "; ", road.name, ": ", what, ": ", error.message);
  }
  return fail(all.message.empty() ? picket::Error{Code::unavailable, "no source"} : std::move(all));
}

Result<std::vector<trust::Target>> Mirror::targets_of(Run& run, const std::string& component) {
  Result<std::vector<trust::Target>> out;
  auto done = try_roads(run, component, [&](const Road& road) -> Result<> {
    run.fetcher->road = &road;
    out = run.client->targets_of(component);
    // Not found: so it is signed, and no other source can say else.
    if (!out && out.error().code != Code::not_found) return fail(picket::Error(out.error()));
    if (out && &road != &run.roads.roads.front()) run.say(road.name, cat("gave the metadata of ", component, ": the first of the sources that could"));
    return {};
  });
  run.fetcher->road = &run.roads.roads.front();
  PICKET_TRY(std::move(done));
  return out;
}

// Its metadata that were verified last go with the files, under their own version: for clients that came to an older snapshot, and to tell what was served.
bool Mirror::keep_earlier(Run& run, const std::string& component) {
  const bool is_verified = run.roads.are_verified(component);
  if (!is_verified && run.settings.hold_unverified) return false;
  const auto file = cat(trust::encode_role(component), ".json");
  auto bytes = picket::read_file(parts_.store.trusted_folder() / file, trust::Limits{}.declared_bytes);
  if (!bytes) return false;
  const auto role = trust::Metadata<trust::Targets>::parse(*bytes);
  if (!role) return false;
  const auto wish = std::ranges::find(wishes_, component, [](const auto& entry) { return entry.first.component; });
  // Release 0: whoever comes to the new snapshot finds no release of it here.
  Run::Need need{wish->first, 0, {}, !is_verified && run.roads.is_any_verified()};
  std::int64_t newest = 0;
  for (const auto& [path, target] : role->body.targets) {
    const auto key = key_of(target.hashes);
    if (key.empty() || !trust::check_target_path(path)) continue;
    const trust::Target named{path, component, target};
    const auto release = trust::parse_release(named);
    const auto delta = trust::parse_delta(named);
    const auto makes = release ? release->release : delta ? delta->release : 0;
    if (makes > 0 && run.roads.declines(component, static_cast<std::uint64_t>(makes))) {
      run.held[component].insert(makes);
      continue;
    }
    File one{trust::consistent_target_path(path, key), key, target.length, target.hashes, !release};
    if (!parts_.store.is_linked(parts_.store.published(), {one.path, key}) || !parts_.store.has(key, one.length)) continue;
    const bool is_newest = release && makes > newest;   // which comes first in a need
    if (is_newest) newest = makes;
    need.files.insert(is_newest ? need.files.begin() : need.files.end(), std::move(one));
  }
  if (need.files.empty()) return false;
  run.needs.push_back(std::move(need));
  run.kept_roles.push_back({cat(std::to_string(role->version), ".", file), std::move(*bytes)});
  return true;
}

}  // namespace distribution_point
