// One thing that is asked of a plugin, and what came of it.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <picket/ext/bus.h>
#include <picket/ext/health.h>
#include <picket/ext/settings.h>
#include <picket/ext/storage.h>
#include <picket/ext/timer.h>

#include "check/subject.hpp"

namespace picket::check {

// Of a host of this version.
inline constexpr const char* all_extensions[] = {PICKET_EXT_BUS, PICKET_EXT_SETTINGS, PICKET_EXT_STORAGE, PICKET_EXT_TIMER, PICKET_EXT_HEALTH};

enum class Outcome : char { pass = 'p', fail = 'f', warning = 'w', skipped = 's' };
[[nodiscard]] std::string_view to_string(Outcome outcome);

struct Verdict {
  Outcome outcome = Outcome::pass;
  std::string text = {};  // one line
};
[[nodiscard]] inline Verdict pass(std::string text = {}) { return {Outcome::pass, std::move(text)}; }
[[nodiscard]] inline Verdict failed(std::string text) { return {Outcome::fail, std::move(text)}; }
[[nodiscard]] inline Verdict warning(std::string text) { return {Outcome::warning, std::move(text)}; }
[[nodiscard]] inline Verdict skipped(std::string text) { return {Outcome::skipped, std::move(text)}; }

struct Case {
  const char* name;
  const char* needs;  // without this one passed it says nothing new: skipped. "" for none
  Verdict (*run)(const Subject&);
};

[[nodiscard]] std::span<const Case> static_cases();
[[nodiscard]] std::span<const Case> life_cases();
[[nodiscard]] std::span<const Case> hostile_cases();
[[nodiscard]] std::span<const Case> place_cases();

// In a child of its own, which is gone when this returns.
[[nodiscard]] Verdict run_in_child(const std::function<Verdict()>& run, std::chrono::milliseconds limit);

}  // namespace picket::check
