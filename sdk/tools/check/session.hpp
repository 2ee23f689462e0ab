// A plugin in a fake host, and traffic for it. Used within the child of one case.
#pragma once

#include <optional>
#include <random>
#include <string>

#include <picket/testing/fake_host.hpp>

#include "check/case.hpp"

namespace picket::check {

class Session {
 public:
  explicit Session(const Subject& subject);

  testing::FakeHost host;

  // A verdict when it did not work.
  [[nodiscard]] std::optional<Verdict> create();
  [[nodiscard]] std::optional<Verdict> start();

  // `count` messages and requests on every topic that the plugin hears, or that its manifest says it hears: random bytes from the seed, or a few plain ones.
  // Gives up at the deadline: a slow plugin is seen by other cases.
  enum class Content { random, plain };
  void talk(unsigned count, std::chrono::milliseconds limit, Content content = Content::random);
  // The ids of the requests that talk() made.
  [[nodiscard]] const std::vector<std::uint64_t>& requests() const { return requests_; }

 private:
  [[nodiscard]] std::string random_bytes();
  [[nodiscard]] std::string topic_of(const std::string& filter);

  const Subject& subject_;
  std::mt19937_64 random_;
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
[[nodiscard]] inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace picket::check
