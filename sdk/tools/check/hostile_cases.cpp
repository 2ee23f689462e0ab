// Hosts that lack things, refuse things, or bring nonsense.
#include <algorithm>

#include "check/case.hpp"
#include "check/session.hpp"

namespace picket::check {

namespace {

using std::chrono::milliseconds;

// What it requires must be there, so it must start; without those too, it may refuse but must not crash.
Verdict without_extensions(const Subject& subject) {
  for (const bool also_required : {false, true}) {
    if (!also_required && !subject.manifest) continue;
    Session session(subject);
    std::string lacking;
    for (const char* id : all_extensions) {
      const bool required = subject.manifest && std::count(subject.manifest->requires_extensions.begin(), subject.manifest->requires_extensions.end(), id) > 0;
      if (required && !also_required) continue;
      session.host.lacks(id);
      lacking += cat(lacking.empty() ? "" : ", ", id);
    }
    const auto created = session.create();
    if (created && !also_required) return *created;
    const auto started = created ? created : session.start();
    if (started && started->outcome == Outcome::skipped) return *started;
    if (started && !also_required) return failed(cat("with only what it requires, ", started->text, " (of ", lacking, ": name in requires_extensions what it needs, or do without)"));
    session.talk(5, milliseconds(500), Session::Content::plain);
    session.host.stop();
    session.host.destroy();
  }
  return pass();
}

// Tables that end before their first member: what a plugin meets that was built for a later minor version.
Verdict old_host(const Subject& subject) {
  constexpr std::uint32_t only_head = 2 * sizeof(std::uint32_t);
  Session session(subject);
  for (const char* id : all_extensions) session.host.shrink(id, only_head);
  (void)session.create();
  if (auto bad = session.start(); bad && bad->outcome == Outcome::skipped) return *bad;
  session.talk(5, milliseconds(500), Session::Content::plain);
  session.host.stop();
  session.host.destroy();
  return broken_rule(session.host, [](std::string_view v) { return contains(v, "struct_size"); }).value_or(pass());
}

Verdict random_bytes(const Subject& subject) {
  Session session(subject);
  if (auto bad = session.create()) return *bad;
  if (auto bad = session.start()) return *bad;
  session.talk(500, milliseconds(4000));
  // Replies and streams that nobody asked for are the host's fault, and never come; but losses and cancellations do.
  const auto topics = subject.manifest ? subject.manifest->topics.publishes : std::vector<package::Manifest::Published>{};
  for (const auto& published : topics) session.host.loss(published.topic, 7);
  const bool answered = session.host.wait_for([&] { return session.host.unanswered() == 0; }, milliseconds(5000));
  const std::size_t owed = session.host.unanswered();
  for (const auto id : session.requests()) session.host.cancel(id);
  session.host.stop();
  if (!answered) return warning(cat(std::to_string(owed), " of ", std::to_string(session.requests().size()), " requests had no answer after 5 s"));
  return pass();
}

// From the start, and from the middle.
Verdict refused_everything(const Subject& subject, picket_status status) {
  constexpr std::uint64_t busy_loop = 20'000;
  constexpr milliseconds watched(300);
  for (const bool from_start : {true, false}) {
    Session session(subject);
    if (auto bad = session.create()) return *bad;
    if (from_start) session.host.fail_calls(status);
    const auto started = session.start();
    if (started && (!from_start || started->outcome == Outcome::skipped)) return *started;
    if (started) continue;
    session.host.fail_calls(status);
    session.talk(30, milliseconds(1000), Session::Content::plain);
    session.host.advance(60'000);
    const std::uint64_t before = session.host.calls();
    const bool busy = session.host.wait_for([&] { return session.host.calls() - before > busy_loop; }, watched);
    session.host.stop();
    if (busy) return failed("calls the host in a busy loop instead of trying later");
  }
  return pass();
}
Verdict busy(const Subject& subject) { return refused_everything(subject, PICKET_E_BUSY); }
Verdict denied(const Subject& subject) { return refused_everything(subject, PICKET_E_DENIED); }

constexpr Case cases[] = {
    {"without-extensions", "create-destroy", &without_extensions},
    {"old-host", "create-destroy", &old_host},
    {"random-bytes", "start-stop-start", &random_bytes},
    {"busy-host", "start-stop-start", &busy},
    {"denying-host", "start-stop-start", &denied},
};

}  // namespace

std::span<const Case> hostile_cases() { return cases; }

}  // namespace picket::check
