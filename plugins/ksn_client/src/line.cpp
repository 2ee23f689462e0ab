#include "line.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "ksn/limits.hpp"

namespace ksn_client {
namespace {

constexpr std::chrono::milliseconds kWorthTrying(20);
constexpr std::chrono::seconds kLicenceRest(60), kTooManyRest(10);

}  // namespace

struct Line::Message {
  std::string path, body;
  Clock::time_point deadline;
  Goes goes;
  Accept accept;
  Done done;
  std::vector<std::shared_ptr<State>> roads;
  std::size_t at = 0;  // the next road
  std::shared_ptr<State> on;
  std::uint64_t id = 0;
  bool cancelled = false, over = false;
  Error last{Code::unavailable, ""};
};

Refused refused_by(const ksn_channel::Answer& answer, const Way& way) {
  v1::Refusal refusal;
  const bool readable = refusal.ParseFromString(answer.body);
  const std::string text = readable ? picket::plain_line(refusal.text(), 200) : std::string();
  const auto asked = std::chrono::seconds(std::min(readable ? refusal.retry_after_seconds() : 0, picket::ksn::kLongestRestSeconds));
  const auto said = [&](Code code, std::string_view what, std::chrono::seconds rest) {
    return Refused{{code, cat(way.name, ": ", what, text.empty() ? "" : ": ", text)}, asked.count() > 0 ? asked : rest};
  };
  switch (readable ? refusal.why() : v1::Refusal::WHY_UNSPECIFIED) {
    case v1::Refusal::LICENCE_UNKNOWN: return said(Code::denied, "authentication error, the licence is not known to the provider", kLicenceRest);
    case v1::Refusal::LICENCE_BLOCKED: return said(Code::denied, "authentication error, the licence key is blocked", kLicenceRest);
    case v1::Refusal::LICENCE_EXPIRED: return said(Code::denied, "authentication error, the licence has expired", kLicenceRest);
    case v1::Refusal::TOO_MANY: return said(Code::busy, "asked too often", kTooManyRest);
    case v1::Refusal::UNAVAILABLE: return said(Code::unavailable, "not available", std::chrono::seconds(0));
    case v1::Refusal::NOT_TAKEN: return said(Code::conflict, "not wanted", std::chrono::seconds(0));
    case v1::Refusal::MALFORMED:
    case v1::Refusal::TOO_LARGE:
    case v1::Refusal::UNKNOWN_REQUEST: return said(Code::invalid, "refused the request", std::chrono::seconds(0));
    default: break;
  }
  return {{Code::unavailable, cat(way.name, ": answered with HTTP status ", std::to_string(answer.status))}, asked};
}

Error kept_from(Error error, const Way& way) {
  if (error.code == Code::cancelled) return error;  // by us
  std::string_view text = error.message;
  if (const auto url = cat(way.road.base_url, ": "); text.starts_with(url)) text.remove_prefix(url.size());
  return {error.code, cat(way.name, ": ", text)};
}

bool Line::use(std::vector<Way> ways, std::chrono::seconds first_rest, std::chrono::seconds longest_rest, std::string why_none, bool anew) {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<State>> next;
  for (auto& way : ways) {
    std::shared_ptr<State> same;
    for (const auto& state : states_)
      if (!anew && state->way.road == way.road && state->way.is_proxy == way.is_proxy) same = state;
    next.push_back(same ? same : std::make_shared<State>(State{std::move(way), Breaker(first_rest, longest_rest)}));
  }
  const bool others = next != states_;
  states_ = std::move(next);
  why_none_ = std::move(why_none);
  return others;
}

void Line::forget_failures() {
  const std::lock_guard lock(mutex_);
  for (const auto& state : states_) state->breaker.succeeded();
}

bool Line::is_in_use(const std::shared_ptr<State>& state) const { return std::find(states_.begin(), states_.end(), state) != states_.end(); }

double Line::spread() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  return static_cast<double>(random_) / 4294967296.0;
}

void Line::post(std::string_view path, std::string body, std::chrono::milliseconds deadline, Goes goes, Accept accept, Done done) {
  auto message = std::make_shared<Message>();
  message->path = path;
  message->body = std::move(body);
  message->deadline = Clock::now() + deadline;
  message->goes = std::move(goes);
  message->accept = std::move(accept);
  message->done = std::move(done);
  {
    const std::lock_guard lock(mutex_);
    message->roads = states_;
    if (states_.empty()) message->last = {Code::unavailable, why_none_};
    open_.insert(message);
  }
  next(message);
}

void Line::next(const std::shared_ptr<Message>& message) {
  Error resting{Code::unavailable, ""};
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(message->deadline - now);
    message->on.reset();
    if (!message->cancelled && (left >= kWorthTrying || message->at == 0)) {
      while (message->at < message->roads.size() && !message->on) {
        auto& state = message->roads[message->at++];
        // Settings that took a road away mean it for what is under way, too.
        if (!is_in_use(state)) resting = {Code::unavailable, cat(state->way.name, " is no road to KSN any more")};
        else if (state->breaker.may(now)) message->on = state;
        else if (message->last.message.empty()) resting = {Code::unavailable, cat(state->way.name, " rests after failures")};
      }
    }
    if (message->on) {
      // The last road may use all the time; those before it leave some for the others.
      const bool more = message->at < message->roads.size();
      message->goes(message->on->way);
      message->id = channel_.post(message->on->way.road, message->path, more ? message->body : std::move(message->body), more ? left * 2 / 3 : left,
                                  [this, message](Result<ksn_channel::Answer> answer) { answered(message, std::move(answer)); });
      return;
    }
    if (message->last.message.empty()) message->last = resting;
    if (message->cancelled) message->last = {Code::cancelled, "cancelled"};
  }
  if (message->roads.empty() && watch_) watch_(nullptr, message->path, &message->last);
  finish(message, fail(message->last));
}

void Line::answered(const std::shared_ptr<Message>& message, Result<ksn_channel::Answer> answer) {
  const auto state = message->on;
  Result<> result;
  std::chrono::seconds rest(0);
  bool final = false;
  {
    const std::lock_guard lock(mutex_);
    if (message->cancelled) result = fail(Code::cancelled, "cancelled");
    else if (!answer) result = fail(kept_from(answer.error(), state->way));
  }
  if (result && answer->status != 200) {
    auto refused = refused_by(*answer, state->way);
    rest = refused.rest;
    final = refused.error.code == Code::denied || refused.error.code == Code::conflict || refused.error.code == Code::invalid;
    result = fail(std::move(refused.error));
  } else if (result) {
    result = message->accept(*answer, state->way);
    if (!result) result = fail(std::move(result).error(), state->way.name);
  }
  const bool gave_up = !result && (result.error().code == Code::cancelled || result.error().code == Code::busy) && !answer;
  // It has no room for statistics and files now: that says nothing of its answers.
  const bool is_full = !result && answer && (message->path == "/ksn/v1/statistics" || message->path == "/ksn/v1/content") &&
                       (result.error().code == Code::busy || result.error().code == Code::unavailable);
  bool watched = static_cast<bool>(watch_);
  {
    const std::lock_guard lock(mutex_);
    watched = watched && is_in_use(state);
    if (gave_up || is_full) state->breaker.gave_up();
    else if (result || result.error().code == Code::conflict) state->breaker.succeeded();
    else state->breaker.failed(Clock::now(), spread(), rest);
  }
  if (result) {
    if (watched) watch_(&state->way, message->path, nullptr);
    return finish(message, {});
  }
  if (gave_up || final) {
    if (!gave_up && watched) watch_(&state->way, message->path, result.error().code == Code::conflict ? nullptr : &result.error());
    return finish(message, std::move(result));
  }
  if (watched && !is_full) watch_(&state->way, message->path, &result.error());
  message->last = message->last.message.empty() ? result.error() : Error{result.error().code, cat(message->last.message, "; ", result.error().message)};
  next(message);
}

void Line::finish(const std::shared_ptr<Message>& message, Result<> result) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(message->over, true)) return;
    open_.erase(message);
  }
  const auto done = std::move(message->done);
  if (done) done(std::move(result));
}

void Line::cancel_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& message : open_) {
    message->cancelled = true;
    if (message->on) channel_.cancel(message->id);
  }
  for (const auto id : trying_) channel_.cancel(id);
}

void Line::try_all(std::string_view path, const std::string& body, std::chrono::milliseconds deadline, const Goes& goes, std::function<void(std::vector<Tried>)> done) {
  struct Gathering {
    std::mutex mutex;
    std::vector<Tried> tried;
    std::size_t open = 0;
    std::function<void(std::vector<Tried>)> done;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->done = std::move(done);
  {
    const std::lock_guard lock(mutex_);
    gathering->open = states_.size();
    for (const auto& state : states_) gathering->tried.push_back({state->way, fail(Code::timeout, "")});
    for (std::size_t i = 0; i < states_.size(); ++i) {
      goes(states_[i]->way);
      // The answer waits for our lock: the id is known before it.
      auto id = std::make_shared<std::uint64_t>(0);
      *id = channel_.post(states_[i]->way.road, path, body, deadline, [this, gathering, i, id, state = states_[i]](Result<ksn_channel::Answer> answer) {
        {
          const std::lock_guard posted(mutex_);
          trying_.erase(*id);
          if (answer && answer->status == 200) state->breaker.succeeded();
        }
        std::vector<Tried> all;
        {
          const std::lock_guard together(gathering->mutex);
          gathering->tried[i].answer = std::move(answer);
          if (--gathering->open > 0) return;
          all = std::move(gathering->tried);
        }
        gathering->done(std::move(all));
      });
      trying_.insert(*id);
    }
    if (!states_.empty()) return;
  }
  gathering->done({});
}

std::string Line::in_force() const {
  const std::lock_guard lock(mutex_);
  if (states_.empty()) return "none";
  const auto now = Clock::now();
  std::string proxy;
  bool proxy_rests = false, servers = false, servers_rest = true;
  for (const auto& state : states_) {
    const bool rests = state->breaker.is_resting(now);
    if (state->way.is_proxy) {
      proxy = state->way.name;
      proxy_rests = rests;
    } else {
      servers = true;
      servers_rest = servers_rest && rests;
    }
  }
  if (proxy.empty()) return servers_rest ? "servers, which rest after failures" : "servers";
  if (!servers) return proxy_rests ? cat(proxy, ", which rests after failures") : proxy;
  if (!proxy_rests) return cat(proxy, ", servers when it is not available");
  return servers_rest ? cat(proxy, " and servers, which all rest after failures") : cat("servers, while ", proxy, " rests after failures");
}

std::string Line::why_shut() const {
  const std::lock_guard lock(mutex_);
  if (states_.empty()) return why_none_;
  const auto now = Clock::now();
  for (const auto& state : states_)
    if (!state->breaker.is_resting(now)) return {};
  return "KSN is not available, and rests before the next attempt";
}

std::chrono::milliseconds Line::until_next_attempt() const {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  auto first = Clock::time_point::max();
  for (const auto& state : states_) {
    if (!state->breaker.is_resting(now)) return std::chrono::milliseconds(0);
    first = std::min(first, state->breaker.until());
  }
  if (first == Clock::time_point::max() || first <= now) return std::chrono::milliseconds(0);
  return std::chrono::ceil<std::chrono::milliseconds>(first - now);
}

}  // namespace ksn_client
