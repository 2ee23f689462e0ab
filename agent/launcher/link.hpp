// What picketd says to the launcher that started it: lines over a pipe.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"
#include "launcher/slot_state.hpp"

namespace picket::launcher {

// "ready": it has started. "well": it has stayed up, and counts. "try SLOT SET VERSION": stop me, and start that.
// In the environment of picketd:
inline constexpr const char* kPipeVariable = "PICKET_LAUNCHER_PIPE";
inline constexpr const char* kFolderVariable = "PICKET_SLOTS";
inline constexpr const char* kSlotVariable = "PICKET_SLOT";
inline constexpr const char* kSettleVariable = "PICKET_SETTLE_MS";

class Link {
 public:
  // From the environment, which no longer says it afterwards: children of picketd must not speak for it. nullopt: not started by a launcher.
  [[nodiscard]] static std::optional<Link> take();

  [[nodiscard]] Slot slot() const { return slot_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::chrono::milliseconds settle() const { return settle_; }  // stay up so long before saying that all is well
  [[nodiscard]] Result<SlotState> state() const;  // as the launcher wrote it last; no file: as at the beginning

  [[nodiscard]] Result<> say_ready() { return say("ready\n"); }
  [[nodiscard]] Result<> say_well() { return say("well\n"); }
  [[nodiscard]] Result<> say_try(Slot slot, std::string_view set, std::string_view version);

 private:
  [[nodiscard]] Result<> say(std::string_view line);
  UniqueFd pipe_;
  Slot slot_ = Slot::package;
  std::filesystem::path folder_;
  std::chrono::milliseconds settle_{0};
};

[[nodiscard]] std::filesystem::path program_of(const std::filesystem::path& folder, Slot slot);  // a or b
[[nodiscard]] Result<SlotState> read_slots(const std::filesystem::path& folder);

}  // namespace picket::launcher
