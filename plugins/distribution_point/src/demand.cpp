#include "demand.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <tuple>

namespace distribution_point {
namespace {

namespace json = boost::json;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;

constexpr std::size_t kMostWantsOfAll = 100'000;                        // that stand for lost ones
constexpr std::size_t kMostFetches = 65'536;                            // senders between two looks
constexpr std::int64_t kKeepTimeEvery = 600, kKeepHeardEvery = 3600;   // seconds
constexpr std::int64_t kTellCrowdFor = 86'400;
constexpr std::uint64_t kLong = 1u << 20;                               // beside as many bytes as are needed
constexpr const char* kWhoGoes = ": those that fetched nothing or were silent longest are forgotten";

}  // namespace

std::int64_t DemandBook::clock() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

DemandBook::Sender DemandBook::sender_of(const picket::Address& address) {
  auto out = address.bytes;
  const bool is_loopback = !address.is_v4() && std::all_of(out.begin(), out.end() - 1, [](std::uint8_t byte) { return byte == 0; });
  if (!address.is_v4() && !is_loopback) std::fill(out.begin() + 8, out.end(), std::uint8_t{0});
  return out;
}

std::string DemandBook::record_of(const Name& name, const Wish& wish) {
  json::array components;
  for (const auto& want : wish.wants) components.push_back(json::object{{"component", want.component}, {"variants", json::array{want.variant}}});
  json::object out{{"device", name.device}, {"heard", wish.heard}, {"components", std::move(components)}};
  if (name.from != Sender{}) out["from"] = picket::Address{name.from}.text();
  if (wish.fetched) out["fetched"] = true;
  return json::serialize(out);
}

std::int64_t DemandBook::time(std::int64_t now) {
  time_ += std::max<std::int64_t>(now - last_now_, 0);
  last_now_ = now;
  return time_;
}

void DemandBook::set_limits(const Limits& limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
  trim();
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
  Name name{{}, std::string(id->get_string())};
  wishes_.erase(name);   // of an earlier version: the device has spoken since
  if (const auto* from = object->if_contains("from"); from != nullptr && from->is_string())
    if (const auto address = picket::Address::parse(std::string_view(from->get_string()))) name.from = sender_of(*address);
  wishes_[name] = {std::move(*wants), heard->get_int64(), heard->get_int64(), object->contains("fetched")};
}

bool DemandBook::load(std::int64_t now) {
  const std::lock_guard lock(mutex_);
  last_now_ = now;
  const auto read = log_.read([this](std::string_view record) { take_record(record); });
  kept_time_ = time_;
  forget_old(time_);
  trim();                // the file still has who gave way
  displaced_ = 0;
  in_all_ = at_one_address_ = {};
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
    auto& lost = wishes_[{{}, std::string(kLost)}];
    lost.wants.insert(wants.begin(), wants.end());
    lost.heard = heard;
  }
  (void)rewrite();
}

// A file that is full although it was just written anew holds too large wishes: an eighth of them gives way at a time.
Result<std::uint64_t> DemandBook::append(const std::string& record) {
  auto written = log_.append(record);
  for (auto most = wishes_.size(); !written && written.error().code == Code::too_large; most -= most / 8 + 1) {
    if (displace(places(), most)) in_all_ = {cat("more is asked for than demand.log can hold", kWhoGoes), time_ + kTellCrowdFor};
    if (const auto anew = rewrite(); anew) written = log_.append(record);
    else if (anew.error().code != Code::too_large) break;
    if (most == 0) break;
  }
  trouble_ = written ? Result<>() : Result<>(fail(written.error()));
  return written;
}

Result<> DemandBook::rewrite() {
  std::vector<std::string> records{json::serialize(json::object{{"time", time_}})};
  for (const auto& [name, wish] : wishes_) records.push_back(record_of(name, wish));
  trouble_ = log_.rewrite(records);
  if (!trouble_) return trouble_;
  for (auto& [name, wish] : wishes_) wish.kept = wish.heard;
  kept_time_ = time_;
  short_size_ = log_.size();
  must_rewrite_ = false;
  return {};
}

Result<> DemandBook::keep(std::int64_t now) {
  const std::lock_guard lock(mutex_);
  forget_old(time(now));
  take_fetches();
  if (must_rewrite_ || log_.size() > 2 * short_size_ + kLong) return rewrite();
  if (trouble_ && time_ - kept_time_ < kKeepTimeEvery) return {};
  PICKET_TRY(append(json::serialize(json::object{{"time", time_}})));
  kept_time_ = time_;
  return {};
}

void DemandBook::forget_old(std::int64_t time) {
  std::map<std::string, std::int64_t> last;
  for (const auto& [name, wish] : wishes_) {
    auto& heard = last.try_emplace(name.device, wish.heard).first->second;
    heard = std::max(heard, wish.heard);
  }
  const std::int64_t lasts = limits_.lasts.count(), moved = std::min<std::int64_t>(lasts, std::chrono::seconds(kMovedLasts).count());
  std::erase_if(wishes_, [&](const auto& entry) {
    const auto& [name, wish] = entry;
    return time - wish.heard > (wish.heard < last.at(name.device) ? moved : lasts);
  });
}

void DemandBook::note_fetch(const picket::Address& from) {
  const std::lock_guard lock(fetches_mutex_);
  if (fetches_.size() < kMostFetches) fetches_.insert(sender_of(from));
}

void DemandBook::take_fetches() {
  std::set<Sender> senders;
  {
    const std::lock_guard lock(fetches_mutex_);
    senders.swap(fetches_);
  }
  for (const auto& from : senders)
    for (const auto& place : places_of(from)) {
      auto& [name, wish] = *place;
      if (std::exchange(wish.fetched, true)) continue;
      (void)log_.append(record_of(name, wish));   // else the next record of it says it
    }
}

DemandBook::Places DemandBook::places() {
  Places out;
  for (auto it = wishes_.begin(); it != wishes_.end(); ++it)
    if (it->first.device != kLost) out.push_back(it);
  return out;
}

DemandBook::Places DemandBook::places_of(const Sender& from) {
  Places out;
  for (auto it = wishes_.lower_bound({from, {}}); it != wishes_.end() && it->first.from == from; ++it) out.push_back(it);
  return out;
}

bool DemandBook::displace(Places from, std::size_t most) {
  if (from.size() <= most) return false;
  const auto end = from.end() - static_cast<std::ptrdiff_t>(most);
  std::nth_element(from.begin(), end, from.end(), [](const auto& a, const auto& b) {
    return std::tie(a->second.fetched, a->second.heard) < std::tie(b->second.fetched, b->second.heard);
  });
  for (auto it = from.begin(); it != end; ++it) wishes_.erase(*it);
  displaced_ += from.size() - most;
  return true;
}

void DemandBook::make_room_at(const Sender& from, std::size_t for_more) {
  if (from == Sender{} || !displace(places_of(from), limits_.of_one_address - for_more)) return;
  const picket::Address address{from};
  // The first one stays: an attack from many addresses must not be a new warning each minute.
  if (time_ >= at_one_address_.until)
    at_one_address_.text = cat(address.text(), address.is_v4() ? "" : "/64", " names more than ", std::to_string(limits_.of_one_address), " devices (setting max_devices_per_address)", kWhoGoes);
  at_one_address_.until = time_ + kTellCrowdFor;
}

void DemandBook::make_room(std::size_t for_more) {
  if (wishes_.size() + for_more > limits_.devices && displace(places(), limits_.devices - for_more)) in_all_ = {{}, time_ + kTellCrowdFor};
}

void DemandBook::trim() {
  std::set<Sender> senders;
  for (const auto& [name, wish] : wishes_) senders.insert(name.from);
  for (const auto& from : senders) make_room_at(from, 0);   // first: who names too many pushes nobody else out
  make_room(0);
}

Result<> DemandBook::announce(const picket::Address& from, Announcement announcement, std::int64_t now) {
  const Name name{sender_of(from), std::move(announcement.device)};
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto heard = time(now);
    take_fetches();
    Wish wish{std::move(announcement.wants), heard, heard, false};
    const auto known = wishes_.find(name);
    if (known != wishes_.end()) {
      wish.fetched = known->second.fetched;
      if (known->second.wants == wish.wants) {
        // That it is still there is no news; a kill may cost an hour of it.
        known->second.heard = heard;
        if (must_rewrite_) return rewrite();
        if (heard - known->second.kept >= kKeepHeardEvery && append(record_of(name, wish))) wishes_[name] = std::move(wish);
        return {};
      }
    }
    auto written = append(record_of(name, wish));
    if (!written) return fail(std::move(written).error(), "a wish that cannot be kept is not taken");
    number = *written;
    wishes_.erase({{}, name.device});
    if (!wishes_.contains(name)) {
      make_room_at(name.from, 1);
      make_room(1);
    }
    wishes_[name] = std::move(wish);
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
  std::map<ComponentVariant, std::set<std::string>> by;   // a name at two addresses is one asker
  for (const auto& [name, wish] : wishes_)
    for (const auto& want : wish.wants) by[want].insert(name.device);
  std::map<ComponentVariant, std::vector<std::string>> out;
  for (auto& [want, devices] : by) out[want].assign(devices.begin(), devices.end());
  return out;
}

DemandBook::Counts DemandBook::counts() const {
  const std::lock_guard lock(mutex_);
  return {wishes_.size(), limits_.devices, displaced_};
}

std::string DemandBook::crowding(std::int64_t now) {
  const std::lock_guard lock(mutex_);
  const auto passed = time(now);
  std::string out;
  if (passed < in_all_.until && !in_all_.text.empty()) out = in_all_.text;
  else if (passed < in_all_.until || wishes_.size() >= limits_.devices)
    out = cat("as many devices are known as setting max_devices allows (", std::to_string(limits_.devices), "), and others take their places", kWhoGoes);
  if (passed < at_one_address_.until) out += cat(out.empty() ? "" : "; ", at_one_address_.text);
  return out;
}

}  // namespace distribution_point
