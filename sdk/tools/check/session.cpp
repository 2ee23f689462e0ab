#include "check/session.hpp"

#include <algorithm>
#include <array>

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
  if (subject_.id.empty()) return skipped("its id is not known: give --id or a manifest");
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

std::string Session::random_bytes() {
  // Mostly short, sometimes empty, sometimes as large as the bus allows; sometimes like a protobuf message, sometimes like JSON.
  constexpr std::array<std::size_t, 6> sizes{0, 1, 16, 300, 5000, PICKET_BUS_MAX_PAYLOAD};
  const std::size_t most = sizes[std::min<std::uint64_t>(random_() % 12, sizes.size() - 1)];
  std::string out(most == 0 ? 0 : random_() % (most + 1), '\0');
  if (most == PICKET_BUS_MAX_PAYLOAD) out.resize(random_() % 50 == 0 ? most : out.size() % 4096);
  for (char& c : out) c = static_cast<char>(random_());
  switch (random_() % 4) {
    case 0:
      for (std::size_t i = 0; i + 1 < out.size(); i += 2 + static_cast<unsigned char>(out[i + 1]) % 32) {
        out[i] = static_cast<char>(((random_() % 15 + 1) << 3) | (random_() % 3));
        out[i + 1] = static_cast<char>(out[i + 1] & 0x1f);
      }
      break;
    case 1:
      out.insert(0, "{\"a\":[");
      break;
    default: break;
  }
  return out;
}

std::string Session::topic_of(const std::string& filter) {
  constexpr std::array<const char*, 4> names{"active", "thing", "x.y", "state"};
  if (filter == "*") return cat("any.", names[random_() % names.size()]);
  if (!filter.ends_with(".*")) return filter;
  return filter.substr(0, filter.size() - 1) + names[random_() % names.size()];
}

void Session::talk(unsigned count, std::chrono::milliseconds limit, Content content) {
  const auto end = std::chrono::steady_clock::now() + limit;
  const auto payload = [&] { return content == Content::random ? random_bytes() : std::string("{}"); };
  auto heard = host.subscriptions();
  std::vector<std::string> answers;
  if (subject_.manifest) {
    for (const auto& filter : subject_.manifest->topics.subscribes)
      if (std::find(heard.begin(), heard.end(), filter) == heard.end()) heard.push_back(filter);
    answers = subject_.manifest->topics.answers;
  }
  for (unsigned i = 0; i < count && std::chrono::steady_clock::now() < end; ++i) {
    for (const auto& filter : heard)
      host.message({.topic = topic_of(filter), .payload = payload(), .key = random_() % 2 ? "" : "key", .content_type = random_() % 2 ? "" : "application/json"});
    for (const auto& topic : answers)
      if (const auto id = host.request({.topic = topic, .payload = payload()}, random_() % 2 ? stream_credit : 0); id != 0) requests_.push_back(id);
  }
}

}  // namespace picket::check
