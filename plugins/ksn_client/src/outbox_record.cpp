// What waits as it is kept on the disk: one record, with those of the KSNs that were set before in it.
#include <boost/json.hpp>

#include <algorithm>
#include <charconv>

#include "base/bytes.hpp"
#include "ksn/limits.hpp"
#include "outbox.hpp"

namespace ksn_client {
namespace {

namespace json = boost::json;

constexpr std::string_view kOutbox = "outbox";
constexpr std::size_t kMostCounters = 64;

// In the record. JSON makes up to six bytes of one, and more where a record lies in another: a path in which it would is written in base64. A path begins
// with '/', hence its base64 with 'L'.
std::string written(const std::string& path) {
  const bool is_plain = std::none_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\\'; });
  return is_plain ? path : picket::to_base64(path);
}

std::string path_written_as(std::string_view text) {
  if (text.starts_with('/')) return std::string(text);
  return picket::from_base64(text).value_or("");
}

}  // namespace

std::string Outbox::Part::text() const { return cat(picket::to_hex(digest), ":", std::to_string(first), ":", std::to_string(bytes)); }

std::optional<Outbox::Part> Outbox::Part::of(std::string_view text) {
  constexpr std::size_t kHex = 2 * picket::ksn::kDigestBytes;
  const auto digest = picket::from_hex(text.substr(0, kHex));
  if (!digest || digest->size() != picket::ksn::kDigestBytes || text.size() <= kHex || text[kHex] != ':') return std::nullopt;
  Part out{*digest};
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data() + kHex + 1, end, out.first);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return std::nullopt;
  const auto bytes = std::from_chars(first.ptr + 1, end, out.bytes);
  return bytes.ec == std::errc() && bytes.ptr == end ? std::optional(std::move(out)) : std::nullopt;
}

Outbox::Outbox(Keep keep, std::string& told, Warn warn) : keep_(std::move(keep)), warn_(std::move(warn)) {
  if (auto done = read(told); !done) told = cat(done.error().message, ": it is tried again");
}

Result<> Outbox::read(std::string& told) {
  std::unique_lock lock(mutex_);
  if (is_read_) return {};
  const auto text = keep_.load(kOutbox);
  if (!text && text.error().code != Code::not_found) return picket::fail(text.error(), "what waits to be sent to KSN cannot be read");
  is_read_ = true;
  if (!text) return {};
  auto ksn = std::exchange(ksn_, {});
  if (auto taken = take_up(*text); !taken) told = cat("what waited to be sent to KSN cannot be read and is dropped: ", taken.error().message);
  if (!ksn.empty()) (void)belong_to(std::move(ksn), {}, std::move(lock));  // it was told so meanwhile
  return {};
}

Result<> Outbox::take_up(const std::string& record) {
  boost::system::error_code error;
  const auto value = json::parse(record, error);
  try {
    const auto& members = value.as_object();
    for (const auto& item : members.at("statistics").as_array()) {
      v1::StatisticsRequest request;
      if (const auto bytes = picket::from_base64(item.as_string()); bytes && request.ParseFromString(*bytes) && statistics_.size() < kMostStatistics) statistics_.push_back(request);
    }
    for (const auto& item : members.at("wishes").as_array()) {
      const auto& wish = item.as_object();
      const auto digest = picket::from_hex(wish.at("digest").as_string());
      if (!digest || wishes_.size() >= kMostWishes) continue;
      wishes_.push_back({{*digest, wish.at("first").to_number<std::uint64_t>(), wish.at("bytes").to_number<std::uint64_t>()}, std::string(wish.at("type").as_string())});
      paths_[*digest] = {path_written_as(wish.at("path").as_string()), ++turn_};
    }
    for (const auto& item : members.at("done").as_array())
      if (auto part = Part::of(std::string_view(item.as_string())); part && done_.size() < kMostDone) done_.push_back(std::move(*part));
    period_began_ = members.at("period_began").as_int64();
    day_ = members.at("day").as_int64();
    day_bytes_ = members.at("day_bytes").to_number<std::uint64_t>();
    for (const auto& id : members.at("ksn").as_array()) ksn_.emplace_back(id.as_string());
    for (const auto& other : members.at("aside").as_array()) aside_.emplace_back(other.as_string());
    for (const auto& [name, sum] : members.at("counted").as_object())
      if (period_counted_.size() < kMostCounters) period_counted_[std::string(name)] = sum.to_number<std::uint64_t>();
  } catch (const std::exception& e) {
    forget();
    return picket::fail(Code::invalid, e.what());
  }
  return {};
}

std::string Outbox::record(const std::deque<std::string>& aside) const {
  json::array statistics, wishes, done;
  json::object counted;
  for (const auto& [name, sum] : period_counted_) counted[name] = sum;
  for (const auto& request : statistics_) statistics.emplace_back(picket::to_base64(request.SerializeAsString()));
  for (const auto& wish : wishes_) {
    const auto path = paths_.find(wish.part.digest);
    wishes.push_back(json::object{{"digest", picket::to_hex(wish.part.digest)}, {"type", wish.type}, {"first", wish.part.first}, {"bytes", wish.part.bytes}, {"path", path == paths_.end() ? std::string() : written(path->second.path)}});
  }
  for (const auto& part : done_) done.emplace_back(part.text());
  json::array ksn(ksn_.begin(), ksn_.end());
  return json::serialize(json::object{{"statistics", std::move(statistics)},
                                      {"wishes", std::move(wishes)},
                                      {"done", std::move(done)},
                                      {"counted", std::move(counted)},
                                      {"ksn", std::move(ksn)},
                                      {"aside", json::array(aside.begin(), aside.end())},
                                      {"period_began", period_began_},
                                      {"day", day_},
                                      {"day_bytes", day_bytes_}});
}

void Outbox::save() { unsaved_ = !keep_.store(kOutbox, record(aside_)); }

std::size_t Outbox::size_within(const std::string& record) { return json::serialize(json::string(record)).size(); }

std::size_t Outbox::waiting_in(const std::deque<std::string>& records) {
  std::size_t out = 0;
  for (const auto& record : records) {
    boost::system::error_code error;
    const auto value = json::parse(record, error);
    for (const auto* name : {"/statistics", "/wishes"})
      if (const auto* list = value.find_pointer(name, error); list != nullptr && list->is_array()) out += list->get_array().size();
  }
  return out;
}

}  // namespace ksn_client
