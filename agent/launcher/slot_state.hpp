// Which picketd counts: the installed one, or a release in one of two slots; and which one is being tried.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace picket::launcher {

enum class Slot : std::uint8_t { package, a, b };

[[nodiscard]] std::string_view to_string(Slot slot);   // "package", "a", "b"
[[nodiscard]] std::optional<Slot> slot_of(std::string_view name);
[[nodiscard]] std::string shown(Slot slot);            // for people: "the installed package", "slot A"

struct Trial {
  Slot slot = Slot::a;
  unsigned attempts = 0;    // starts so far
};

// Of what was confirmed last: for a while its crashes are counted.
struct Probation {
  std::int64_t until = 0;   // Unix seconds
  unsigned crashes = 0;
};

struct TakenBack {
  Slot slot = Slot::a;
  std::string set, version; // what was in it
  std::int64_t at = 0;
  std::string why;
};

struct SlotState {
  Slot confirmed = Slot::package;
  std::optional<Trial> trial{};
  std::optional<Probation> probation{};
  struct Held {
    std::string set, version;  // the update engine's name of the set; empty: nothing
    bool is_good = false;      // it was confirmed once
  };
  std::array<Held, 2> held{};
  std::string package;         // what identifies the installed picketd that `confirmed` was decided beside
  std::optional<TakenBack> taken_back{};

  [[nodiscard]] Slot next() const { return trial ? trial->slot : confirmed; }            // what is to be started
  [[nodiscard]] Slot free() const { return confirmed == Slot::a ? Slot::b : Slot::a; }   // what may be written
  [[nodiscard]] const Held& of(Slot slot) const { return held[slot == Slot::b ? 1 : 0]; }  // a or b
  [[nodiscard]] Held& of(Slot slot) { return held[slot == Slot::b ? 1 : 0]; }
};

// The file: lines of text and a digest over them. Code::untrusted: damaged.
[[nodiscard]] std::string to_text(const SlotState& state);
[[nodiscard]] Result<SlotState> parse_slots(std::string_view text);
constexpr std::size_t kMaxSlotFile = 16 * 1024;

// ---- what happens ----

// A release was put into a slot and is to be tried. Code::conflict: it is the slot that counts.
[[nodiscard]] Result<> begin_trial(SlotState& state, Slot slot, std::string_view set, std::string_view version);
// It is about to be started once more. false: it had its attempts.
[[nodiscard]] bool count_attempt(SlotState& state, unsigned most);
void confirm(SlotState& state, std::int64_t probation_until = 0);                  // what is tried counts from here on
// What counts has crashed. True: so often in its probation that fall_back() is due.
[[nodiscard]] bool count_crash(SlotState& state, unsigned most, std::int64_t now);
void take_back(SlotState& state, std::string_view why, std::int64_t now);          // the one before counts
// The slot that counts cannot be started at all, or crashes: the other one if it was good, else the package.
void fall_back(SlotState& state, std::string_view why, std::int64_t now);
// Another picketd was installed by hand since: it counts. Says whether it was so.
[[nodiscard]] bool see_package(SlotState& state, std::string_view identity);

}  // namespace picket::launcher
