#include "selfupdate/plugin_sets.hpp"

#include <algorithm>
#include <future>
#include <optional>

#include "package/manifest.hpp"

namespace picket::selfupdate {

namespace fs = std::filesystem;
using plugin_host::Beside;
using plugin_host::Place;

namespace {

constexpr std::size_t kMaxPackages = 256;
constexpr std::size_t kAtOnce = 4;  // each that starts takes a process and its memory beside the old one

Result<std::vector<std::string>> names_in(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) out.push_back(at->path().filename().native());
  if (error) return fail(Code::io, cat("read folder ", folder.native(), ": ", error.message()));
  std::ranges::sort(out);
  return out;
}

}  // namespace

struct PluginSets::Started {
  Place place;
  Beside beside = Beside::not_needed;
};

Result<std::vector<Place>> packages_in(const fs::path& set) {
  std::vector<Place> out;
  PICKET_LET(ids, names_in(set));
  for (const auto& id : ids) {
    if (!package::is_plugin_id(id)) return fail(Code::invalid, cat("'", id, "' is no plugin's package: a set of plugins holds <id>/<version>/ only"));
    PICKET_LET(versions, names_in(set / id));
    if (versions.size() != 1 || !package::is_version(versions.front())) return fail(Code::invalid, cat(id, ": holds ", versions.size() == 1 ? cat("'", versions.front(), "'") : cat(std::to_string(versions.size()), " entries"), " where one version belongs"));
    out.push_back({id, versions.front(), set});
  }
  if (out.empty()) return fail(Code::invalid, "the set holds no plugin");
  if (out.size() > kMaxPackages) return fail(Code::too_large, cat("the set holds more than ", std::to_string(kMaxPackages), " plugins"));
  return out;
}

PluginSets::PluginSets(plugin_host::PluginHost& host, Choices choices, Prime prime, Primed primed, Log log)
    : host_(host), choices_(std::move(choices)), prime_(std::move(prime)), primed_(std::move(primed)), log_(std::move(log)) {}

void PluginSets::stop() {
  is_stopping_ = true;
  for (const auto& status : host_.list()) host_.end_beside(status.id);
}

Result<> PluginSets::start_all(const std::vector<Place>& places, std::chrono::steady_clock::time_point until, std::vector<Started>& started) {
  const auto is_late = [&] { return std::chrono::steady_clock::now() > until; };
  std::optional<Error> first;
  for (std::size_t begin = 0; begin < places.size() && !first && !is_stopping_ && !is_late(); begin += kAtOnce) {
    std::vector<std::pair<Place, std::future<Result<Beside>>>> batch;
    for (auto i = begin; i < std::min(begin + kAtOnce, places.size()); ++i)
      batch.emplace_back(places[i], std::async(std::launch::async, [this, place = places[i]] { return host_.start_beside(place, prime_); }));
    for (auto& [place, answer] : batch) {
      auto result = answer.get();
      // A plugin that this set no longer brings, and that nobody installed either, runs on until the next start.
      if (!result && place.root.empty()) continue;
      if (!result && !first) first = std::move(result).error();
      if (result) started.push_back({place, *result});
    }
  }
  if (first) return fail(std::move(*first));
  if (is_stopping_) return fail(Code::cancelled, "picketd is stopping");
  for (const auto& one : started)
    if (one.beside == Beside::ready) PICKET_TRY(primed_(one.place.id));
  if (is_late()) return fail(Code::timeout, cat("the new versions were not all well in time; ", std::to_string(started.size()), " of ", std::to_string(places.size()), " were (see confirm_timeout_seconds)"));
  return {};
}

Result<> PluginSets::take_over_all(const std::vector<Started>& started, const std::vector<Place>& before) {
  for (std::size_t i = 0; i < started.size(); ++i) {
    if (started[i].beside == Beside::not_needed) continue;
    auto taken = host_.take_over(started[i].place.id);
    if (taken) continue;
    // Those that took over already go back in the same way.
    for (std::size_t j = 0; j < started.size(); ++j) {
      const auto& id = started[j].place.id;
      if (j >= i) {
        host_.end_beside(id);
        continue;
      }
      if (started[j].beside == Beside::not_needed) continue;
      const auto old = std::ranges::find(before, id, &Place::id);
      auto back = host_.start_beside(old == before.end() ? Place{id, "", {}} : *old);
      if (back && *back != Beside::not_needed)
        if (auto again = host_.take_over(id); !again) back = fail(std::move(again).error());
      if (!back) log_(true, cat("going back: ", back.error().message));
    }
    return taken;
  }
  return {};
}

Result<std::string> PluginSets::activate(const std::string& component, const fs::path& set, std::chrono::steady_clock::time_point until) {
  std::vector<Place> places;
  if (!set.empty()) {
    PICKET_LET(found, packages_in(set));
    places = std::move(found);
  }
  const auto before = choices_.of(component);
  auto wanted = places;
  for (const auto& old : before)
    if (std::ranges::find(places, old.id, &Place::id) == places.end()) wanted.push_back({old.id, "", {}});

  std::vector<Started> started;
  auto done = start_all(wanted, until, started);
  // Written first: if picketd is killed from here on, the new versions are loaded at its start; they are known to be well.
  if (done) done = choices_.put(component, places);
  if (done) {
    tell_host();
    done = take_over_all(started, before);
    if (!done) {
      if (auto undone = choices_.put(component, before); !undone) log_(true, undone.error().message);
      tell_host();
    }
  }
  if (!done) {
    for (const auto& one : started) host_.end_beside(one.place.id);
    return fail(std::move(done).error());
  }
  std::string text, later;
  std::size_t same = 0;
  for (const auto& one : started) {
    const auto shown = cat(one.place.id, " ", one.place.version.empty() ? "as installed" : one.place.version);
    if (one.beside == Beside::ready) text += cat(text.empty() ? "" : ", ", shown, " took over");
    else if (one.beside == Beside::at_next_start) later += cat(later.empty() ? "" : ", ", shown);
    else ++same;
  }
  if (!later.empty()) text += cat(text.empty() ? "" : "; ", later, " at the next start of picketd");
  if (text.empty()) text = cat(std::to_string(same), " plugins run as they should");
  return text;
}

}  // namespace picket::selfupdate
