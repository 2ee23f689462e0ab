#include "check/homes.hpp"

#include <algorithm>
#include <cstdlib>
#include <thread>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "check/session.hpp"

namespace picket::check {

namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t max_transcript_bytes = 64u << 20;

std::string printable(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\') out += c;
    else out.append({'\\', 'x', digits[byte >> 4], digits[byte & 15]});
  }
  return out;
}
std::string in_quotes(std::string_view bytes) { return cat("\"", bytes, "\""); }

void move_into(Home home) {
  if (home == Home::agent) {
    for (const auto& [name, value] : {std::pair{"HOME", "/root"}, {"LANG", "C.UTF-8"}}) ::setenv(name, value, 0);
    return;
  }
  ::clearenv();
  for (const auto& [name, value] : {std::pair{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C.UTF-8"}}) ::setenv(name, value, 1);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

class Life {
 public:
  Life(const Subject& subject, Home home) : subject_(subject), home_(home), session_(subject) {}

  std::optional<Verdict> begin() {
    std::optional<Verdict> bad;
    tell([&] {
      bad = session_.create();
      if (!bad) bad = session_.start();
    });
    note("start", bad ? bad->text : "OK");
    return bad;
  }
  void end() {
    tell([&] { note("stop", std::to_string(session_.host.stop())); });
    tell([&] { session_.host.destroy(); });
  }
  void talk() {
    // Nothing, what many would accept, and what is neither text nor protobuf.
    const std::pair<const char*, std::string> bodies[] = {{"nothing", ""}, {"{}", "{}"}, {"garbage", std::string("\xff\x00\x80{\"a\":\x08\x96\xff\xff", 12)}};
    tell([&] {
      const auto bad = session_.apply(*subject_.settings);
      note("the same settings", bad ? bad->text : "OK");
    });
    Random random(subject_.seed);
    for (const auto& [name, body] : bodies) {
      for (const auto& topic : session_.answered()) ask(topic, name, body);
      for (const auto& filter : session_.heard()) {
        const testing::Message message{.topic = topic_of(filter, random), .payload = body};
        tell([&] { session_.host.message(message); });
      }
    }
    tell([&] { session_.host.advance(120'000); });
  }
  // After the end: what came late is in it.
  [[nodiscard]] std::string told() {
    for (const auto& [occasion, id] : asked_) {
      const auto answer = session_.host.answer(id);
      if (answer.done) note(occasion, cat(std::to_string(answer.status), " ", answer.content_type, " ", in_quotes(answer.payload), " ", in_quotes(answer.stream)));
    }
    // Of events each counts, in the order of their topic; of state the last.
    for (const auto& one : session_.host.published())
      note(is_event(one.topic) ? numbered("event", one.topic) : cat("state ", one.topic, " ", in_quotes(one.key)), cat(one.content_type, " ", in_quotes(one.payload)));
    for (const auto& one : session_.host.asked()) note(numbered("question", one.message.topic), cat(one.message.content_type, " ", in_quotes(one.message.payload)));
    const auto health = session_.host.shown();
    note("health", cat(std::to_string(health.health), " ", in_quotes(health.text)));
    return transcript_.to_text();
  }

 private:
  // Its own threads speak when they like, and sooner or later by chance: the next thing is told when it has been quiet for a moment.
  template <class Call>
  void tell(Call&& call) {
    constexpr milliseconds quiet(20);
    const auto step = [&] {
      call();
      for (; restless_ > 0; --restless_)
        if (const auto seen = session_.host.calls(); !session_.host.wait_for([&] { return session_.host.calls() != seen; }, quiet)) return;
    };
    if (home_ == Home::agent) std::thread(step).join();
    else step();
  }
  void ask(const std::string& topic, const char* body_name, const std::string& body) {
    constexpr std::uint64_t credit = 1u << 20;
    tell([&] {
      const auto id = session_.host.request({.topic = topic, .payload = body}, credit);
      if (id == 0) return;
      asked_.emplace_back(cat("the answer of ", topic, " to ", body_name), id);
      const auto begin = std::chrono::steady_clock::now();
      session_.host.wait_for([&] { return session_.host.answer(id).done; }, std::max(patience_, milliseconds(1)));
      patience_ -= std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    });
  }
  [[nodiscard]] bool is_event(const std::string& topic) const {
    if (!subject_.manifest) return true;
    const auto& all = subject_.manifest->topics.publishes;
    return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.topic == topic && one.kind == package::TopicKind::event; });
  }
  [[nodiscard]] std::string numbered(const char* what, const std::string& topic) {
    const auto name = cat(what, " ", topic);
    return cat(name, " #", std::to_string(++numbers_[name]));
  }
  void note(std::string_view occasion, std::string_view said) { transcript_.add(printable(occasion), printable(said)); }

  const Subject& subject_;
  const Home home_;
  // For all together: a plugin that answers slowly or is never quiet must not use up the case's time. Other cases see that.
  milliseconds patience_{1000};
  int restless_ = 50;
  std::vector<std::pair<std::string, std::uint64_t>> asked_;
  std::map<std::string, unsigned> numbers_;
  Transcript transcript_;
  Session session_;  // last: its end still calls what is above
};

Verdict lead(const Subject& subject, Home home, int page) {
  move_into(home);
  Life earlier(subject, home), life(subject, home);
  if (home == Home::agent && !earlier.begin()) earlier.end();
  if (!life.begin()) {
    life.talk();
    life.end();
  }
  const auto written = write_all(page, life.told());
  return written ? pass() : failed(written.error().message);
}

}  // namespace

void Transcript::add(const std::string& occasion, std::string said) {
  if (said_.insert_or_assign(occasion, std::move(said)).second) order_.push_back(occasion);
}

std::string_view Transcript::said(const std::string& occasion) const {
  const auto found = said_.find(occasion);
  return found != said_.end() ? std::string_view(found->second) : "nothing";
}

std::string Transcript::to_text() const {
  std::string out;
  for (const auto& occasion : order_) out += cat(occasion, "\t", said(occasion), "\n");
  return out;
}

Transcript Transcript::of_text(std::string_view text) {
  Transcript out;
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    const auto line = text.substr(0, end);
    const auto tab = std::min(line.find('\t'), line.size());
    out.add(std::string(line.substr(0, tab)), std::string(line.substr(std::min(tab + 1, line.size()))));
  }
  return out;
}

Conversation converse(const Subject& subject, Home home, milliseconds limit) {
  const UniqueFd page(::memfd_create("transcript", MFD_CLOEXEC));
  if (!page) return {skipped("no memory for what it says"), {}};
  Conversation out;
  out.verdict = run_in_child([&] { return lead(subject, home, page.get()); }, limit);
  ::lseek(page.get(), 0, SEEK_SET);  // the child has moved it
  const auto text = read_all(page.get(), max_transcript_bytes);
  if (text) out.transcript = Transcript::of_text(*text);
  else if (out.verdict.outcome == Outcome::pass) out.verdict = skipped(cat("what it says: ", text.error().message));
  return out;
}

}  // namespace picket::check
