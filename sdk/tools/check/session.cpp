#include "check/session.hpp"

#include <algorithm>

namespace picket::check {

namespace {

constexpr std::uint64_t stream_credit = 4u << 20;

testing::Allow topics_of(const package::Manifest& manifest) {
  testing::Allow allow;
  allow.publishes.emplace();
  for (const auto& published : manifest.topics.publishes) {
    allow.publishes->push_back(published.topic);
    if (published.kind == package::TopicKind::event) allow.events.push_back(published.topic);
  }
  allow.subscribes = manifest.topics.subscribes;
  allow.answers = manifest.topics.answers;
  allow.asks = manifest.topics.asks;
  return allow;
}

}  // namespace

Session::Session(const Subject& subject) : subject_(subject), random_(subject.seed) {
  if (subject.manifest) {
    host.allow(topics_of(*subject.manifest));
    host.storage_limit(std::size_t{subject.manifest->limits.storage_mb} << 20);
  }
  // Nobody else is there: what every plugin must bear.
  host.when_asked("*", [](const testing::Asked&) { return testing::Reply{PICKET_E_UNAVAILABLE, "nobody answers here", {}, {}}; });
}

std::optional<Verdict> Session::create() {
  if (!host.load(subject_.library)) return failed(cat("does not load: ", host.why()));
  const picket_status status = host.create(subject_.id);
  if (status == PICKET_OK) return std::nullopt;
  return failed(cat("create(\"", subject_.id, "\") answers ", std::to_string(status), host.error().empty() ? "" : ": ", host.error()));
}

std::optional<Verdict> Session::start() {
  if (!subject_.settings) return skipped(cat("no settings to start it with: ", subject_.settings.error().message));
  const picket_status status = host.start(*subject_.settings, ++revision_);
  if (status == PICKET_OK) return std::nullopt;
  return failed(cat("start answers ", std::to_string(status), host.error().empty() ? "" : ": ", host.error()));
}

std::optional<Verdict> Session::apply(const std::string& settings) {
  constexpr std::size_t shown_bytes = 300;
  const picket_status status = host.apply(settings, ++revision_);
  if (status == PICKET_OK) return std::nullopt;
  const auto shown = settings.substr(0, shown_bytes);
  // One that hands on what the host answered it need not explain that.
  if (host.error().empty() && status != PICKET_E_BUSY && status != PICKET_E_DENIED) return failed(cat("refuses ", shown, " with ", std::to_string(status), " and does not say why"));
  host.stop();
  host.fail_nothing();
  auto bad = start();
  if (bad) bad->text = cat("after it refused ", shown, ": ", bad->text);
  return bad;
}

std::optional<Verdict> Session::live() {
  using std::chrono::milliseconds;
  if (auto bad = create()) return bad;
  if (auto bad = start()) return bad;
  talk(20, milliseconds(3000));
  host.wait_for([this] { return host.unanswered() == 0; }, milliseconds(1000));
  host.advance(120'000);
  host.stop();
  host.destroy();
  return std::nullopt;
}

std::vector<std::string> Session::heard() const {
  auto out = host.subscriptions();
  if (!subject_.manifest) return out;
  for (const auto& filter : subject_.manifest->topics.subscribes)
    if (std::find(out.begin(), out.end(), filter) == out.end()) out.push_back(filter);
  return out;
}
std::vector<std::string> Session::answered() const { return subject_.manifest ? subject_.manifest->topics.answers : std::vector<std::string>{}; }

void Session::talk(unsigned count, std::chrono::milliseconds limit, Content content) {
  const auto end = std::chrono::steady_clock::now() + limit;
  const auto payload = [&] { return content == Content::random ? random_bytes(random_) : std::string("{}"); };
  const auto filters = heard();
  for (unsigned i = 0; i < count && std::chrono::steady_clock::now() < end; ++i) {
    for (const auto& filter : filters)
      host.message({.topic = topic_of(filter, random_), .payload = payload(), .key = random_() % 2 ? "" : "key", .content_type = random_() % 2 ? "" : "application/json"});
    for (const auto& topic : answered())
      if (const auto id = host.request({.topic = topic, .payload = payload()}, random_() % 2 ? stream_credit : 0); id != 0) requests_.push_back(id);
  }
}

}  // namespace picket::check
