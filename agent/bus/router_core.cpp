#include "bus/router_core.hpp"

#include <algorithm>

#include "bus/names.hpp"
#include "runtime/executor.hpp"

namespace picket::bus {

RouterCore::RouterCore(runtime::Executor& executor, runtime::Timers& timers)
    : executor_(executor), deadlines_(std::make_shared<Deadlines>(timers, [](const std::shared_ptr<OpenRequest>& open) {
        PeerCore::finish(open, status_of(Code::timeout), {}, {}, PeerCore::By::nobody);
      })) {}

Result<> RouterCore::check(const PeerOptions& options) const {
  if (options.name.empty() || options.name.size() > kMaxSender) return fail(Code::invalid, cat("peer name \"", options.name, "\" must have 1 to 255 bytes"));
  if (options.stands_by && std::any_of(beside_.begin(), beside_.end(), [&](const PeerCore* one) { return one->stands_by() && one->name() == options.name; }))
    return fail(Code::conflict, cat("a peer stands by for ", options.name, " already"));
  if (!options.stands_by && peers_.contains(options.name)) return fail(Code::conflict, cat("a peer named ", options.name, " is attached already"));
  std::unordered_map<std::string_view, Kind> kinds;
  const auto check_topic = [&](const std::string& topic, Kind kind, Deed deed) -> Result<> {
    if (!is_topic(topic)) return fail(Code::invalid, cat(options.name, ": \"", topic, "\" is not a topic's name"));
    if (auto checked = check_may(options.standing, deed, topic); !checked) return fail(std::move(checked).error(), options.name);
    const auto* known = find_topic_locked(topic);
    if (kinds.try_emplace(topic, kind).first->second != kind || (known != nullptr && !known->may_be(kind)))
      return fail(Code::conflict, cat(options.name, ": topic ", topic, " cannot be of kind ", to_string(kind), ", it is declared as ",
                                      to_string(known != nullptr ? known->kind() : kinds[topic])));
    return {};
  };
  for (const auto& one : options.allow.publishes) {
    if (one.kind == Kind::request) return fail(Code::invalid, cat(options.name, ": requests on ", one.topic, " are asked and answered, not published"));
    PICKET_TRY(check_topic(one.topic, one.kind, Deed::publish));
  }
  for (const auto& topic : options.allow.answers) PICKET_TRY(check_topic(topic, Kind::request, Deed::answer));
  for (const auto* filters : {&options.allow.subscribes, &options.allow.asks})
    for (const auto& filter : *filters)
      if (!is_filter(filter)) return fail(Code::invalid, cat(options.name, ": \"", filter, "\" is neither a topic nor a prefix that ends in .*"));
  return {};
}

Topic& RouterCore::declare(const std::string& name, Kind kind) {
  auto& topic = topics_[name];
  if (!topic) {
    topic = std::make_unique<Topic>(name, kind);
    for (const auto& [peer_name, peer] : peers_)
      if (peer->listens_to(name)) topic->add_subscriber(*peer);
  }
  topic->declare(kind);
  return *topic;
}

Result<std::shared_ptr<PeerCore>> RouterCore::attach(PeerOptions options, Handler& handler) {
  const std::unique_lock lock(mutex_);
  PICKET_TRY(check(options));
  auto strand = options.strand ? std::move(options.strand) : executor_.make_strand(options.name);
  auto peer = std::make_shared<PeerCore>(shared_from_this(), std::move(options), handler, std::move(strand));
  for (const auto& one : peer->attached_with().publishes) {
    if (std::any_of(peer->declared.begin(), peer->declared.end(), [&](const Topic* topic) { return topic->name() == one.topic; })) continue;
    peer->declared.push_back(&declare(one.topic, one.kind));
    peer->may_publish(*peer->declared.back());
  }
  for (const auto& topic : peer->attached_with().answers) {
    if (std::any_of(peer->declared.begin(), peer->declared.end(), [&](const Topic* known) { return known->name() == topic; })) continue;
    peer->declared.push_back(&declare(topic, Kind::request));
    if (peer->stands_by()) peer->declared.back()->add_standby(*peer);
    else peer->declared.back()->add_answerer(*peer);
  }
  if (peer->stands_by()) beside_.insert(peer.get());
  else peers_.emplace(peer->name(), peer.get());
  return peer;
}

Result<> RouterCore::take_over(PeerCore& next) {
  const std::unique_lock lock(mutex_);
  if (!next.stands_by() || !beside_.contains(&next)) return fail(Code::conflict, cat(next.name(), " does not stand by"));
  auto& place = peers_[next.name()];
  auto* before = place;
  if (before != nullptr) before->retire();
  next.step_in([&] {
    for (const auto& [name, topic] : topics_) topic->hand_over(before, next, next.listens_to(name));
  });
  beside_.erase(&next);
  place = &next;
  if (before != nullptr) {
    before->filters.clear();
    beside_.insert(before);
  }
  return {};
}

void RouterCore::detach(PeerCore& peer) {
  const std::unique_lock lock(mutex_);
  if (beside_.erase(&peer) == 0) {
    const auto found = peers_.find(peer.name());
    if (found == peers_.end() || found->second != &peer) return;  // a second detach
    peers_.erase(found);
  }
  peer.filters.clear();
  for (const auto& [name, topic] : topics_) topic->remove_subscriber(peer);
  for (auto* topic : peer.declared) {
    topic->remove_answerer(peer);
    topic->undeclare();
  }
}

Status RouterCore::subscribe(PeerCore& peer, std::string_view filter) {
  const std::unique_lock lock(mutex_);
  const auto attached = peers_.find(peer.name());
  const bool is_beside = beside_.contains(&peer);
  if (!is_beside && (attached == peers_.end() || attached->second != &peer)) return status_of(Code::unavailable);
  if (is_beside && !peer.stands_by()) return status_of(Code::unavailable);  // its successor listens
  if (std::find(peer.filters.begin(), peer.filters.end(), filter) != peer.filters.end()) return kOk;
  if (peer.filters.size() >= kMaxFilters) return status_of(Code::too_large);
  peer.filters.emplace_back(filter);
  if (is_beside) return kOk;  // heard from when it takes over
  for (const auto& [name, topic] : topics_)
    if (matches(filter, name)) topic->add_subscriber(peer);
  return kOk;
}

Status RouterCore::unsubscribe(PeerCore& peer, std::string_view filter) {
  const std::unique_lock lock(mutex_);
  if (std::erase(peer.filters, filter) == 0) return status_of(Code::not_found);
  update_subscriptions(peer);
  return kOk;
}

void RouterCore::update_subscriptions(PeerCore& peer) {
  for (const auto& [name, topic] : topics_)
    if (!peer.listens_to(name)) topic->remove_subscriber(peer);
}

void RouterCore::keep_filters_within(PeerCore& peer, const std::vector<std::string>& allowed) {
  const std::unique_lock lock(mutex_);
  std::erase_if(peer.filters, [&](const std::string& filter) { return !is_within_any(filter, allowed); });
  update_subscriptions(peer);
}

void RouterCore::keep_answers(PeerCore& peer, const std::vector<std::string>& topics) {
  const std::unique_lock lock(mutex_);
  for (auto* topic : peer.declared)
    if (std::find(topics.begin(), topics.end(), topic->name()) == topics.end()) topic->remove_answerer(peer);
}

Topic* RouterCore::find_topic_locked(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second.get();
}

Topic* RouterCore::find_topic(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  return find_topic_locked(name);
}

void RouterCore::forget(std::string_view topic, std::string_view key) {
  if (auto* found = find_topic(topic)) found->forget(key);
}

void RouterCore::withdraw(Topic& topic, std::string_view publisher) {
  for (const auto& message : topic.withdraw(publisher))
    if (has_tap()) tell_tap({.what = Seen::What::publish, .message = message});
}

std::vector<Router::TopicInfo> RouterCore::topics() const {
  const std::shared_lock lock(mutex_);
  std::vector<Router::TopicInfo> infos;
  for (const auto& [name, topic] : topics_) {
    auto info = topic->info();
    for (const auto& [peer_name, peer] : peers_)
      if (peer->publishes(name)) info.publishers.push_back(peer_name);
    for (auto* names : {&info.publishers, &info.subscribers, &info.answerers}) std::sort(names->begin(), names->end());
    infos.push_back(std::move(info));
  }
  std::sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) { return a.topic < b.topic; });
  return infos;
}

void RouterCore::set_tap(Router::Tap tap) {
  const std::unique_lock lock(tap_mutex_);
  has_tap_ = static_cast<bool>(tap);
  tap_ = std::move(tap);
}

void RouterCore::tell_tap(const Seen& seen) const {
  const std::shared_lock lock(tap_mutex_);
  if (tap_) tap_(seen);
}

}  // namespace picket::bus
