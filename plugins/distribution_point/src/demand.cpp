#include "demand.hpp"

#include <boost/json.hpp>

#include <algorithm>

#include "base/files.hpp"
#include "trust/release.hpp"

namespace distribution_point {
namespace {

namespace json = boost::json;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;

constexpr std::uint64_t kMostBook = 64u << 20;

bool is_device_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

Result<json::object> parse_object(std::string_view text) {
  json::parse_options limits;
  limits.max_depth = 8;
  boost::system::error_code error;
  auto value = json::parse(text, error, {}, limits);
  if (error || !value.is_object()) return fail(Code::invalid, "the body is no JSON object");
  return std::move(value.get_object());
}

Result<std::set<ComponentVariant>> parse_wants(const json::object& object) {
  const auto* list = object.if_contains("components");
  if (list == nullptr || !list->is_array()) return fail(Code::invalid, "'components' is missing or no list");
  std::set<ComponentVariant> out;
  for (const auto& entry : list->get_array()) {
    const auto* members = entry.if_object();
    const auto* name = members != nullptr ? members->if_contains("component") : nullptr;
    if (name == nullptr || !name->is_string()) return fail(Code::invalid, "an entry of 'components' names no component");
    const std::string component(name->get_string());
    PICKET_TRY(picket::trust::check_component_name(component));
    const auto* variants = members->if_contains("variants");
    if (variants == nullptr || !variants->is_array()) return fail(Code::invalid, cat(component, ": 'variants' is missing or no list"));
    for (const auto& variant : variants->get_array()) {
      const auto* word = variant.if_string();
      if (word == nullptr || (*word != "full" && *word != "light")) return fail(Code::invalid, cat(component, ": a variant is full or light"));
      out.insert({component, std::string(*word)});
      if (out.size() > DemandBook::kMostWants) return fail(Code::too_large, cat("more than ", std::to_string(DemandBook::kMostWants), " wishes"));
    }
  }
  return out;
}

}  // namespace

Result<Announcement> parse_announcement(std::string_view text) {
  PICKET_LET(object, parse_object(text));
  const auto* device = object.if_contains("device");
  if (device == nullptr || !device->is_string() || !is_device_id(device->get_string())) return fail(Code::invalid, "'device' is missing or no id of at most 128 plain characters");
  PICKET_LET(wants, parse_wants(object));
  return Announcement{std::string(device->get_string()), std::move(wants)};
}

void DemandBook::set_limits(std::size_t most_devices, std::chrono::seconds lasts) {
  const std::lock_guard lock(mutex_);
  most_devices_ = most_devices;
  lasts_ = lasts.count();
}

bool DemandBook::load(std::int64_t now) {
  auto bytes = picket::read_file(file_, kMostBook);
  if (!bytes) return bytes.error().code == Code::not_found;
  boost::system::error_code error;
  const auto value = json::parse(*bytes, error);
  if (error || !value.is_array()) return false;
  const std::lock_guard lock(mutex_);
  for (const auto& entry : value.get_array()) {
    const auto* object = entry.if_object();
    const auto* id = object != nullptr ? object->if_contains("device") : nullptr;
    const auto* heard = object != nullptr ? object->if_contains("heard") : nullptr;
    if (id == nullptr || !id->is_string() || heard == nullptr || !heard->is_int64()) return false;
    auto wants = parse_wants(*object);
    if (!wants) return false;
    // A clock that was set back must not make a wish last for ever.
    devices_[std::string(id->get_string())] = {std::move(*wants), std::min(heard->get_int64(), now)};
  }
  forget_old(now);
  return true;
}

Result<> DemandBook::save() {
  json::array all;
  {
    const std::lock_guard lock(mutex_);
    if (!changed_) return {};
    changed_ = false;
    for (const auto& [id, device] : devices_) {
      json::array wants;
      for (const auto& want : device.wants) wants.push_back(json::object{{"component", want.component}, {"variants", json::array{want.variant}}});
      all.push_back(json::object{{"device", id}, {"heard", device.heard}, {"components", std::move(wants)}});
    }
  }
  return picket::write_file_atomic(file_, json::serialize(all), 0600);
}

void DemandBook::forget_old(std::int64_t now) {
  changed_ = std::erase_if(devices_, [&](const auto& entry) { return now - entry.second.heard > lasts_; }) > 0 || changed_;
}

Result<> DemandBook::announce(Announcement announcement, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  auto known = devices_.find(announcement.device);
  if (known == devices_.end()) {
    if (devices_.size() >= most_devices_) forget_old(now);
    if (devices_.size() >= most_devices_) return fail(Code::too_large, cat("this point serves ", std::to_string(most_devices_), " devices already"));
    known = devices_.emplace(std::move(announcement.device), Device{}).first;
  }
  known->second = {std::move(announcement.wants), now};
  changed_ = true;
  return {};
}

std::map<ComponentVariant, std::vector<std::string>> DemandBook::wants(std::int64_t now) {
  const std::lock_guard lock(mutex_);
  forget_old(now);
  std::map<ComponentVariant, std::vector<std::string>> out;
  for (const auto& [id, device] : devices_)
    for (const auto& want : device.wants) out[want].push_back(id);
  return out;
}

std::size_t DemandBook::devices() const {
  const std::lock_guard lock(mutex_);
  return devices_.size();
}

}  // namespace distribution_point
