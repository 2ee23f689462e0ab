#include "selfupdate/plugin_sets.hpp"

#include <algorithm>
#include <future>
#include <optional>
#include <thread>

#include "package/manifest.hpp"

namespace picket::selfupdate {

namespace fs = std::filesystem;
using plugin_host::Beside;
using plugin_host::Place;

namespace {

constexpr std::size_t kMaxPackages = 256;
constexpr std::size_t kAtOnce = 4;  // each that starts takes a process and its memory beside the old one
constexpr std::chrono::milliseconds kStaysWell{1000}, kLook{20};

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
  bool was_healthy = false;    // what it replaces
  bool has_taken_over = false;
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
  const auto was_healthy = [this](const std::string& id) {
    const auto info = host_.info(id);
    return info && info->status.state == plugin_host::State::running && info->status.health == plugin_host::Health::healthy;
  };
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
      if (result) started.push_back({place, *result, was_healthy(place.id)});
    }
  }
  if (first) return fail(std::move(*first));
  if (is_stopping_) return fail(Code::cancelled, "picketd is stopping");
  for (const auto& one : started)
    if (one.beside == Beside::ready) PICKET_TRY(primed_(one.place.id));
  if (is_late()) return fail(Code::timeout, cat("the new versions were not all well in time; ", std::to_string(started.size()), " of ", std::to_string(places.size()), " were (see confirm_timeout_seconds)"));
  return {};
}

Result<> PluginSets::take_over_all(std::vector<Started>& started) {
  for (auto& one : started) {
    if (one.beside == Beside::not_needed) continue;
    PICKET_TRY(host_.take_over(one.place.id));
    one.has_taken_over = true;
  }
  return {};
}

// What was well beside the old one must be well in its place too, where it has the ports and folders that the old one had. What could not stand
// beside it shows only here whether it is well.
Result<> PluginSets::watch(const std::vector<Started>& started, std::chrono::steady_clock::time_point until) {
  enum class Is { bad, not_yet, well };
  const auto look = [](const Started& one, const plugin_host::Status& now, bool is_late) {
    using plugin_host::Health, plugin_host::State;
    if (now.state == State::backing_off || now.state == State::failed || now.state == State::refused) return Is::bad;
    if (now.state != State::running) return Is::not_yet;
    if (now.health == Health::failed) return Is::bad;
    if (now.leaving_pid != 0 && !is_late) return Is::not_yet;  // the old one still ends what it was asked, and has its ports
    // One that took over was judged before; that a point is short of disk space since is no fault of its version.
    return one.beside == Beside::in_order && now.health != Health::healthy && one.was_healthy ? Is::not_yet : Is::well;
  };
  if (std::ranges::none_of(started, &Started::has_taken_over)) return {};
  for (auto well_since = std::chrono::steady_clock::now();; std::this_thread::sleep_for(kLook)) {
    const auto now = std::chrono::steady_clock::now();
    if (is_stopping_) return fail(Code::cancelled, "picketd is stopping");
    for (const auto& one : started) {
      if (!one.has_taken_over || one.beside == Beside::at_next_start) continue;
      const auto info = host_.info(one.place.id);
      if (!info) return fail(Error(info.error()));
      const auto is = look(one, info->status, now > until);
      if (is != Is::well) well_since = now;
      if (is == Is::bad || (is != Is::well && now > until))
        return fail(Code::conflict, cat(one.place.id, " ", one.place.version, ": is ", to_string(info->status.state), ", ", to_string(info->status.health), " in the place of the old version",
                                        info->status.text.empty() ? "" : ": ", info->status.text));
    }
    if (now - well_since >= kStaysWell || (now > until && now - well_since >= kLook)) return {};
  }
}

void PluginSets::go_back(const std::vector<Started>& started, const std::vector<Place>& before) {
  for (const auto& one : started) {
    const auto& id = one.place.id;
    if (!one.has_taken_over) {
      host_.end_beside(id);
      continue;
    }
    const auto old = std::ranges::find(before, id, &Place::id);
    auto back = host_.start_beside(old == before.end() ? Place{id, "", {}} : *old);
    if (back && *back != Beside::not_needed)
      if (auto again = host_.take_over(id); !again) back = fail(std::move(again).error());
    if (!back) log_(true, cat("going back: ", back.error().message));
  }
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
    done = take_over_all(started);
    if (done) done = watch(started, until);
    if (!done && done.error().code == Code::cancelled) return fail(std::move(done).error());  // they are loaded at the next start, and asked then
    if (!done) {
      if (auto undone = choices_.put(component, before); !undone) log_(true, undone.error().message);
      tell_host();
    }
  }
  if (!done) {
    go_back(started, before);
    return fail(std::move(done).error());
  }
  std::string text, later;
  std::size_t same = 0;
  for (const auto& one : started) {
    const auto shown = cat(one.place.id, " ", one.place.version.empty() ? "as installed" : one.place.version);
    if (one.beside == Beside::ready) text += cat(text.empty() ? "" : ", ", shown, " took over");
    else if (one.beside == Beside::in_order) text += cat(text.empty() ? "" : ", ", shown, " was started when the old one had stopped");
    else if (one.beside == Beside::at_next_start) later += cat(later.empty() ? "" : ", ", shown);
    else ++same;
  }
  if (!later.empty()) text += cat(text.empty() ? "" : "; ", later, " at the next start of picketd");
  if (text.empty()) text = cat(std::to_string(same), " plugins run as they should");
  return text;
}

}  // namespace picket::selfupdate
