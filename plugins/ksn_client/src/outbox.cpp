#include "outbox.hpp"

#include <boost/json.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "content_kind.hpp"
#include "file_time.hpp"
#include "ksn/limits.hpp"

namespace ksn_client {
namespace {

namespace json = boost::json;

constexpr std::string_view kRecord = "outbox";
constexpr std::size_t kMostPath = 4096, kMostCounters = 64;
constexpr std::uint64_t kMostOfPart = 16;  // times the limit: a file of which a part may be sent

// The whole file must be the one that is wished for: it may have changed since it was asked about.
Result<std::string> digest_of_file(int fd) {
  picket::Digest digest;
  std::string block(1 << 17, '\0');
  for (off_t at = 0;;) {
    const auto got = ::pread(fd, block.data(), block.size(), at);
    if (got < 0) return picket::fail_errno("read");
    if (got == 0) return digest.finish_hex();
    digest.update(std::string_view(block).substr(0, static_cast<std::size_t>(got)));
    at += got;
  }
}

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

bool share_one(const std::vector<std::string>& a, const std::vector<std::string>& b) { return std::find_first_of(a.begin(), a.end(), b.begin(), b.end()) != a.end(); }

// Statistics and files in these records.
std::size_t waiting_in(const std::deque<std::string>& records) {
  std::size_t out = 0;
  for (const auto& record : records) {
    boost::system::error_code error;
    const auto value = json::parse(record, error);
    for (const auto* name : {"/statistics", "/wishes"})
      if (const auto* list = value.find_pointer(name, error); list != nullptr && list->is_array()) out += list->get_array().size();
  }
  return out;
}

}  // namespace

bool Outbox::Part::holds(const Part& other) const {
  const auto end = [](const Part& part) { return part.bytes == 0 || part.bytes > UINT64_MAX - part.first ? UINT64_MAX : part.first + part.bytes; };
  return digest == other.digest && first <= other.first && end(*this) >= end(other);
}

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
  const auto text = keep_.load(kRecord);
  if (!text) return;
  if (auto taken = take_up(*text); !taken) told = cat("what waited to be sent to KSN cannot be read and is dropped: ", taken.error().message);
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

void Outbox::save() { unsaved_ = !keep_.store(kRecord, record(aside_)); }

void Outbox::use(Limits limits, const Sums& sums, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  if (limits.extended && !limits_.extended) last_sums_ = sums;
  limits_ = std::move(limits);
  refused_.clear();
  if (!limits_.extended) {
    (void)empty();
    return;
  }
  if (period_began_ == 0 || period_began_ > now) period_began_ = now;
  if (kept_at_ == 0) kept_at_ = now;
}

std::size_t Outbox::belong_to(std::vector<std::string> ksn, const Sums& sums) {
  std::deque<std::string> lost;
  std::size_t out = 0;
  {
    const std::lock_guard lock(mutex_);
    if (ksn == ksn_) return 0;
    if (!ksn_.empty() && !share_one(ksn_, ksn)) {
      if (limits_.extended) (void)add(sums);
      limits_.extended = false;
      out = statistics_.size() + wishes_.size();
      lost = put_aside(ksn);
    }
    ksn_ = std::move(ksn);
    if (!lost.empty() || !aside_.empty() || !statistics_.empty() || !wishes_.empty() || !period_counted_.empty() || !done_.empty()) save();
  }
  say_given_up("there is no room for all that waits for KSNs that were set before: what was left first", lost);
  return out;
}

// Under the lock. Takes up what waits for `ksn`. Says what there is no room for.
std::deque<std::string> Outbox::put_aside(const std::vector<std::string>& ksn) {
  const auto day = day_;
  const auto day_bytes = day_bytes_;  // whoever got them
  auto all = std::exchange(aside_, {});
  // One of which nothing waits, and that took nothing either, was a mistake: it needs no room.
  if (!statistics_.empty() || !wishes_.empty() || !period_counted_.empty() || !done_.empty()) all.push_back(record({}));
  const auto drop = [this] {
    forget();
    done_.clear();
    ksn_.clear();
  };
  drop();
  const auto back = std::find_if(all.begin(), all.end(), [&](const std::string& one) {
    if (take_up(one) && share_one(ksn_, ksn)) return true;
    drop();
    return false;
  });
  if (back != all.end()) all.erase(back);
  day_ = day;
  day_bytes_ = day_bytes;
  const auto written_size = [](const std::string& one) { return json::serialize(json::string(one)).size(); };
  std::size_t bytes = 0;
  while (!all.empty() && (bytes += written_size(all.back())) <= kMostAsideBytes) {
    aside_.push_front(std::move(all.back()));
    all.pop_back();
  }
  return all;
}

void Outbox::seen(std::string_view digest, std::string_view path) {
  if (digest.size() != picket::ksn::kDigestBytes || path.empty() || path.front() != '/' || path.size() > kMostPath) return;
  const std::lock_guard lock(mutex_);
  if (!limits_.extended || limits_.kinds.empty()) return;
  if (paths_.size() >= kMostPaths && !paths_.contains(digest)) {
    // The older half goes, but for what is wished for.
    const auto old = turn_ - kMostPaths / 2;
    std::erase_if(paths_, [&](const auto& entry) {
      return entry.second.turn < old && std::none_of(wishes_.begin(), wishes_.end(), [&](const Wish& wish) { return wish.part.digest == entry.first; });
    });
    if (paths_.size() >= kMostPaths) return;
  }
  paths_[std::string(digest)] = {std::string(path), ++turn_};
}

bool Outbox::wish(const v1::Wish& wanted) {
  const std::lock_guard lock(mutex_);
  if (!limits_.extended || limits_.kinds.empty() || wishes_.size() >= kMostWishes) return false;
  if (wanted.digest().size() != picket::ksn::kDigestBytes || !paths_.contains(wanted.digest())) return false;  // only what lies here and was asked about
  if (!wanted.type().empty() && std::find(kContentKinds.begin(), kContentKinds.end(), wanted.type()) == kContentKinds.end()) return false;
  const Part part{wanted.digest(), wanted.first(), wanted.bytes()};
  const auto holds = [&](const Part& known) { return known.holds(part); };
  if (std::any_of(done_.begin(), done_.end(), holds) || std::find(refused_.begin(), refused_.end(), part) != refused_.end()) return false;
  if (std::any_of(wishes_.begin(), wishes_.end(), [&](const Wish& known) { return known.part.holds(part); })) return false;
  wishes_.push_back({part, wanted.type()});
  save();
  return true;
}

std::int64_t Outbox::counts_at() const {
  const std::lock_guard lock(mutex_);
  return limits_.extended ? std::min(period_began_ + std::chrono::seconds(limits_.period).count(), kept_at_ + kKeepSeconds) : 0;
}

void Outbox::say_given_up(std::string_view what, const std::deque<std::string>& records) const {
  if (const auto count = waiting_in(records); count > 0 && warn_)
    warn_(cat(what, " is given up (statistics and files: ", std::to_string(count), ")"));
}

// Under the lock.
bool Outbox::add(const Sums& sums) {
  bool any = false;
  for (const auto& [name, sum] : sums) {
    const auto last = last_sums_.find(name);
    const auto since = sum - (last == last_sums_.end() ? 0 : std::min(last->second, sum));
    if (since != 0) period_counted_[name] += since;
    any = any || since != 0;
  }
  last_sums_ = sums;
  return any;
}

void Outbox::counted(const Sums& sums, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  if (!limits_.extended) return;
  period_began_ = std::min(period_began_, now);  // the clock was set back
  const bool over = now >= period_began_ + std::chrono::seconds(limits_.period).count();
  if (!over && now >= kept_at_ && now < kept_at_ + kKeepSeconds) return;
  kept_at_ = now;
  const bool news = add(sums);
  if (over) {
    v1::StatisticsRequest request;
    request.set_id(picket::random_bytes(16));
    request.set_from(period_began_);
    request.set_to(now);
    for (const auto& [name, sum] : period_counted_) (*request.mutable_counters())[name] = sum;
    period_counted_.clear();
    period_began_ = now;
    if (statistics_.size() >= kMostStatistics) statistics_.pop_front();  // the oldest
    if (!request.counters().empty()) statistics_.push_back(std::move(request));
  }
  if (over || news || unsaved_) save();
}

void Outbox::keep_counted(const Sums& sums) {
  const std::lock_guard lock(mutex_);
  if (limits_.extended && (add(sums) || unsaved_)) save();
}

std::optional<Outbox::Read> Outbox::read(const Wish& wish, const std::string& path, const Limits& limits, bool only_look) const {
  const Key key = key_of(v1::OBJECT_FILE, wish.part.digest);
  if (limits.local && limits.local->find({&key, 1})) return std::nullopt;
  const picket::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const auto& [wanted, first, most] = wish.part;
  if (first >= size) return std::nullopt;
  const std::uint64_t bytes = most == 0 ? size - first : std::min(most, size - first);
  // Even for a part the whole file is read, for its digest.
  if (bytes > limits.most_bytes || size / kMostOfPart > limits.most_bytes) {
    if (!only_look && warn_)
      warn_(cat("KSN wishes for ", std::to_string(bytes), " bytes of ", path, ", which has ", std::to_string(size), ": more than the setting content_mb allows, of a whole file ",
                std::to_string(kMostOfPart), " times as much; not sent"));
    return std::nullopt;
  }
  Read out{{}, {info.st_dev, info.st_ino, size, in_ns(info.st_mtim), in_ns(info.st_ctim)}};
  out.request.set_digest(wanted);
  out.request.set_size(size);
  out.request.set_first(first);
  out.request.set_bytes(most);
  std::string head(512, '\0');
  const auto begin = ::pread(fd.get(), head.data(), head.size(), 0);
  const auto kind = kind_of_content(std::string_view(head).substr(0, static_cast<std::size_t>(std::max<ssize_t>(begin, 0))));
  if (kind.empty() || std::find(limits.kinds.begin(), limits.kinds.end(), kind) == limits.kinds.end() || (!wish.type.empty() && wish.type != kind)) return std::nullopt;
  if (!wish.asked_held && only_look) return out;
  if (!wish.asked_held) {
    const auto digest = digest_of_file(fd.get());
    if (!digest || *digest != picket::to_hex(wanted)) return std::nullopt;
    return out;
  }
  if (out.identity != wish.identity || wish.held >= bytes) return std::nullopt;
  out.request.set_offset(wish.held);
  std::string part(static_cast<std::size_t>(std::min<std::uint64_t>(bytes - wish.held, picket::ksn::kMostPartBytes)), '\0');
  if (!only_look && ::pread(fd.get(), part.data(), part.size(), static_cast<off_t>(first + wish.held)) != static_cast<ssize_t>(part.size())) return std::nullopt;
  out.request.set_part(std::move(part));
  return out;
}

std::optional<Outbox::Message> Outbox::next(bool statistics_permitted, bool content_permitted, std::int64_t now) {
  std::unique_lock lock(mutex_);
  if (!limits_.extended) return std::nullopt;
  Message message;
  message.emptied = emptied_;
  if (statistics_permitted && !statistics_.empty()) {
    message.path = "/ksn/v1/statistics";
    message.statistics = statistics_.front();
    return message;
  }
  if (!content_permitted) return std::nullopt;
  if (day_ != now / 86400) {
    day_ = now / 86400;
    day_bytes_ = 0;
  }
  while (!wishes_.empty() && day_bytes_ < limits_.most_bytes_per_day) {
    const Wish wish = wishes_.front();
    const std::string path = path_of(wish);
    const Limits limits = limits_;
    message.emptied = emptied_;
    lock.unlock();
    auto content = path.empty() ? std::nullopt : read(wish, path, limits);
    lock.lock();
    // Cleared meanwhile, or policy is another: look again.
    if (!limits_.extended) return std::nullopt;
    if (limits_ != limits || message.emptied != emptied_ || wishes_.empty() || wishes_.front().part != wish.part) continue;
    if (content) {
      wishes_.front().identity = content->identity;
      message.path = "/ksn/v1/content";
      message.content = std::move(content->request);
      return message;
    }
    if (refused_.size() >= kMostDone) refused_.pop_front();
    refused_.push_back(std::move(wishes_.front().part));
    wishes_.pop_front();
    save();
  }
  return std::nullopt;
}

std::string Outbox::path_of(const Wish& wish) const {
  const auto known = paths_.find(wish.part.digest);
  return known == paths_.end() ? std::string() : known->second.path;
}

std::optional<Outbox::Message> Outbox::look(bool statistics_permitted, bool content_permitted, std::int64_t now) const {
  std::vector<std::pair<Wish, std::string>> wishes;
  Limits limits;
  {
    const std::lock_guard lock(mutex_);
    if (!limits_.extended) return std::nullopt;
    if (statistics_permitted && !statistics_.empty()) return Message{"/ksn/v1/statistics", statistics_.front(), {}, emptied_};
    if (!content_permitted || (day_ == now / 86400 && day_bytes_ >= limits_.most_bytes_per_day)) return std::nullopt;
    for (const auto& wish : wishes_) wishes.emplace_back(wish, path_of(wish));
    limits = limits_;
  }
  for (const auto& [wish, path] : wishes)
    if (auto content = path.empty() ? std::nullopt : read(wish, path, limits, true)) return Message{"/ksn/v1/content", {}, std::move(content->request), 0};
  return std::nullopt;
}

bool Outbox::is_first(const v1::ContentRequest& content) const {
  return !wishes_.empty() && wishes_.front().part == Part{content.digest(), content.first(), content.bytes()};
}

void Outbox::first_is_done() {
  done_.push_back(std::move(wishes_.front().part));
  wishes_.pop_front();
  if (done_.size() > kMostDone) done_.pop_front();
}

void Outbox::sent(const Message& message, const v1::ContentReply* reply, std::int64_t now) {
  std::deque<std::string> others;
  {
    const std::lock_guard lock(mutex_);
    if (message.emptied != emptied_) return;
    others = std::exchange(aside_, {});  // this KSN is really in use
    note_sent(message, reply, now);
    save();
  }
  say_given_up("another KSN has taken what came since: what waited for those before", others);
}

void Outbox::note_sent(const Message& message, const v1::ContentReply* reply, std::int64_t now) {
  if (!message.is_content()) {
    if (!statistics_.empty() && statistics_.front().id() == message.statistics.id()) statistics_.pop_front();
    return;
  }
  if (!is_first(message.content)) return;
  auto& wish = wishes_.front();
  day_ = now / 86400;
  day_bytes_ += message.content.part().size();
  const bool moved = !wish.asked_held || (reply != nullptr && reply->held() > wish.held);
  wish.asked_held = true;
  wish.held = reply != nullptr ? reply->held() : wish.held;
  // A service that never has more after it got a part would be sent the same for ever.
  if (reply == nullptr || reply->complete() || !moved) {
    if (wish.part.bytes >= message.content.size() - wish.part.first) wish.part.bytes = 0;  // to its end
    first_is_done();
  }
}

void Outbox::given_up(const Message& message) {
  const std::lock_guard lock(mutex_);
  if (message.emptied != emptied_) return;
  if (message.is_content()) {
    if (is_first(message.content)) first_is_done();
  } else if (!statistics_.empty() && statistics_.front().id() == message.statistics.id()) {
    statistics_.pop_front();
  }
  save();
}

bool Outbox::is_void(const Message& message) const {
  const std::lock_guard lock(mutex_);
  return message.emptied != emptied_;
}

std::size_t Outbox::waiting() const {
  const std::lock_guard lock(mutex_);
  return statistics_.size() + wishes_.size();
}

std::size_t Outbox::clear() {
  const std::lock_guard lock(mutex_);
  limits_.extended = false;
  return empty();
}

// Under the lock.
std::size_t Outbox::empty() {
  const auto count = statistics_.size() + wishes_.size() + waiting_in(aside_);
  const bool any = count != 0 || !period_counted_.empty() || period_began_ != 0 || !aside_.empty();
  forget();
  aside_.clear();
  if (any || unsaved_) save();
  return count;
}

// Under the lock.
void Outbox::forget() {
  ++emptied_;
  statistics_.clear();
  wishes_.clear();
  paths_.clear();
  period_counted_.clear();
  period_began_ = kept_at_ = 0;
}

}  // namespace ksn_client
