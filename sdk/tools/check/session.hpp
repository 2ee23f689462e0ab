// A plugin in a fake host, and traffic for it. Used within the child of one case.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <picket/testing/fake_host.hpp>

#include "check/case.hpp"
#include "check/content.hpp"

namespace picket::check {

class Session {
 public:
  explicit Session(const Subject& subject);

  testing::FakeHost host;

  // A verdict when it did not work.
  [[nodiscard]] std::optional<Verdict> create();
  [[nodiscard]] std::optional<Verdict> start();
  // New settings. It may refuse them with a reason; then it must start again with the first ones, on a host that refuses nothing.
  [[nodiscard]] std::optional<Verdict> apply(const std::string& settings);
  // From create to destroy, with ordinary traffic and two minutes of timers.
  [[nodiscard]] std::optional<Verdict> live();

  // Filters that it subscribed, or that its manifest says it may; topics that the manifest says it answers.
  [[nodiscard]] std::vector<std::string> heard() const;
  [[nodiscard]] std::vector<std::string> answered() const;

  // `count` messages and requests on every topic that the plugin hears, or that its manifest says it hears: random bytes from the seed, or a few plain ones.
  // Gives up at the deadline: a slow plugin is seen by other cases.
  enum class Content { random, plain };
  void talk(unsigned count, std::chrono::milliseconds limit, Content content = Content::random);
  // The ids of the requests that talk() made.
  [[nodiscard]] const std::vector<std::uint64_t>& requests() const { return requests_; }

 private:
  const Subject& subject_;
  Random random_;
  std::vector<std::uint64_t> requests_;
  std::uint64_t revision_ = 0;
};

// The first of those violations that the predicate wants.
template <class Wanted>
[[nodiscard]] std::optional<Verdict> broken_rule(const testing::FakeHost& host, Wanted&& wanted) {
  for (const auto& violation : host.violations())
    if (wanted(violation)) return failed(violation);
  return std::nullopt;
}
// A warning when the longest call took more than the manifest's limits.callback_ms.
[[nodiscard]] inline Verdict within_budget(const Subject& subject, std::chrono::milliseconds longest) {
  if (longest <= subject.call_budget()) return pass();
  return warning(cat("one call took ", std::to_string(longest.count()), " ms, more than limits.callback_ms ", std::to_string(subject.call_budget().count())));
}
[[nodiscard]] inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace picket::check
