#include "outbox.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "content_kind.hpp"
#include "ksn/limits.hpp"

namespace ksn_client {
namespace {

constexpr std::size_t kMostPath = 4096;

}  // namespace

bool Outbox::Part::holds(const Part& other) const {
  const auto end = [](const Part& part) { return part.bytes == 0 || part.bytes > UINT64_MAX - part.first ? UINT64_MAX : part.first + part.bytes; };
  return digest == other.digest && first <= other.first && end(*this) >= end(other);
}

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
      wishes_.front().file = content->file;
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

void Outbox::failed(const Message& message) {
  const std::lock_guard lock(mutex_);
  if (message.emptied != emptied_ || !message.is_content() || !is_first(message.content)) return;
  wishes_.push_back(std::move(wishes_.front()));
  wishes_.pop_front();
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
  if (any || unsaved_ || !is_read_) save();
  is_read_ = true;
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
