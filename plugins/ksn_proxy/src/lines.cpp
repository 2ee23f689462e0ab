#include "lines.hpp"

#include <algorithm>

namespace ksn_proxy {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;

Lines::Lines(std::vector<ksn_channel::Road> roads, Rest rest) {
  for (auto& road : roads) lines_.push_back({std::move(road), Breaker(rest.first, rest.longest), {}, 0});
}

Lines::~Lines() {
  ends_ = true;
  channel_.reset();
}

Result<std::unique_ptr<Lines>> Lines::start(std::vector<ksn_channel::Road> roads, Rest rest) {
  if (roads.empty()) return fail(Code::invalid, "no server of the KSN is named");
  for (const auto& road : roads) PICKET_TRY(ksn_channel::check_road(road));
  std::unique_ptr<Lines> out(new Lines(std::move(roads), rest));
  PICKET_LET(channel, ksn_channel::Channel::start());
  out->channel_ = std::move(channel);
  return out;
}

void Lines::post(std::string_view path, std::string body, std::chrono::milliseconds deadline, Done done) {
  auto order = std::make_shared<Order>();
  order->path = path;
  order->body = std::move(body);
  order->deadline = Breaker::Clock::now() + deadline;
  order->done = std::move(done);
  attempt(std::move(order), 0);
}

void Lines::attempt(std::shared_ptr<Order> order, std::size_t from) {
  if (ends_) return order->done(fail(Code::cancelled, "the proxy ends"));
  const auto now = Breaker::Clock::now();
  std::size_t index = from;
  ksn_channel::Road road;
  {
    const std::lock_guard lock(mutex_);
    while (index < lines_.size() && !lines_[index].breaker.may_ask(now)) {
      if (order->why.empty()) order->why = cat(lines_[index].road.base_url, " rests after: ", lines_[index].why);
      ++index;
    }
    if (index < lines_.size()) road = lines_[index].road;
  }
  if (index == lines_.size()) return order->done(fail(Code::unavailable, order->why));
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(order->deadline - now);
  if (left.count() <= 0) return order->done(fail(Code::timeout, order->why.empty() ? "no time is left" : order->why));
  channel_->post(road, order->path, order->body, left, [this, order, index](Result<ksn_channel::Answer> answer) { on_answer(order, index, std::move(answer)); });
}

void Lines::on_answer(const std::shared_ptr<Order>& order, std::size_t index, Result<ksn_channel::Answer> answer) {
  const auto now = Breaker::Clock::now();
  const bool is_last = index + 1 == lines_.size();
  // It speaks, and refuses for a reason: not a failure. 503 and the like, and what is no word of a KSN: the next one may do better.
  Posted posted = answer ? Posted{answer->status, std::move(answer->body), index} : Posted{};
  const bool works = answer && posted.status < 500 && is_word_of_ksn(order->path, posted);
  // What a server before the KSN finds wrong with a file or statistics says nothing of its answers, neither way.
  const bool is_of_message = answer && !works && posted.status < 500 && (order->path == "/ksn/v1/content" || order->path == "/ksn/v1/statistics");
  const bool ends_here = works || (is_of_message && (posted.status == 400 || posted.status == 413));
  const bool ends = !answer && answer.error().code == Code::cancelled;
  {
    const std::lock_guard lock(mutex_);
    auto& line = lines_[index];
    if (works) {
      line.breaker.succeeded();
      line.why.clear();
      ++line.answered;
    } else if (!ends) {
      order->why = answer ? cat("HTTP status ", std::to_string(posted.status)) : answer.error().message;
    }
    if (!works && !ends && (!is_of_message || line.breaker.is_resting())) {
      line.why = order->why;
      // Where it stands beside the address, once is enough.
      if (const auto where = cat(line.road.base_url, ": "); line.why.starts_with(where)) line.why.erase(0, where.size());
      line.breaker.failed(now);
    }
  }
  if (ends_here || (answer && is_last)) return order->done(std::move(posted));
  if (ends || is_last) return order->done(fail(answer.error()));
  attempt(order, index + 1);
}

void Lines::blame(const Posted& posted, std::string_view why) {
  const std::lock_guard lock(mutex_);
  auto& line = lines_.at(posted.server);
  line.why = why;
  line.breaker.blamed(Breaker::Clock::now());
}

std::uint32_t Lines::rests_for() const {
  const auto now = Breaker::Clock::now();
  const std::lock_guard lock(mutex_);
  auto least = std::chrono::milliseconds::max();
  for (const auto& line : lines_) least = std::min(least, line.breaker.left(now));
  return static_cast<std::uint32_t>((least.count() + 999) / 1000);
}

bool Lines::works() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(lines_.begin(), lines_.end(), [](const Line& line) { return !line.breaker.is_resting(); });
}

std::string Lines::describe() const {
  const auto now = Breaker::Clock::now();
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& line : lines_) {
    if (!out.empty()) out += "; ";
    out += line.road.base_url;
    const auto seconds = (line.breaker.left(now).count() + 999) / 1000;
    if (!line.breaker.is_resting()) out += line.answered == 0 ? ": not asked yet" : ": answers";
    else if (line.breaker.is_trying(now)) out += cat(": failed, and is tried again now: ", line.why);
    else if (seconds == 0) out += cat(": failed, and is tried with the next question: ", line.why);
    else out += cat(": failed, and rests for ", std::to_string(seconds), " s: ", line.why);
  }
  return out;
}

}  // namespace ksn_proxy
