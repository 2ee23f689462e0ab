#include "outbox.hpp"

#include <boost/json.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "ksn/limits.hpp"

namespace ksn_client {
namespace {

namespace json = boost::json;

constexpr std::string_view kRecord = "outbox";
constexpr std::size_t kMostPath = 4096, kMostCounters = 64;

bool starts(std::string_view head, std::string_view with) { return head.starts_with(with); }

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

}  // namespace

std::string_view kind_of_content(std::string_view head) {
  using namespace std::string_view_literals;
  if (starts(head, "\x7f"
                   "ELF"sv) || starts(head, "MZ"sv) || starts(head, "\xca\xfe\xba\xbe"sv) || starts(head, "\xcf\xfa\xed\xfe"sv))
    return "executable";
  if (starts(head, "#!"sv)) return "script";
  for (const auto magic : {"%PDF"sv, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv, "{\\rtf"sv})
    if (starts(head, magic)) return "document";
  // Office files are archives with these names first.
  if (starts(head, "PK\3\4"sv)) return head.find("[Content_Types].xml") != std::string_view::npos || head.find("mimetypeapplication/vnd.oasis") != std::string_view::npos ? "document" : "archive";
  for (const auto magic : {"\x1f\x8b"sv, "7z\xbc\xaf\x27\x1c"sv, "Rar!"sv, "\xfd" "7zXZ"sv, "BZh"sv, "\x28\xb5\x2f\xfd"sv, "!<arch>\n"sv})
    if (starts(head, magic)) return "archive";
  return {};
}

std::string Outbox::name_of(std::string_view digest, std::uint64_t first, std::uint64_t bytes) {
  return cat(picket::to_hex(digest), ":", std::to_string(first), ":", std::to_string(bytes));
}

Outbox::Outbox(Keep keep, std::string& told) : keep_(std::move(keep)) {
  const auto text = keep_.load(kRecord);
  if (!text) return;
  boost::system::error_code error;
  const auto value = json::parse(*text, error);
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
      wishes_.push_back({*digest, std::string(wish.at("type").as_string()), wish.at("first").to_number<std::uint64_t>(), wish.at("bytes").to_number<std::uint64_t>()});
      paths_[*digest] = {std::string(wish.at("path").as_string()), ++turn_};
    }
    for (const auto& item : members.at("done").as_array()) {
      if (done_.size() >= kMostDone) break;
      if (done_.insert(std::string(item.as_string())).second) done_order_.emplace_back(item.as_string());
    }
    period_began_ = members.at("period_began").as_int64();
    day_ = members.at("day").as_int64();
    day_bytes_ = members.at("day_bytes").to_number<std::uint64_t>();
    if (const auto* counted = members.if_contains("counted"))  // older records have none
      for (const auto& [name, sum] : counted->as_object())
        if (period_counted_.size() < kMostCounters) period_counted_[std::string(name)] = sum.to_number<std::uint64_t>();
  } catch (const std::exception& e) {
    told = cat("what waited to be sent to KSN cannot be read and is dropped: ", e.what());
    statistics_.clear();
    wishes_.clear();
    period_counted_.clear();
  }
}

void Outbox::save() {
  json::array statistics, wishes, done;
  json::object counted;
  for (const auto& [name, sum] : period_counted_) counted[name] = sum;
  for (const auto& request : statistics_) statistics.emplace_back(picket::to_base64(request.SerializeAsString()));
  for (const auto& wish : wishes_) {
    const auto path = paths_.find(wish.digest);
    wishes.push_back(json::object{{"digest", picket::to_hex(wish.digest)}, {"type", wish.type}, {"first", wish.first}, {"bytes", wish.bytes}, {"path", path == paths_.end() ? std::string() : path->second.path}});
  }
  for (const auto& name : done_order_) done.emplace_back(name);
  (void)keep_.store(kRecord, json::serialize(json::object{{"statistics", std::move(statistics)},
                                                          {"wishes", std::move(wishes)},
                                                          {"done", std::move(done)},
                                                          {"counted", std::move(counted)},
                                                          {"period_began", period_began_},
                                                          {"day", day_},
                                                          {"day_bytes", day_bytes_}}));
}

void Outbox::use(Limits limits, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  limits_ = std::move(limits);
  if (period_began_ == 0 || period_began_ > now) period_began_ = now;
}

void Outbox::seen(std::string_view digest, std::string_view path) {
  if (digest.size() != picket::ksn::kDigestBytes || path.empty() || path.front() != '/' || path.size() > kMostPath) return;
  const std::lock_guard lock(mutex_);
  if (!limits_.extended || limits_.kinds.empty()) return;
  if (paths_.size() >= kMostPaths && !paths_.contains(digest)) {
    // The older half goes, but for what is wished for.
    const auto old = turn_ - kMostPaths / 2;
    std::erase_if(paths_, [&](const auto& entry) {
      return entry.second.turn < old && std::none_of(wishes_.begin(), wishes_.end(), [&](const Wish& wish) { return wish.digest == entry.first; });
    });
    if (paths_.size() >= kMostPaths) return;
  }
  paths_[std::string(digest)] = {std::string(path), ++turn_};
}

bool Outbox::wish(const v1::Wish& wish) {
  const std::lock_guard lock(mutex_);
  if (!limits_.extended || limits_.kinds.empty() || wishes_.size() >= kMostWishes) return false;
  if (wish.digest().size() != picket::ksn::kDigestBytes || !paths_.contains(wish.digest())) return false;  // only what lies here and was asked about
  if (done_.contains(name_of(wish.digest(), wish.first(), wish.bytes()))) return false;
  for (const auto& known : wishes_)
    if (known.digest == wish.digest() && known.first == wish.first() && known.bytes == wish.bytes()) return false;
  wishes_.push_back({wish.digest(), wish.type(), wish.first(), wish.bytes()});
  save();
  return true;
}

std::int64_t Outbox::next_statistics() const {
  const std::lock_guard lock(mutex_);
  return limits_.extended && period_began_ != 0 ? period_began_ + std::chrono::seconds(limits_.period).count() : 0;
}

// Under the lock.
void Outbox::add(const Sums& sums) {
  for (const auto& [name, sum] : sums) {
    const auto last = last_sums_.find(name);
    const auto since = sum - (last == last_sums_.end() ? 0 : std::min(last->second, sum));
    if (since != 0) period_counted_[name] += since;
  }
  last_sums_ = sums;
}

void Outbox::counted(const Sums& sums, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  if (!limits_.extended || now < period_began_ + std::chrono::seconds(limits_.period).count()) return;
  add(sums);
  v1::StatisticsRequest request;
  request.set_id(picket::random_bytes(16));
  request.set_from(period_began_);
  request.set_to(now);
  for (const auto& [name, sum] : period_counted_) (*request.mutable_counters())[name] = sum;
  period_counted_.clear();
  period_began_ = now;
  if (!request.counters().empty()) {
    if (statistics_.size() >= kMostStatistics) statistics_.pop_front();  // the oldest
    statistics_.push_back(std::move(request));
  }
  save();
}

void Outbox::keep_counted(const Sums& sums) {
  const std::lock_guard lock(mutex_);
  if (!limits_.extended) return;  // without consent nothing is gathered
  add(sums);
  if (!period_counted_.empty()) save();
}

std::optional<v1::ContentRequest> Outbox::part_of(const Wish& wish, const std::string& path, const Limits& limits) {
  const picket::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (wish.first >= size) return std::nullopt;
  const std::uint64_t bytes = wish.bytes == 0 ? size - wish.first : std::min(wish.bytes, size - wish.first);
  if (bytes > limits.most_bytes || size > limits.most_bytes * 16) return std::nullopt;
  v1::ContentRequest request;
  request.set_digest(wish.digest);
  request.set_size(size);
  request.set_first(wish.first);
  request.set_bytes(wish.bytes);
  if (!wish.asked_held) {
    std::string head(512, '\0');
    const auto got = ::pread(fd.get(), head.data(), head.size(), 0);
    const auto kind = kind_of_content(std::string_view(head).substr(0, static_cast<std::size_t>(std::max<ssize_t>(got, 0))));
    if (kind.empty() || std::find(limits.kinds.begin(), limits.kinds.end(), kind) == limits.kinds.end() || (!wish.type.empty() && wish.type != kind)) return std::nullopt;
    const auto digest = digest_of_file(fd.get());
    if (!digest || *digest != picket::to_hex(wish.digest)) return std::nullopt;  // another file lies there now
    return request;
  }
  if (wish.held >= bytes) return std::nullopt;
  request.set_offset(wish.held);
  std::string part(static_cast<std::size_t>(std::min<std::uint64_t>(bytes - wish.held, picket::ksn::kMostPartBytes)), '\0');
  const auto got = ::pread(fd.get(), part.data(), part.size(), static_cast<off_t>(wish.first + wish.held));
  if (got != static_cast<ssize_t>(part.size())) return std::nullopt;
  request.set_part(std::move(part));
  return request;
}

std::optional<Outbox::Message> Outbox::next(bool statistics_permitted, bool content_permitted, std::int64_t now) {
  std::unique_lock lock(mutex_);
  if (!limits_.extended) return std::nullopt;
  Message message;
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
    const auto known = paths_.find(wish.digest);
    const std::string path = known == paths_.end() ? std::string() : known->second.path;
    const Limits limits = limits_;
    lock.unlock();
    auto part = path.empty() ? std::nullopt : part_of(wish, path, limits);
    lock.lock();
    // Cleared meanwhile, or policy is another: look again.
    const bool same = !wishes_.empty() && wishes_.front().digest == wish.digest && wishes_.front().first == wish.first && wishes_.front().bytes == wish.bytes;
    if (!same || !limits_.extended) return std::nullopt;
    if (part) {
      message.path = "/ksn/v1/content";
      message.content = std::move(*part);
      return message;
    }
    drop_front();
    save();
  }
  return std::nullopt;
}

// Done, whatever became of it: it is not looked at again.
void Outbox::drop_front() {
  const auto& wish = wishes_.front();
  auto name = name_of(wish.digest, wish.first, wish.bytes);
  if (done_.insert(name).second) done_order_.push_back(std::move(name));
  while (done_order_.size() > kMostDone) {
    done_.erase(done_order_.front());
    done_order_.pop_front();
  }
  wishes_.pop_front();
}

void Outbox::sent(const Message& message, const v1::ContentReply* reply, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  if (!message.is_content()) {
    if (!statistics_.empty() && statistics_.front().id() == message.statistics.id()) statistics_.pop_front();
    return save();
  }
  if (wishes_.empty() || wishes_.front().digest != message.content.digest() || wishes_.front().first != message.content.first() || wishes_.front().bytes != message.content.bytes()) return;
  auto& wish = wishes_.front();
  day_ = now / 86400;
  day_bytes_ += message.content.part().size();
  const bool moved = !wish.asked_held || (reply != nullptr && reply->held() > wish.held);
  wish.asked_held = true;
  wish.held = reply != nullptr ? reply->held() : wish.held;
  // A service that never has more after it got a part would be sent the same for ever.
  if (reply == nullptr || reply->complete() || !moved) drop_front();
  save();
}

void Outbox::given_up(const Message& message) {
  const std::lock_guard lock(mutex_);
  if (message.is_content()) {
    if (!wishes_.empty() && wishes_.front().digest == message.content.digest()) drop_front();
  } else if (!statistics_.empty() && statistics_.front().id() == message.statistics.id()) {
    statistics_.pop_front();
  }
  save();
}

std::size_t Outbox::waiting() const {
  const std::lock_guard lock(mutex_);
  return statistics_.size() + wishes_.size();
}

std::size_t Outbox::clear() {
  const std::lock_guard lock(mutex_);
  const auto count = statistics_.size() + wishes_.size();
  statistics_.clear();
  wishes_.clear();
  paths_.clear();
  period_counted_.clear();
  period_began_ = 0;
  save();
  return count;
}

}  // namespace ksn_client
