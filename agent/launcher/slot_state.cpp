#include "launcher/slot_state.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/bytes.hpp"
#include "base/digest.hpp"

namespace picket::launcher {
namespace {

constexpr std::string_view kHead = "picket-slots 1";
constexpr std::size_t kMaxText = 1000;  // of what a dying program said last

std::vector<std::string_view> words(std::string_view line, std::size_t most) {
  std::vector<std::string_view> out;
  while (!line.empty() && out.size() + 1 < most) {
    const auto blank = line.find(' ');
    out.push_back(line.substr(0, blank));
    line = blank == line.npos ? std::string_view() : line.substr(blank + 1);
  }
  if (!line.empty()) out.push_back(line);
  return out;
}

// A dash stands for an empty word, so that the number of words is always the same.
std::string dash(std::string_view text) { return text.empty() ? "-" : std::string(text); }
std::string undash(std::string_view text) { return text == "-" ? std::string() : std::string(text); }

template <class Number>
bool read_number(std::string_view text, Number& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_line(std::string_view line, SlotState& state) {
  const auto parts = words(line, 6);
  if (parts.size() < 2) return false;
  const auto kind = parts[0];
  const auto slot = slot_of(parts[1]);
  if (kind == "confirmed" && slot && parts.size() == 2) {
    state.confirmed = *slot;
  } else if (kind == "trial" && slot && *slot != Slot::package && parts.size() == 3) {
    state.trial = Trial{*slot, 0};
    return read_number(parts[2], state.trial->attempts);
  } else if (kind == "probation" && parts.size() == 3) {
    state.probation.emplace();
    return read_number(parts[1], state.probation->until) && read_number(parts[2], state.probation->crashes);
  } else if (kind == "slot" && slot && *slot != Slot::package && parts.size() == 5 && (parts[4] == "good" || parts[4] == "new")) {
    state.of(*slot) = {undash(parts[2]), undash(parts[3]), parts[4] == "good"};
  } else if (kind == "package" && parts.size() == 2) {
    state.package = undash(parts[1]);
  } else if (kind == "taken-back" && slot && *slot != Slot::package && parts.size() == 6) {
    state.taken_back = TakenBack{*slot, undash(parts[2]), undash(parts[3]), 0, std::string(parts[5])};
    return read_number(parts[4], state.taken_back->at);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string_view to_string(Slot slot) { return slot == Slot::a ? "a" : slot == Slot::b ? "b" : "package"; }

std::optional<Slot> slot_of(std::string_view name) {
  for (const auto slot : {Slot::package, Slot::a, Slot::b})
    if (name == to_string(slot)) return slot;
  return std::nullopt;
}

std::string shown(Slot slot) { return slot == Slot::a ? "slot A" : slot == Slot::b ? "slot B" : "the installed package"; }

std::string to_text(const SlotState& state) {
  std::string out = cat(kHead, "\nconfirmed ", to_string(state.confirmed), "\n");
  if (state.trial) out += cat("trial ", to_string(state.trial->slot), " ", std::to_string(state.trial->attempts), "\n");
  if (const auto& now = state.probation) out += cat("probation ", std::to_string(now->until), " ", std::to_string(now->crashes), "\n");
  for (const auto slot : {Slot::a, Slot::b}) {
    const auto& held = state.of(slot);
    if (!held.set.empty()) out += cat("slot ", to_string(slot), " ", held.set, " ", dash(held.version), " ", held.is_good ? "good" : "new", "\n");
  }
  if (!state.package.empty()) out += cat("package ", state.package, "\n");
  if (const auto& back = state.taken_back)
    out += cat("taken-back ", to_string(back->slot), " ", dash(back->set), " ", dash(back->version), " ", std::to_string(back->at), " ", back->why.empty() ? "?" : plain_line(back->why, kMaxText), "\n");
  return out + cat("sha256 ", sha256_hex(out), "\n");
}

Result<SlotState> parse_slots(std::string_view text) {
  const auto damaged = [](std::string_view what) { return fail(Code::untrusted, cat("damaged: ", what)); };
  if (text.size() > kMaxSlotFile) return fail(Code::too_large, cat("more than ", std::to_string(kMaxSlotFile), " bytes"));
  const auto last = text.rfind("sha256 ");
  if (last == text.npos || (last != 0 && text[last - 1] != '\n') || text.substr(last) != cat("sha256 ", sha256_hex(text.substr(0, last)), "\n")) return damaged("the digest is not right");
  auto rest = text.substr(0, last);
  SlotState state;
  bool first = true;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    if (end == rest.npos) return damaged("its last line is not whole");
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (std::exchange(first, false)) {
      if (line != kHead) return fail(Code::unsupported, "not a file of this version");
    } else if (!read_line(line, state)) {
      return damaged(cat("'", line.substr(0, 80), "'"));
    }
  }
  if (first) return damaged("it is empty");
  return state;
}

Result<> begin_trial(SlotState& state, Slot slot, std::string_view set, std::string_view version) {
  if (slot == Slot::package) return fail(Code::invalid, "the package is not tried");
  if (slot == state.confirmed) return fail(Code::conflict, cat(shown(slot), " is in use"));
  const auto is_word = [](std::string_view text) {
    return !text.empty() && text.size() <= 200 && text != "-" && std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
  };
  if (!is_word(set) || !is_word(version)) return fail(Code::invalid, "the names of set and version must be words");
  state.trial = Trial{slot, 0};
  state.of(slot) = {std::string(set), std::string(version), false};
  state.taken_back.reset();
  return {};
}

bool count_attempt(SlotState& state, unsigned most) {
  if (!state.trial || state.trial->attempts >= most) return false;
  ++state.trial->attempts;
  return true;
}

void confirm(SlotState& state, std::int64_t probation_until) {
  if (!state.trial) return;
  state.probation.reset();
  if (probation_until != 0) state.probation = Probation{probation_until, 0};
  state.confirmed = state.trial->slot;
  state.of(state.confirmed).is_good = true;
  state.trial.reset();
}

bool count_crash(SlotState& state, unsigned most, std::int64_t now) {
  if (!state.probation || state.trial) return false;
  if (now < state.probation->until) return ++state.probation->crashes >= most;
  state.probation.reset();
  return false;
}

void take_back(SlotState& state, std::string_view why, std::int64_t now) {
  if (!state.trial) return;
  const auto slot = state.trial->slot;
  const auto& held = state.of(slot);
  state.taken_back = TakenBack{slot, held.set, held.version, now, plain_line(why, kMaxText)};
  state.trial.reset();
}

void fall_back(SlotState& state, std::string_view why, std::int64_t now) {
  if (state.confirmed == Slot::package) return;
  const auto slot = state.confirmed;
  auto& held = state.of(slot);
  held.is_good = false;
  state.probation.reset();
  state.taken_back = TakenBack{slot, held.set, held.version, now, plain_line(why, kMaxText)};
  state.confirmed = state.of(state.free()).is_good ? state.free() : Slot::package;
}

bool see_package(SlotState& state, std::string_view identity) {
  const bool is_new = !state.package.empty() && state.package != identity && (state.confirmed != Slot::package || state.trial);
  state.package = identity;
  if (!is_new) return false;
  state.confirmed = Slot::package;
  state.trial.reset();
  state.probation.reset();
  return true;
}

}  // namespace picket::launcher
