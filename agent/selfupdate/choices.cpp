#include "selfupdate/choices.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "package/manifest.hpp"

namespace picket::selfupdate {
namespace {

namespace bjson = boost::json;
using Map = std::map<std::string, std::vector<plugin_host::Place>>;

constexpr std::uint64_t kMaxFile = 1u << 20;

// The text, and its digest on a second line: a flipped bit must not become another version.
Result<Map> read(std::string_view file) {
  const auto damaged = [] { return fail(Code::untrusted, "damaged"); };
  const auto line = file.find('\n');
  if (line == file.npos || file.substr(line + 1) != cat(sha256_hex(file.substr(0, line)), "\n")) return damaged();
  bjson::error_code error;
  const auto document = bjson::parse(file.substr(0, line), error);
  if (error || !document.is_object()) return damaged();
  Map out;
  for (const auto& [component, list] : document.get_object()) {
    if (!list.is_array()) return damaged();
    auto& places = out[std::string(component)];
    for (const auto& item : list.get_array()) {
      if (!item.is_array() || item.get_array().size() != 3) return damaged();
      std::string parts[3];
      for (std::size_t i = 0; i < 3; ++i) {
        if (!item.get_array()[i].is_string()) return damaged();
        parts[i] = item.get_array()[i].get_string();
      }
      if (!package::is_plugin_id(parts[0]) || !package::is_version(parts[1])) return damaged();
      places.push_back({parts[0], parts[1], parts[2]});
    }
  }
  return out;
}

}  // namespace

Choices Choices::open(std::filesystem::path file, std::string& problem) {
  Choices out(std::move(file));
  remove_leftovers(out.file_.parent_path());
  auto text = read_file(out.file_, kMaxFile);
  if (!text && text.error().code == Code::not_found) return out;
  auto map = text ? read(*text) : Result<Map>(fail(std::move(text).error()));
  if (map) out.by_component_ = std::move(*map);
  else problem = cat(out.file_.native(), ": ", map.error().message, ": the installed plugins are loaded");
  return out;
}

Result<> Choices::put(const std::string& component, std::vector<plugin_host::Place> places) {
  auto next = by_component_;
  if (places.empty()) next.erase(component);
  else next[component] = std::move(places);
  bjson::object document;
  for (const auto& [name, list] : next) {
    bjson::array items;
    for (const auto& place : list) items.push_back(bjson::array{place.id, place.version, place.root.native()});
    document[name] = std::move(items);
  }
  const auto text = bjson::serialize(document);
  PICKET_TRY(make_folders(file_.parent_path(), 0700));
  PICKET_TRY(write_file_atomic(file_, cat(text, "\n", sha256_hex(text), "\n"), 0600));
  by_component_ = std::move(next);
  return {};
}

std::vector<plugin_host::Place> Choices::of(const std::string& component) const {
  const auto found = by_component_.find(component);
  return found == by_component_.end() ? std::vector<plugin_host::Place>() : found->second;
}

std::vector<plugin_host::Place> Choices::all() const {
  std::vector<plugin_host::Place> out;
  for (const auto& [component, places] : by_component_) out.insert(out.end(), places.begin(), places.end());
  return out;
}

}  // namespace picket::selfupdate
