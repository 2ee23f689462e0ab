// Where a plugin leaves something, and where it runs.
#include <algorithm>

#include "check/case.hpp"
#include "check/homes.hpp"
#include "check/session.hpp"
#include "check/write_watch.hpp"

namespace picket::check {

namespace {

using std::chrono::milliseconds;
using std::filesystem::path;
using Clock = std::chrono::steady_clock;

// Without links, as far as it is there.
path resolved(const path& given) {
  std::error_code error;
  auto out = std::filesystem::weakly_canonical(given, error);
  return error ? given : out;
}

// The last name of what is written may be a link that is itself removed or renamed: it stays.
bool is_within(const path& written, const path& capability) {
  const auto folder = resolved(capability.has_filename() ? capability : capability.parent_path());  // "/srv/" is "/srv"
  const auto file = resolved(written.parent_path()) / written.filename();
  return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
}

// As a C library names a thread for another one.
bool is_name_of_thread(std::string_view written) { return written.starts_with("/proc/self/task/") && written.ends_with("/comm"); }

// Its storage is the host's: it needs no file for that.
bool may_write(const Subject& subject, const std::string& written) {
  constexpr std::string_view capability = "fs.write:", no_files[] = {"/memfd:", "pipe:", "socket:", "anon_inode:"};
  if (written == "/dev/null" || is_name_of_thread(written) || std::any_of(std::begin(no_files), std::end(no_files), [&](std::string_view kind) { return written.starts_with(kind); })) return true;
  if (!subject.manifest) return false;
  const auto& all = subject.manifest->capabilities;
  return std::any_of(all.begin(), all.end(), [&](const std::string& one) {
    if (!one.starts_with(capability)) return false;
    const auto folder = one.substr(capability.size());
    return folder == "*" || is_within(written, folder);
  });
}

Verdict no_write_outside(const Subject& subject) {
  std::optional<Verdict> bad;
  const auto writes = watch_writes([&] { bad = Session(subject).live(); });
  if (!writes) return skipped(cat("cannot see what it writes: ", writes.error().message));
  const auto is_outside = [&](const Write& write) { return !may_write(subject, write.path); };
  const auto first = std::find_if(writes->begin(), writes->end(), is_outside);
  if (first == writes->end()) return bad.value_or(pass());
  const auto others = std::count_if(first + 1, writes->end(), is_outside);
  return failed(cat(first->call, " ", first->path, others > 0 ? cat(" and ", std::to_string(others), " more") : "",
                    ": outside its storage, and no capability fs.write in its manifest covers it"));
}

struct Twice {
  Transcript first, second;
  [[nodiscard]] bool is_sure_of(const std::string& occasion) const { return first.said(occasion) == second.said(occasion); }
};

// Times, random numbers and what comes by chance differ also in one home: nothing follows from them.
std::string first_difference(const Twice& agent, const Twice& child) {
  auto occasions = agent.first.occasions();
  occasions.insert(occasions.end(), child.first.occasions().begin(), child.first.occasions().end());
  const auto found = std::find_if(occasions.begin(), occasions.end(), [&](const auto& occasion) {
    return agent.is_sure_of(occasion) && child.is_sure_of(occasion) && agent.first.said(occasion) != child.first.said(occasion);
  });
  return found != occasions.end() ? *found : "";
}

std::string shown(std::string_view said, std::size_t from) {
  constexpr std::size_t before = 20, most = 80;
  const std::size_t begin = from > before ? from - before : 0;
  return cat(begin > 0 ? "..." : "", said.substr(begin, most), said.size() - begin > most ? "..." : "");
}

Verdict differs(const std::string& what, std::string_view in_agent, std::string_view in_child) {
  const auto at = static_cast<std::size_t>(std::mismatch(in_agent.begin(), in_agent.end(), in_child.begin(), in_child.end()).first - in_agent.begin());
  return failed(cat(what, ": ", to_string(Home::agent), " ", shown(in_agent, at), ", ", to_string(Home::child), " ", shown(in_child, at)));
}

Verdict same_in_both_homes(const Subject& subject) {
  if (!subject.settings) return skipped(cat("no settings to start it with: ", subject.settings.error().message));
  // One life that takes longer hangs. Its conversation alone may wait for two seconds (homes.cpp), and a machine may be slow.
  const milliseconds all(subject.case_limit), longest = std::max<milliseconds>(all * 3 / 4, milliseconds(5000));
  const auto end = Clock::now() + all * 9 / 10;  // the rest is for saying so
  std::string before;
  // What differs once may do so by chance: it counts when it does again.
  for (int round = 0; round < 2; ++round) {
    Twice agent, child;
    // In turn: a clock of seconds, or a count that is kept somewhere, cannot be the same twice in each home and differ between them.
    for (auto [home, into] : {std::pair{Home::agent, &agent.first}, {Home::child, &child.first}, {Home::agent, &agent.second}, {Home::child, &child.second}}) {
      const auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now());
      auto led = converse(subject, home, std::min(left, longest));
      // A deadline in whole milliseconds is over a little early.
      if (led.verdict.outcome == Outcome::fail && left < longest && Clock::now() + milliseconds(10) >= end)
        return skipped(cat("too slow to be led ", std::to_string(4 * (round + 1)), " times in ", std::to_string(subject.case_limit.count()), " s (--timeout)"));
      if (led.verdict.outcome == Outcome::skipped) return led.verdict;
      if (led.verdict.outcome != Outcome::pass) return failed(cat(to_string(home), ": ", led.verdict.text));
      *into = std::move(led.transcript);
    }
    const auto what = first_difference(agent, child);
    if (what.empty()) return pass();
    if (what == before) return differs(what, agent.first.said(what), child.first.said(what));
    before = what;
  }
  return pass();
}

constexpr Case cases[] = {
    {"no-write-outside", "create-destroy", &no_write_outside},
    {"same-in-both-homes", "start-stop-start", &same_in_both_homes},
};

}  // namespace

std::span<const Case> place_cases() { return cases; }

}  // namespace picket::check
