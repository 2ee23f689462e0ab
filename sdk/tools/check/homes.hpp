// One conversation with a plugin as it is led in picketd and in a picket-plugin-host, and all that the plugin says in it.
// Both homes are imitated, because an author has neither program. What differs between them for a plugin is here: in the agent each call comes
// on another thread, the plugin has run in the same process before, and the environment is the agent's; in a child all calls come on the main
// thread of a process that is nothing else, with the two variables that its host gives it. All else is the same: tables, topics, storage, clock.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "check/case.hpp"

namespace picket::check {

enum class Home { agent, child };
[[nodiscard]] inline std::string_view to_string(Home home) { return home == Home::agent ? "in the agent" : "in a child"; }

// What was said, by the occasion: "the answer of TOPIC to nothing", "event TOPIC #2", "state TOPIC KEY" (the last one). Printable.
class Transcript {
 public:
  void add(const std::string& occasion, std::string said);
  [[nodiscard]] std::string_view said(const std::string& occasion) const;         // "nothing" when there was none
  [[nodiscard]] const std::vector<std::string>& occasions() const { return order_; }  // as they came

  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] static Transcript of_text(std::string_view text);

 private:
  std::vector<std::string> order_;
  std::map<std::string, std::string, std::less<>> said_;
};

struct Conversation {
  Verdict verdict;  // pass: it was led to its end
  Transcript transcript;
};
// In a process of its own: start, the same settings again, every topic that it answers or hears with no bytes, JSON and garbage, two minutes of timers, stop.
[[nodiscard]] Conversation converse(const Subject& subject, Home home, std::chrono::milliseconds limit);

}  // namespace picket::check
