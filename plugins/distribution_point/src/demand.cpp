#include "demand.hpp"

#include <boost/json.hpp>

#include <algorithm>

#include "trust/release.hpp"

namespace distribution_point {
namespace {

namespace json = boost::json;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;

constexpr std::size_t kMostWantsOfAll = 100'000;                        // that stand for lost ones
constexpr std::int64_t kKeepTimeEvery = 600, kKeepHeardEvery = 3600;   // seconds
constexpr std::uint64_t kLong = 1u << 20;                               // beside as many bytes as are needed

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

Result<std::set<ComponentVariant>> parse_wants(const json::object& object, std::size_t most = DemandBook::kMostWants) {
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
      if (out.size() > most) return fail(Code::too_large, cat("more than ", std::to_string(most), " wishes"));
    }
  }
  return out;
}

std::string record_of(std::string_view device, const std::set<ComponentVariant>& wants, std::int64_t heard) {
  json::array components;
  for (const auto& want : wants) components.push_back(json::object{{"component", want.component}, {"variants", json::array{want.variant}}});
  return json::serialize(json::object{{"device", device}, {"heard", heard}, {"components", std::move(components)}});
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

std::int64_t DemandBook::clock() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::int64_t DemandBook::time(std::int64_t now) {
  time_ += std::max<std::int64_t>(now - last_now_, 0);
  last_now_ = now;
  return time_;
}

void DemandBook::take_record(std::string_view record) {
  auto object = parse_object(record);
  if (!object) return;
  if (const auto* passed = object->if_contains("time"); passed != nullptr && passed->is_int64()) time_ = std::max(time_, passed->get_int64());
  const auto* id = object->if_contains("device");
  const auto* heard = object->if_contains("heard");
  if (id == nullptr || !id->is_string() || heard == nullptr || !heard->is_int64()) return;
  auto wants = parse_wants(*object, kMostWantsOfAll);
  if (!wants) return;
  time_ = std::max(time_, heard->get_int64());
  devices_[std::string(id->get_string())] = {std::move(*wants), heard->get_int64(), heard->get_int64()};
}

bool DemandBook::load(std::int64_t now) {
  const std::lock_guard lock(mutex_);
  last_now_ = now;
  const auto read = log_.read([this](std::string_view record) { take_record(record); });
  kept_time_ = time_;
  forget_old(time_);
  must_rewrite_ = true;  // without what is damaged, old or said twice
  // The time is always in it, so a file without records is a damaged one.
  const bool is_whole = read && read->records > 0 && read->damaged == 0;
  if (is_whole) (void)rewrite();  // else adopt() does, for a kill in between must not make the loss unknown
  return is_whole;
}

void DemandBook::adopt(const std::set<ComponentVariant>& wants, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  const auto heard = time(now);
  if (!wants.empty()) {
    auto& lost = devices_[std::string(kLost)];
    lost.wants.insert(wants.begin(), wants.end());
    lost.heard = heard;
  }
  (void)rewrite();
}

Result<std::uint64_t> DemandBook::append(const std::string& record) {
  auto written = log_.append(record);
  if (!written && written.error().code == Code::too_large && rewrite()) written = log_.append(record);
  trouble_ = written ? Result<>() : Result<>(fail(written.error()));
  return written;
}

Result<> DemandBook::rewrite() {
  std::vector<std::string> records{json::serialize(json::object{{"time", time_}})};
  for (const auto& [id, device] : devices_) records.push_back(record_of(id, device.wants, device.heard));
  trouble_ = log_.rewrite(records);
  if (!trouble_) return trouble_;
  for (auto& [id, device] : devices_) device.kept = device.heard;
  kept_time_ = time_;
  short_size_ = log_.size();
  must_rewrite_ = false;
  return {};
}

Result<> DemandBook::keep(std::int64_t now) {
  const std::lock_guard lock(mutex_);
  forget_old(time(now));
  if (must_rewrite_ || log_.size() > 2 * short_size_ + kLong) return rewrite();
  if (trouble_ && time_ - kept_time_ < kKeepTimeEvery) return {};
  PICKET_TRY(append(json::serialize(json::object{{"time", time_}})));
  kept_time_ = time_;
  return {};
}

void DemandBook::forget_old(std::int64_t time) {
  std::erase_if(devices_, [&](const auto& entry) { return time - entry.second.heard > lasts_; });
}

Result<> DemandBook::announce(Announcement announcement, std::int64_t now) {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto heard = time(now);
    auto known = devices_.find(announcement.device);
    if (known == devices_.end()) {
      if (devices_.size() >= most_devices_) forget_old(heard);
      if (devices_.size() >= most_devices_) return fail(Code::too_large, cat("this point serves ", std::to_string(most_devices_), " devices already"));
    } else if (known->second.wants == announcement.wants) {
      // That it is still there is no news; a kill may cost an hour of it.
      known->second.heard = heard;
      if (must_rewrite_) return rewrite();
      if (heard - known->second.kept >= kKeepHeardEvery && append(record_of(known->first, known->second.wants, heard))) known->second.kept = heard;
      return {};
    }
    auto written = append(record_of(announcement.device, announcement.wants, heard));
    if (!written) return fail(std::move(written).error(), "a wish that cannot be kept is not taken");
    number = *written;
    devices_[announcement.device] = {std::move(announcement.wants), heard, heard};
  }
  auto synced = log_.sync(number);
  if (synced) return {};
  const std::lock_guard lock(mutex_);
  must_rewrite_ = true;
  trouble_ = synced;
  return synced;
}

std::map<ComponentVariant, std::vector<std::string>> DemandBook::wants(std::int64_t now) {
  const std::lock_guard lock(mutex_);
  forget_old(time(now));
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
