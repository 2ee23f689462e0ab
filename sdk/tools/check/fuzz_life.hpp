// One instance, from create to destroy, on a host that says and refuses things at random. Lives in a child.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "check/content.hpp"
#include "check/session.hpp"

namespace picket::check {

// Where a life is. In memory that outlives it, so that a plugin which ends its process leaves word of what it was told.
struct Progress {
  std::uint64_t iteration = 0;
  char what[400] = "start";
};

class FuzzLife {
 public:
  // call_limit: SIGALRM ends a process whose plugin took longer over one thing; 0: never.
  FuzzLife(const Subject& subject, const std::vector<std::string>& settings, std::uint64_t seed, Progress& progress, std::chrono::seconds call_limit);

  [[nodiscard]] Verdict live(std::uint64_t iterations, std::chrono::steady_clock::time_point until);

 private:
  struct Content {
    std::string type, payload;
  };

  [[nodiscard]] std::optional<Verdict> say_something();
  void message();
  void request();
  [[nodiscard]] std::optional<Verdict> settings();
  void something_else();
  void refuse_at_random();
  [[nodiscard]] Content content();
  void learn();
  void at(const std::string& what);
  template <class List>
  [[nodiscard]] const auto& one_of(const List& list) {
    return list[random_() % std::size(list)];
  }

  const Subject& subject_;
  const std::vector<std::string>& settings_;
  std::uint64_t seed_, settings_given_ = 0;
  Progress& progress_;
  std::chrono::seconds call_limit_;
  Random random_;
  std::vector<Content> samples_;          // what the plugin itself said, and what messages look like
  std::vector<std::uint64_t> requests_;
  std::string refusing_;                  // told with each step
  Session session_;                       // last: its end still calls what is above
};

}  // namespace picket::check
