#include "app/watch_service.hpp"

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "bus/names.hpp"
#include "picket/host/v1/watch.pb.h"
#include "runtime/log_text.hpp"

namespace picket::app {
namespace {

namespace v1 = picket::host::v1;
constexpr std::size_t kMaxWaiting = 4096;
constexpr std::string_view kTopic = "picket.bus.watch";

std::string_view name_of(bus::Seen::What what) {
  switch (what) {
    case bus::Seen::What::publish: return "publish";
    case bus::Seen::What::request: return "request";
    case bus::Seen::What::reply: return "reply";
    case bus::Seen::What::stream: return "stream";
    case bus::Seen::What::cancel: return "cancel";
    case bus::Seen::What::denied: return "denied";
    case bus::Seen::What::busy: return "busy";
  }
  return "unknown";
}

v1::WatchEvent event_now() {
  v1::WatchEvent event;
  event.set_at_us(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  return event;
}

v1::WatchEvent to_proto(const bus::Seen& seen) {
  auto event = event_now();
  event.set_what(std::string(name_of(seen.what)));
  // What is any bytes where this holds UTF-8: a key, and of what was denied also where it was to go.
  event.set_topic(runtime::printable(seen.message->topic()));
  event.set_key(runtime::printable(seen.message->key()));
  event.set_from(std::string(seen.message->sender()));
  event.set_to(runtime::printable(seen.to.substr(0, bus::kMaxSender)));
  event.set_content_type(runtime::printable(seen.message->content_type()));
  event.set_size(static_cast<std::uint32_t>(seen.message->payload().size()));
  event.set_status(seen.status);
  return event;
}

}  // namespace

WatchService::WatchService(bus::Router& router, runtime::Executor& executor) : router_(router), strand_(executor.make_strand("watch")) {
  answer_later<v1::WatchRequest>(std::string(kTopic), [this](bus::RequestId id, const v1::WatchRequest& request) {
    if (!request.filter().empty() && !bus::is_filter(request.filter()))
      return reply<v1::WatchReply>(id, fail(Code::invalid, cat("'", runtime::printable(request.filter().substr(0, 128)), "' is neither a topic nor a prefix that ends in .*")));
    {
      const std::lock_guard lock(mutex_);
      watchers_[id] = {request.filter(), request.payloads(), 0, {}};
    }
    router_.set_tap([this](const bus::Seen& what) { seen(what); });
  });
}

WatchService::~WatchService() {
  detach();  // nobody can turn the tap on again
  router_.set_tap({});
  // A drain() may still be posted. The promise ends with the last task of the strand, be it run or dropped.
  auto last = std::make_shared<std::promise<void>>();
  const auto drained = last->get_future();
  strand_->post([last = std::move(last)] {});
  drained.wait();
}

Result<> WatchService::start() {
  bus::PeerOptions options;
  options.name = "picket.watch";
  return attach(router_, std::move(options));
}

void WatchService::Watcher::tell_missed() {
  if (missed == 0) return;
  auto event = event_now();
  event.set_what("missed");
  event.set_missed(std::exchange(missed, 0));
  waiting.push_back(event.SerializeAsString());
}

void WatchService::seen(const bus::Seen& seen) {
  if (!seen.message || seen.message->topic() == kTopic) return;  // never watches itself,
  if (telling_.load() == std::this_thread::get_id()) return;     // nor what it streams, which has no topic of its own
  const std::lock_guard lock(mutex_);
  std::string plain, with_payload;
  bool is_new = false;
  for (auto& [id, watcher] : watchers_) {
    if (!watcher.filter.empty() && !bus::matches(watcher.filter, seen.message->topic())) continue;
    if (watcher.waiting.size() >= kMaxWaiting) {
      ++watcher.missed;
      continue;
    }
    watcher.tell_missed();
    auto& text = watcher.payloads ? with_payload : plain;
    if (text.empty()) {
      auto event = to_proto(seen);
      if (watcher.payloads && seen.message->payload().size() < bus::kMaxPayload / 2) event.set_payload(std::string(seen.message->payload()));
      text = event.SerializeAsString();
    }
    watcher.waiting.push_back(text);
    is_new = true;
  }
  if (!is_new || scheduled_) return;
  scheduled_ = true;
  strand_->post([this] { drain(); });
}

void WatchService::drain() {
  const std::lock_guard lock(mutex_);
  scheduled_ = false;
  for (auto& [id, watcher] : watchers_) flush(id, watcher);
}

void WatchService::flush(bus::RequestId id, Watcher& watcher) {
  telling_ = std::this_thread::get_id();
  for (;;) {
    if (watcher.waiting.empty()) watcher.tell_missed();
    if (watcher.waiting.empty() || peer().stream_write(id, watcher.waiting.front()) != bus::kOk) break;
    watcher.waiting.pop_front();
  }
  telling_ = std::thread::id();
}

void WatchService::on_credit(bus::RequestId id, std::uint64_t) {
  const std::lock_guard lock(mutex_);
  if (const auto watcher = watchers_.find(id); watcher != watchers_.end()) flush(id, watcher->second);
}

void WatchService::on_cancel(bus::RequestId id) {
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    watchers_.erase(id);
    last = watchers_.empty();
  }
  if (last) router_.set_tap({});  // not under the lock: a running tap may wait for it
}

}  // namespace picket::app
