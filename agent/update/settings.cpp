#include "update/settings.hpp"

#include <algorithm>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace picket::update {
namespace {

namespace json = boost::json;

// Takes members of an object that the schema already accepted; what is wrong all the same is named.
class Reader {
 public:
  explicit Reader(const json::object& object) : object_(object) {}

  std::int64_t number(std::string_view name, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
    const auto* value = object_.if_contains(name);
    if (value == nullptr) return otherwise;
    if (const auto* found = value->if_int64(); found != nullptr && *found >= least && *found <= most) return *found;
    wrong(name, cat("must be a whole number from ", std::to_string(least), " to ", std::to_string(most)));
    return otherwise;
  }
  std::string text(std::string_view name) {
    const auto* value = object_.if_contains(name);
    if (value != nullptr && value->is_string() && !value->get_string().empty()) return std::string(value->get_string());
    wrong(name, "must be a text");
    return {};
  }
  bool flag(std::string_view name, bool otherwise) {
    const auto* value = object_.if_contains(name);
    if (value == nullptr) return otherwise;
    if (value->is_bool()) return value->get_bool();
    wrong(name, "must be true or false");
    return otherwise;
  }
  template <class Each>
  void each(std::string_view name, Each&& take) {
    const auto* value = object_.if_contains(name);
    if (value == nullptr) return;
    if (!value->is_array()) return wrong(name, "must be a list");
    for (const auto& item : value->get_array()) take(item);
  }
  template <class Each>
  void each_object(std::string_view name, Each&& take) {
    each(name, [&](const json::value& item) {
      if (!item.is_object()) return wrong(name, "must hold objects");
      Reader inner(item.get_object());
      take(inner, item.get_object());
      if (!inner.why_.empty()) wrong(name, inner.why_);
    });
  }
  void wrong(std::string_view name, std::string_view what) {
    if (why_.empty()) why_ = cat(name, ": ", what);
  }
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  const json::object& object_;
  std::string why_;
};

// `every`: also a component without a release, which means all of them.
std::vector<ReleaseRef> releases(Reader& reader, std::string_view name, bool every) {
  std::vector<ReleaseRef> out;
  reader.each_object(name, [&](Reader& item, const json::object&) {
    const auto release = static_cast<std::uint64_t>(item.number("release", 0, 1, INT64_MAX));
    if (release == 0 && !every) item.wrong("release", "is missing");
    out.push_back({item.text("component"), release});
  });
  return out;
}

// What a site runs itself: unlike a server's, its word that it holds something back counts where nothing else is said.
bool is_of_the_site(std::string_view plugin) {
  return plugin == "org.picket.source-distribution-point" || plugin == "org.picket.source-folder" || plugin == "org.picket.source-share";
}

}  // namespace

Result<Settings> parse_settings(std::string_view text) {
  json::error_code error;
  const auto document = json::parse(text, error);
  if (error) return fail(Code::invalid, cat("not JSON: ", error.message()));
  if (!document.is_object()) return fail(Code::invalid, "must be an object");
  Reader reader(document.get_object());
  Settings out;
  reader.each_object("sources", [&](Reader& item, const json::object& object) {
    SourceEntry entry{item.text("name"), item.text("plugin"), item.text("location"), "{}", item.flag("enabled", true)};
    if (const auto* options = object.if_contains("options")) entry.options_json = json::serialize(*options);
    const auto seconds_of = [&](std::string_view name, std::int64_t least, std::int64_t most) {
      return object.contains(name) ? std::optional(std::chrono::seconds(item.number(name, least, least, most))) : std::nullopt;
    };
    entry.connect_timeout = seconds_of("connect_timeout_seconds", 0, 120);
    entry.stall_timeout = seconds_of("stall_timeout_seconds", 1, 3600);
    entry.may_hold_back = item.flag("may_hold_back", is_of_the_site(entry.plugin));
    if (std::ranges::any_of(out.sources, [&](const auto& other) { return other.name == entry.name; }))
      item.wrong("name", cat("two sources are named \"", entry.name, "\""));
    out.sources.push_back(std::move(entry));
  });
  out.interval = std::chrono::minutes(reader.number("interval_minutes", 120, 0, 43200));
  out.keep_sets = static_cast<std::size_t>(reader.number("keep_sets", 3, 1, 100));
  out.connect_timeout = std::chrono::seconds(reader.number("connect_timeout_seconds", 10, 0, 120));
  out.stall_timeout = std::chrono::seconds(reader.number("stall_timeout_seconds", 30, 1, 3600));
  out.min_bytes_per_second = static_cast<std::uint32_t>(reader.number("min_bytes_per_second", 100, 1, 1'000'000'000));
  out.rest_after_failure = std::chrono::seconds(reader.number("rest_after_failure_seconds", 300, 0, 86400));
  out.longest_rest = std::max(out.rest_after_failure, std::chrono::seconds(reader.number("longest_rest_seconds", 7200, 0, 604800)));
  out.longest_wish = std::chrono::seconds(reader.number("longest_wish_seconds", 7200, 0, 604800));
  out.warning_after = std::chrono::hours(reader.number("warning_after_hours", 72, 1, 87600));
  out.critical_after = std::chrono::hours(reader.number("critical_after_hours", 168, 1, 87600));
  out.verify_stored = std::chrono::hours(reader.number("verify_stored_hours", 24, 0, 8760));
  out.confirm_timeout = std::chrono::seconds(reader.number("confirm_timeout_seconds", 60, 1, 3600));
  out.parallel_downloads = static_cast<std::size_t>(reader.number("parallel_downloads", 2, 1, 16));
  out.deltas = reader.flag("deltas", true);
  out.delta_chain = static_cast<std::size_t>(reader.number("delta_chain", 4, 1, 32));
  out.delta_memory = static_cast<std::uint64_t>(reader.number("delta_memory_mb", 64, 32, 4096)) << 20;
  out.tell_servers = reader.flag("tell_servers", true);
  if (const auto* licence = document.get_object().if_contains("licence_key_id"); licence != nullptr && licence->is_string()) out.licence_key_id = licence->get_string();
  out.keep_archives = reader.flag("keep_archives", false);
  reader.each("components", [&](const json::value& item) {
    if (!item.is_string()) return reader.wrong("components", "must hold texts");
    out.components.emplace_back(item.get_string());
  });
  out.declined = releases(reader, "declined", true);
  out.pinned = releases(reader, "pinned", false);
  for (auto pin = out.pinned.begin(); pin != out.pinned.end(); ++pin)
    if (std::ranges::any_of(out.pinned.begin(), pin, [&](const auto& other) { return other.component == pin->component; })) reader.wrong("pinned", cat(pin->component, " is pinned twice"));
  out.approved = releases(reader, "approved", true);
  if (document.get_object().contains("approval_needed")) {
    out.approve_agent = out.approve_application = false;
    reader.each("approval_needed", [&](const json::value& item) {
      if (item == json::value("agent")) out.approve_agent = true;
      else if (item == json::value("application")) out.approve_application = true;
      else reader.wrong("approval_needed", "must hold agent or application");
    });
  }
  if (out.warning_after >= out.critical_after) reader.wrong("critical_after_hours", "must be more than warning_after_hours");
  if (!reader.why().empty()) return fail(Code::invalid, reader.why());
  return out;
}

std::string unknown_components(const Settings& settings, const std::set<std::string, std::less<>>& known) {
  constexpr std::size_t kMostNamed = 5;
  std::set<std::string> found;
  std::string out;
  for (const auto& [list, refs] : {std::pair("declined", &settings.declined), std::pair("pinned", &settings.pinned), std::pair("approved", &settings.approved)})
    for (const auto& ref : *refs) {
      if (known.contains(ref.component) || std::ranges::find(settings.components, ref.component) != settings.components.end()) continue;
      auto name = cat(list, " ", ref.component);
      if (found.size() < kMostNamed && !found.contains(name)) out += cat(out.empty() ? "" : ", ", name);
      found.insert(std::move(name));
    }
  if (found.empty()) return out;
  if (found.size() > kMostNamed) out += cat(" and ", std::to_string(found.size() - kMostNamed), " more");
  return cat("settings: ", out, ": no such component is offered, and nobody demands it; is the name right?");
}

}  // namespace picket::update
