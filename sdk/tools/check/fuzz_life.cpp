#include "check/fuzz_life.hpp"

#include <cstring>
#include <iterator>

#include <unistd.h>

namespace picket::check {

namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t learns_every = 50;  // looking costs a copy of all that was published
constexpr std::size_t max_samples = 64, max_sample_bytes = 16384;

std::string bytes_of(const std::string& payload) { return cat(std::to_string(payload.size()), " bytes"); }

}  // namespace

FuzzLife::FuzzLife(const Subject& subject, const std::vector<std::string>& settings, std::uint64_t seed, Progress& progress, std::chrono::seconds call_limit)
    : subject_(subject), settings_(settings), seed_(seed), progress_(progress), call_limit_(call_limit), random_(seed), session_(subject) {
  samples_ = {{"application/json", R"({"a":[1,"b",null,{"c":-1.5e9}]})"},
              {"application/x-protobuf", std::string("\x0a\x03" "abc" "\x10\x01\x1a\x02\x08\x00", 11)},
              {"application/json", *subject.settings}};
  // What the plugin asks is answered by strangers too.
  session_.host.when_asked("*", [this](const testing::Asked& asked) {
    constexpr picket_status statuses[] = {PICKET_OK, PICKET_OK, PICKET_E_UNAVAILABLE, PICKET_E_TIMEOUT, PICKET_E_INTERNAL};
    const Content said = content();
    at(cat("an answer of ", bytes_of(said.payload), " to what it asked on ", asked.message.topic));
    return testing::Reply{one_of(statuses), said.payload, said.type, asked.credit > 0 && random_() % 2 ? random_bytes(random_) : ""};
  });
}

Verdict FuzzLife::live(std::uint64_t iterations, std::chrono::steady_clock::time_point until) {
  // Whether it explains its refusals Session::apply sees, which knows when it need not.
  const auto lie = [this] { return broken_rule(session_.host, [](std::string_view v) { return !contains(v, "without saying why"); }); };
  random_.seed(seed_);
  at("start");
  if (auto bad = session_.create()) return *bad;
  if (auto bad = session_.start()) return *bad;
  if (auto bad = lie()) return *bad;
  for (std::uint64_t i = 1; i <= iterations && std::chrono::steady_clock::now() < until; ++i) {
    progress_.iteration = i;
    // Anew each time: what it answers from threads of its own must not shift what comes later.
    random_.seed(seed_ * 0x9e3779b97f4a7c15u + i);
    if (auto bad = say_something()) return *bad;
    if (auto bad = lie()) return *bad;
    if (i % learns_every == 0) learn();
  }
  at("stop");
  session_.host.wait_for([this] { return session_.host.unanswered() == 0; }, milliseconds(100));
  session_.host.stop();
  session_.host.destroy();
  return lie().value_or(pass());
}

std::optional<Verdict> FuzzLife::say_something() {
  std::optional<Verdict> bad;
  refuse_at_random();
  switch (random_() % 8) {
    case 0: case 1: case 2: message(); break;
    case 3: case 4: case 5: request(); break;
    case 6: bad = settings(); break;
    default: something_else(); break;
  }
  session_.host.fail_nothing();
  return bad;
}

void FuzzLife::message() {
  const auto filters = session_.heard();
  if (filters.empty()) return something_else();
  constexpr std::size_t key_sizes[] = {0, 0, 1, 16, PICKET_BUS_MAX_KEY};
  const Content said = content();
  const std::string topic = topic_of(one_of(filters), random_), key(one_of(key_sizes), 'k');
  at(cat("a message of ", bytes_of(said.payload), " on ", topic));
  session_.host.message({.topic = topic, .payload = said.payload, .key = key, .content_type = said.type});
}

void FuzzLife::request() {
  const auto topics = session_.answered();
  if (topics.empty()) return something_else();
  constexpr std::uint64_t credits[] = {0, 1, 4096, 4u << 20};
  const Content said = content();
  const std::string topic = one_of(topics);
  at(cat("a request of ", bytes_of(said.payload), " on ", topic));
  const auto id = session_.host.request({.topic = topic, .payload = said.payload, .content_type = said.type}, one_of(credits));
  if (id != 0) requests_.push_back(id);
}

// In turn, from another one in each life: all of them come up.
std::optional<Verdict> FuzzLife::settings() {
  if (settings_.empty()) return std::nullopt;
  const auto& given = settings_[(seed_ + settings_given_++) % settings_.size()];
  at(cat("settings ", given));
  return session_.apply(given);
}

void FuzzLife::something_else() {
  switch (random_() % 4) {
    case 0:
      at("a minute of timers and deadlines");
      return session_.host.advance(random_() % 60'000);
    case 1:
      if (requests_.empty()) return;
      at("cancelling a request");
      return session_.host.cancel(one_of(requests_));
    case 2:
      if (requests_.empty()) return;
      at("credit for a request");
      return session_.host.grant(one_of(requests_), 1 + random_() % 100'000);
    default:
      if (!subject_.manifest || subject_.manifest->topics.publishes.empty()) return;
      at("losses of what it published");
      return session_.host.loss(one_of(subject_.manifest->topics.publishes).topic, random_());
  }
}

void FuzzLife::refuse_at_random() {
  constexpr const char* calls[] = {"*", "publish", "subscribe", "request", "grant", "respond", "stream_write", "observed", "report", "get", "put", "list", "set_timer"};
  constexpr picket_status statuses[] = {PICKET_E_BUSY, PICKET_E_DENIED};
  refusing_.clear();
  if (random_() % 4 != 0) return;
  const char* call = one_of(calls);
  const picket_status status = one_of(statuses);
  session_.host.fail_call(call, status);
  refusing_ = cat(" (", std::strcmp(call, "*") == 0 ? "every call" : call, " answers ", status == PICKET_E_BUSY ? "BUSY" : "DENIED", ")");
}

FuzzLife::Content FuzzLife::content() {
  const Content& like = one_of(samples_);
  switch (random_() % 4) {
    case 0: return {one_of(samples_).type, random_bytes(random_)};
    case 1: return {random_() % 4 ? "" : std::string(PICKET_BUS_MAX_CONTENT_TYPE, 'x'), mutated(like.payload, random_)};
    default: return {like.type, mutated(like.payload, random_)};
  }
}

void FuzzLife::learn() {
  if (samples_.size() >= max_samples) return;
  const auto keep = [this](std::string type, std::string payload) {
    if (samples_.size() < max_samples && !payload.empty() && payload.size() <= max_sample_bytes) samples_.push_back({std::move(type), std::move(payload)});
  };
  for (auto& published : session_.host.published()) keep(std::move(published.content_type), std::move(published.payload));
  for (const auto id : requests_) {
    auto answer = session_.host.answer(id);
    keep(std::move(answer.content_type), std::move(answer.payload));
  }
}

void FuzzLife::at(const std::string& what) {
  const std::string all = cat(what.substr(0, sizeof progress_.what - 60), refusing_);
  progress_.what[all.copy(progress_.what, sizeof progress_.what - 1)] = '\0';
  ::alarm(static_cast<unsigned>(call_limit_.count()));
}

}  // namespace picket::check
