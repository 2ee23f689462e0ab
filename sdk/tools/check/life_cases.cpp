// The life of an instance, as a host may lead it.
#include <dirent.h>
#include <malloc.h>

#include <picket/testing/fake_host.hpp>

#include "check/case.hpp"
#include "check/session.hpp"

namespace picket::check {

namespace {

using std::chrono::milliseconds;

std::size_t count_threads() {
  std::size_t count = 0;
  if (DIR* tasks = ::opendir("/proc/self/task"); tasks != nullptr) {
    while (const dirent* entry = ::readdir(tasks)) count += entry->d_name[0] != '.';
    ::closedir(tasks);
  }
  return count;
}

Verdict loads(const Subject& subject) {
  const std::size_t before = count_threads();
  constexpr milliseconds most(100);  // an agent does this to every plugin while it starts
  testing::FakeHost host;
  const auto begin = std::chrono::steady_clock::now();
  if (!host.load(subject.library)) return failed(host.why());
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  if (count_threads() > before) return failed("its static constructors start a thread");
  if (took > most) return warning(cat("loading it took ", std::to_string(took.count()), " ms, more than ", std::to_string(most.count())));
  return pass();
}

Verdict wrong_id(const Subject& subject) {
  Session session(subject);
  if (!session.host.load(subject.library)) return failed(session.host.why());
  for (const char* id : {"com.example.another", ""})
    if (session.host.create(id) == PICKET_OK) return failed(cat("create(\"", id, "\") makes an instance"));
  return pass();
}

Verdict create_destroy(const Subject& subject) {
  constexpr unsigned rounds = 100, warm_up = 20;
  constexpr std::size_t most_bytes = 1024;
  std::size_t in_use = 0;
  Session session(subject);
  for (unsigned i = 0; i < rounds; ++i) {
    if (auto bad = session.create()) return *bad;
    session.host.destroy();
    if (i + 1 == warm_up) in_use = ::mallinfo2().uordblks;
  }
  const std::size_t now = ::mallinfo2().uordblks, grown = now > in_use ? (now - in_use) / (rounds - warm_up) : 0;
  if (grown > most_bytes) return warning(cat("each create and destroy leaves about ", std::to_string(grown), " bytes behind"));
  return pass();
}

Verdict start_stop_start(const Subject& subject) {
  Session session(subject);
  if (auto bad = session.create()) return *bad;
  for (int round = 1; round <= 5; ++round) {
    if (auto bad = session.start()) {
      bad->text = cat("time ", std::to_string(round), ": ", bad->text);
      return *bad;
    }
    if (const picket_status status = session.host.stop(); status != PICKET_OK)
      return failed(cat("stop answers ", std::to_string(status), ", time ", std::to_string(round), ": ", session.host.error()));
  }
  return pass();
}

// Ordinary traffic, and none of the rules that the fake host watches broken. What is called after stop is a case of its own.
Verdict keeps_rules(const Subject& subject) {
  Session session(subject);
  if (auto bad = session.live()) return *bad;
  if (auto bad = broken_rule(session.host, [](std::string_view v) { return !contains(v, "after stop") && !contains(v, "while it is not running"); })) return *bad;
  return within_budget(subject, session.host.longest_call());
}

Verdict stops_in_time(const Subject& subject) {
  constexpr milliseconds deadline(3000);
  Session session(subject);
  if (auto bad = session.create()) return *bad;
  if (auto bad = session.start()) return *bad;
  session.talk(3000, milliseconds(2000), Session::Content::plain);
  const auto begin = std::chrono::steady_clock::now();
  session.host.stop(static_cast<std::uint32_t>(deadline.count()));
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  if (took > deadline) return failed(cat("stop took ", std::to_string(took.count()), " ms under load; the deadline was ", std::to_string(deadline.count())));
  return pass();
}

Verdict no_thread_left(const Subject& subject) {
  Session session(subject);
  if (!session.host.load(subject.library)) return failed(session.host.why());
  const std::size_t before = count_threads();
  if (auto bad = session.create()) return *bad;
  if (auto bad = session.start()) return *bad;
  session.talk(10, milliseconds(1000), Session::Content::plain);
  session.host.stop();
  // The kernel lists a thread for a moment after it was joined.
  if (session.host.wait_for([&] { return count_threads() <= before; }, milliseconds(500))) return pass();
  return failed(cat(std::to_string(count_threads() - before), " of its threads still run after stop"));
}

Verdict quiet_after_stop(const Subject& subject) {
  Session session(subject);
  if (auto bad = session.create()) return *bad;
  if (auto bad = session.start()) return *bad;
  session.talk(50, milliseconds(1000), Session::Content::plain);
  session.host.stop();
  const auto late = [&] { return broken_rule(session.host, [](std::string_view v) { return contains(v, "after stop") || contains(v, "while it is not running"); }); };
  session.host.wait_for([&] { return late().has_value(); }, milliseconds(300));
  session.host.destroy();
  return late().value_or(pass());
}

// What the manifest says it hears, it has a member for: askers would wait for nothing.
Verdict hears_what_it_lists(const Subject& subject, picket_plugin& plugin) {
  if (!subject.manifest) return pass();
  const auto& topics = subject.manifest->topics;
  const auto* bus = static_cast<const picket_plugin_bus*>(plugin.get_extension(&plugin, PICKET_EXT_BUS));
  if (!topics.answers.empty() && !(bus != nullptr && PICKET_HAS(bus, on_request))) return failed("the manifest has topics.answers, and the plugin no on_request");
  if (!topics.subscribes.empty() && !(bus != nullptr && PICKET_HAS(bus, on_message))) return failed("the manifest has topics.subscribes, and the plugin no on_message");
  return pass();
}

Verdict extensions(const Subject& subject) {
  Session session(subject);
  if (auto bad = session.create()) return *bad;
  picket_plugin* plugin = session.host.plugin();
  for (const char* id : {"com.example.nobody-has-this/1", "picket.bus/999", ""})
    if (plugin->get_extension(plugin, id) != nullptr) return failed(cat("get_extension(\"", id, "\") answers a table"));
  for (const char* id : {PICKET_EXT_BUS, PICKET_EXT_SETTINGS, PICKET_EXT_TIMER})
    if (plugin->get_extension(plugin, id) != plugin->get_extension(plugin, id)) return failed(cat("get_extension(\"", id, "\") answers differently each time"));
  return hears_what_it_lists(subject, *plugin);
}

Verdict default_settings_case(const Subject& subject) {
  if (!subject.manifest) return skipped("no manifest was given");
  if (!subject.settings) return failed(subject.settings.error().message);
  Session session(subject);
  if (auto bad = session.create()) return *bad;
  if (auto bad = session.start()) return *bad;
  constexpr std::uint64_t again = 1000;
  if (const picket_status status = session.host.apply(*subject.settings, again); status != PICKET_OK)
    return failed(cat("refuses its defaults while it runs: ", std::to_string(status), " ", session.host.error()));
  return pass();
}

// What the schema accepts an administrator may say: it is taken, or refused with a reason and without harm.
Verdict settings_edges(const Subject& subject) {
  constexpr std::chrono::seconds watched(5);
  if (!subject.manifest) return skipped("no manifest was given");
  if (!subject.settings) return skipped(cat("no settings to start it with: ", subject.settings.error().message));
  const auto edges = settings_at_edges(subject.manifest->settings_schema, *subject.settings);
  if (!edges) return failed(edges.error().message);
  Session session(subject);
  if (auto bad = session.create()) return *bad;
  if (auto bad = session.start()) return *bad;
  const auto end = std::chrono::steady_clock::now() + watched;
  std::size_t given = 0;
  for (const auto& settings : edges->accepted) {
    if (std::chrono::steady_clock::now() > end) break;
    if (auto bad = session.apply(settings)) return *bad;
    ++given;
  }
  return pass(cat(std::to_string(given), " of ", std::to_string(edges->accepted.size()), " given, ", std::to_string(edges->refused), " kept from it by its schema"));
}

constexpr Case cases[] = {
    {"loads", "", &loads},
    {"default-settings", "loads", &default_settings_case},
    {"wrong-id", "loads", &wrong_id},
    {"create-destroy", "loads", &create_destroy},
    {"extensions", "create-destroy", &extensions},
    {"start-stop-start", "create-destroy", &start_stop_start},
    {"settings-edges", "start-stop-start", &settings_edges},
    {"keeps-rules", "create-destroy", &keeps_rules},
    {"stops-in-time", "create-destroy", &stops_in_time},
    {"no-thread-left", "create-destroy", &no_thread_left},
    {"quiet-after-stop", "create-destroy", &quiet_after_stop},
};

}  // namespace

std::span<const Case> life_cases() { return cases; }

}  // namespace picket::check
