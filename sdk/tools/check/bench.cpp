#include "check/bench.hpp"

#include <algorithm>

#include <boost/json.hpp>

#include "check/session.hpp"

namespace picket::check {

namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr milliseconds time_of_lives(2000), time_of_traffic(4000);
constexpr std::size_t most_lives = 20, most_calls = 50'000, warm_up = 50;  // the fake host keeps a record of everything
constexpr std::size_t payload_bytes = 256;

class Timer {
 public:
  template <class Call>
  void time(Call&& call) {
    const auto begin = steady_clock::now();
    call();
    taken_.push_back(std::chrono::duration_cast<nanoseconds>(steady_clock::now() - begin));
  }
  [[nodiscard]] std::size_t calls() const { return taken_.size(); }
  void forget() { taken_.clear(); }
  [[nodiscard]] json::object result(std::string_view what) {
    std::sort(taken_.begin(), taken_.end());
    nanoseconds sum{0};
    for (const auto one : taken_) sum += one;
    const auto at = [&](std::size_t percent) { return taken_.empty() ? 0.0 : static_cast<double>(taken_[(taken_.size() - 1) * percent / 100].count()) / 1e3; };
    const double rate = sum.count() > 0 ? static_cast<double>(taken_.size()) * 1e9 / static_cast<double>(sum.count()) : 0;
    return {{"what", what}, {"calls", taken_.size()}, {"per_second", rate}, {"p50_us", at(50)}, {"p99_us", at(99)}};
  }

 private:
  std::vector<nanoseconds> taken_;
};

std::optional<Verdict> time_lives(const Subject& subject, json::array& out) {
  Session session(subject);
  Timer start, stop;
  std::optional<Verdict> bad;
  const auto end = steady_clock::now() + time_of_lives;
  while (!bad && start.calls() < most_lives && (start.calls() == 0 || steady_clock::now() < end)) {
    start.time([&] {
      bad = session.create();
      if (!bad) bad = session.start();
    });
    stop.time([&] {
      session.host.stop();
      session.host.destroy();
    });
  }
  out.push_back(start.result("start"));
  out.push_back(stop.result("stop"));
  return bad;
}

// `call` answers whether it makes sense to go on.
template <class Call>
void time_calls(std::string_view what, milliseconds limit, json::array& out, Call&& call) {
  Timer timer;
  bool go_on = true;
  const auto end = steady_clock::now() + limit;
  for (bool warm = false; go_on && timer.calls() < most_calls && steady_clock::now() < end;) {
    timer.time([&] { go_on = call(); });
    if (!warm && timer.calls() == warm_up) {
      timer.forget();
      warm = true;
    }
  }
  if (!go_on) timer.forget();
  out.push_back(timer.result(what));
}

Verdict time_all(const Subject& subject) {
  json::array out;
  if (auto bad = time_lives(subject, out)) return *bad;
  Session session(subject);
  if (auto bad = session.create()) return *bad;
  if (auto bad = session.start()) return *bad;
  const auto filters = session.host.subscriptions();
  const auto topics = session.answered();
  const milliseconds each = time_of_traffic / std::max<std::size_t>(filters.size() + topics.size(), 1);
  const std::string payload(payload_bytes, 'x');
  Random random(subject.seed);
  for (const auto& filter : filters) {
    const testing::Message message{.topic = topic_of(filter, random), .payload = payload};
    time_calls(cat("message ", message.topic), each, out, [&] { return session.host.message(message); });
  }
  for (const auto& topic : topics)
    time_calls(cat("request ", topic), each, out, [&] {
      const auto id = session.host.request({.topic = topic, .payload = payload});
      return id != 0 && session.host.wait_for([&] { return session.host.answer(id).done; }, each);
    });
  const auto longest = session.host.longest_call();
  session.host.stop();
  session.host.destroy();

  auto said = json::serialize(json::object{{"measured", std::move(out)}, {"longest_ms", longest.count()}});
  return pass(std::move(said));
}

}  // namespace

// What was measured comes out of the child as the text of its verdict.
Bench bench(const Subject& subject, std::chrono::seconds limit) {
  Bench out;
  out.verdict = run_in_child([&] { return time_all(subject); }, limit);
  if (out.verdict.outcome != Outcome::pass) return out;
  boost::system::error_code error;
  const auto said = json::parse(out.verdict.text, error);
  if (error) {
    out.verdict = failed("too much was measured to tell");
    return out;
  }
  for (const auto& entry : said.at("measured").as_array()) {
    const auto number = [&](const char* name) { return entry.at(name).to_number<double>(); };
    out.measured.push_back({json::value_to<std::string>(entry.at("what")), static_cast<std::uint64_t>(number("calls")), number("per_second"), number("p50_us"), number("p99_us")});
  }
  out.verdict = within_budget(subject, milliseconds(said.at("longest_ms").to_number<std::int64_t>()));
  return out;
}

}  // namespace picket::check
