#include "downloads.hpp"

#include <algorithm>
#include <ctime>

#include "base/progress.hpp"

namespace distribution_point {
namespace {

using picket::cat;
using picket::human_bytes;

constexpr std::size_t kMostOrders = 16;
constexpr int kMostNamed = 100;
constexpr std::size_t kMostShown = 48 * 1024;   // bytes of wishes in a status, which goes over the bus in one answer with the last result
constexpr std::chrono::seconds kCleanEvery(60);
constexpr const char* kProto = "application/x-protobuf; messageType=picket.distribution_point.v1.";

}  // namespace

Downloads::Downloads(Parts parts, const Settings& settings)
    : parts_(std::move(parts)), upstream_(parts_.asker, cancelled_),
      mirror_({parts_.store, upstream_, parts_.serve, [] { return static_cast<std::int64_t>(std::time(nullptr)); }, [this](std::string_view text) { parts_.host.info(text); }, {parts_.instance, settings.mirror.name}}),
      settings_(settings.mirror), interval_(settings.interval), next_(Clock::now() + settings.start_delay) {}

Downloads::~Downloads() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    cancelled_ = true;
  }
  wake_.notify_all();
  parts_.asker.stop();
  if (thread_.joinable()) thread_.join();
  for (const auto& order : orders_)
    for (const auto& asker : order.askers) asker->refuse(PICKET_E_UNAVAILABLE, "the distribution point is stopping");
}

void Downloads::start() {
  tell_space();
  show_health();
  thread_ = std::thread([this] { work(); });
}

void Downloads::apply(const Settings& settings) {
  {
    const std::lock_guard lock(mutex_);
    settings_ = settings.mirror;
    if (settings.interval != interval_) next_ = Clock::now() + settings.interval;
    interval_ = settings.interval;
  }
  tell_space();
  show_health();
  wake_.notify_all();
}

void Downloads::ask(const v1::DownloadRequest& request, std::shared_ptr<Answer> answer) {
  if (!request.overall_rule().empty() && !is_rule(request.overall_rule())) {
    answer->refuse(PICKET_E_INVALID, cat("overall_rule '", request.overall_rule().substr(0, 40), "' is none of strict, ignore-unsupported, any-ok"));
    return;
  }
  std::unique_lock lock(mutex_);
  // What is wanted is being done already.
  if (current_ && !current_->is_told && !cancelled_ && request.components().empty() && request.overall_rule() == current_->request.overall_rule()) {
    current_->askers.push_back(std::move(answer));
    return;
  }
  if (stopping_ || orders_.size() >= kMostOrders) {
    lock.unlock();
    answer->refuse(PICKET_E_BUSY, "too many downloads are asked for at once");
    return;
  }
  orders_.push_back({request, {std::move(answer)}});
  wake_.notify_all();
}

void Downloads::on_credit(std::uint64_t request_id, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto tell = [&](const Order& order) {
    for (const auto& asker : order.askers)
      if (asker->id() == request_id) asker->on_credit(bytes);
  };
  if (current_) tell(*current_);
  for (const auto& order : orders_) tell(order);
}

void Downloads::cancel(std::uint64_t request_id) {
  const std::lock_guard lock(mutex_);
  const auto leave = [&](Order& order) {
    return std::erase_if(order.askers, [&](const auto& asker) {
      if (asker->id() != request_id) return false;
      asker->abandon();
      return true;
    }) > 0;
  };
  // The last one who waits ends it; a download that nobody asked for goes on.
  if (current_ && leave(*current_) && current_->askers.empty()) {
    cancelled_ = true;
    parts_.asker.wake();
  }
  std::erase_if(orders_, [&](Order& order) { return leave(order) && order.askers.empty(); });
}

void Downloads::work() {
  auto next_clean = Clock::now() + kCleanEvery;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = Clock::now();
    if (interval_.count() > 0 && now >= next_ && orders_.empty()) orders_.push_back({});
    if (!orders_.empty()) {
      current_ = std::move(orders_.front());
      orders_.pop_front();
      cancelled_ = false;
      lock.unlock();
      Order order{current_->request, {}};
      perform(order);
      lock.lock();
      current_.reset();
      const bool failed = last_ && last_->points(0).result_class() == kFailed;
      failures_ = failed ? failures_ + 1 : 0;
      next_ = Clock::now() + until_next(interval_, failures_);
      continue;
    }
    if (now >= next_clean) {
      next_clean = now + kCleanEvery;
      const auto grace = settings_.grace;
      const auto verify = settings_.verify_stored;
      lock.unlock();
      mirror_.clean(grace);
      if (verify.count() > 0 && now >= next_round_) look_for_damage(portion_of(parts_.store.stored_bytes(), verify));
      tell_wishes();
      tell_space();
      show_health();
      lock.lock();
      continue;
    }
    wake_.wait_until(lock, interval_.count() > 0 ? std::min(next_, next_clean) : next_clean);
  }
}

// What is damaged is not served any more, and the download that brings it again begins at once.
void Downloads::look_for_damage(std::uint64_t bytes) {
  const auto portion = bytes == 0 ? mirror_.look_for_damage() : mirror_.look_for_damage(bytes, [this] {
    const std::lock_guard lock(mutex_);
    return stopping_ || (current_ ? cancelled_.load() : !orders_.empty());
  });
  for (const auto& name : portion.damaged) warn("damaged", cat(name, " is damaged on this computer's disk: it is not served any more, and will be fetched again"));
  const std::lock_guard lock(mutex_);
  if (round_began_ == Clock::time_point{}) round_began_ = Clock::now();
  if (portion.is_round_over) next_round_ = std::exchange(round_began_, {}) + settings_.verify_stored;
  if (!portion.damaged.empty() && !current_ && orders_.empty()) orders_.push_back({});
}

void Downloads::perform(Order& order) {
  MirrorSettings settings;
  bool is_ordered = false;
  {
    const std::lock_guard lock(mutex_);
    settings = settings_;
    is_ordered = !current_->askers.empty();
  }
  look_for_damage(settings.verify_stored.count() == 0 ? 0 : portion_of(parts_.store.stored_bytes(), settings.verify_stored));
  v1::DownloadResult result;
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  result.set_run(order.request.run() != 0 ? order.request.run() : static_cast<std::uint64_t>(now));
  result.set_started(now);
  const auto devices = settings.device_demand ? parts_.demand.wants(DemandBook::clock()) : Wishes();
  const auto progress = [&](const v1::DownloadProgress& message) {
    const auto bytes = message.SerializeAsString();
    const std::lock_guard lock(mutex_);
    // Without credit a line of progress is lost, nothing more.
    for (const auto& asker : current_->askers) (void)asker->offer_message(bytes);
  };
  *result.add_points() = mirror_.run(settings, devices, {order.request.components().begin(), order.request.components().end()}, progress, cancelled_, result.run(), is_ordered);
  result.set_finished(static_cast<std::int64_t>(std::time(nullptr)));
  judge(order.request.overall_rule().empty() ? settings.overall_rule : order.request.overall_rule(), result);

  const auto& point = result.points(0);
  parts_.host.log(point.result_class() == kOk ? PICKET_LOG_INFO : PICKET_LOG_WARNING,
                  cat("download: ", point.result_class(), point.reason().empty() ? "" : ": ", point.reason(), "; ", std::to_string(point.files()), " files, ", human_bytes(point.bytes()),
                      point.published() ? cat(", published set ", std::to_string(point.set())) : std::string(", nothing new to publish")));
  for (const auto& missing : point.missing())
    if (missing.find("quota") != missing.npos || missing.find("disk") != missing.npos) warn("quota", missing);
  v1::StatusReply shown;
  const auto most_of_names = kMostShown / 2 / std::max<std::size_t>(mirror_.wishes().size(), 1);
  std::size_t bytes = 0;
  for (const auto& [wish, by] : mirror_.wishes()) {
    auto& one = *shown.add_wishes();
    one.set_component(wish.component);
    one.set_variant(wish.variant);
    one.set_askers(static_cast<std::uint32_t>(by.size()));
    one.set_release(mirror_.release_of(wish));
    one.set_unverified(mirror_.is_unverified(wish));
    std::size_t names = 0;
    for (const auto& name : by) {
      names += name.size() + 2;
      if (one.by_size() == kMostNamed || (one.by_size() > 0 && names > most_of_names)) break;
      one.add_by(name);
    }
    bytes += one.ByteSizeLong() + 4;
    if (bytes <= kMostShown) continue;
    shown.mutable_wishes()->RemoveLast();
    break;
  }
  std::vector<std::shared_ptr<Answer>> askers;
  {
    const std::lock_guard lock(mutex_);
    trouble_ = point.result_class() == kOk ? "" : cat("the last download is ", point.result_class(), ": ", point.reason());
    shown_ = std::move(shown);
    last_ = result;
    askers.swap(current_->askers);
    current_->is_told = true;
  }
  tell_space();
  show_health();
  for (const auto& asker : askers) asker->finish(cat(kProto, "DownloadResult"), result.SerializeAsString());
  publish("picket.distribution_point.finished", result, "DownloadResult");
}

void Downloads::tell_space() {
  const auto free = parts_.store.free_bytes();
  if (!free) return;
  MirrorSettings settings;
  bool was_low = false;
  {
    const std::lock_guard lock(mutex_);
    settings = settings_;
    was_low = std::exchange(low_space_, *free < settings.warn_free_bytes);
  }
  if (*free < settings.warn_free_bytes && !was_low)
    warn("free-space", cat("only ", human_bytes(*free), " are free for the repository, fewer than ", human_bytes(settings.warn_free_bytes), "; ", human_bytes(settings.need_free_bytes),
                           " are needed to work"));
}

void Downloads::tell_wishes() {
  const auto kept = parts_.demand.keep(DemandBook::clock());
  auto now = kept ? parts_.demand.crowding(DemandBook::clock()) : cat("what devices ask for cannot be kept, so it is not taken: ", kept.error().message);
  {
    const std::lock_guard lock(mutex_);
    if (wishes_trouble_ == now) return;
    wishes_trouble_ = now;
  }
  if (!now.empty()) warn("wishes", now);
}

void Downloads::show_health() {
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    text = trouble_;
    if (!wishes_trouble_.empty()) text = cat(text, text.empty() ? "" : "; ", wishes_trouble_);
    if (low_space_) text = cat(text, text.empty() ? "" : "; ", "less than ", human_bytes(settings_.warn_free_bytes), " of disk space is free");
  }
  parts_.host.report(text.empty() ? PICKET_HEALTH_HEALTHY : PICKET_HEALTH_DEGRADED, text);
}

void Downloads::warn(std::string_view kind, const std::string& text) {
  parts_.host.warning(text);
  v1::Warning warning;
  warning.set_kind(std::string(kind));
  warning.set_text(text);
  publish("picket.distribution_point.warning", warning, "Warning");
}

template <class Message>
void Downloads::publish(std::string_view topic, const Message& message, std::string_view type) {
  const auto bytes = message.SerializeAsString();
  const auto until = Clock::now() + std::chrono::seconds(2);
  // An event is never lost silently: a full queue gets a little time to empty itself.
  while (parts_.host.publish(topic, "", cat(kProto, type), bytes) == PICKET_E_BUSY) {
    std::unique_lock lock(mutex_);
    if (Clock::now() > until || wake_.wait_for(lock, std::chrono::milliseconds(20), [&] { return stopping_; }))
      return parts_.host.warning(cat(topic, " could not be delivered: a subscriber's queue is full"));
  }
}

void Downloads::fill(v1::StatusReply& reply) {
  const std::lock_guard lock(mutex_);
  *reply.mutable_wishes() = shown_.wishes();
  reply.set_state(current_ ? "running" : "idle");
  if (last_) *reply.mutable_last() = *last_;
}

}  // namespace distribution_point
