// picketd's own programs: from a set that an update brought into the free slot, checked, and on the disk.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "core/cancel.hpp"
#include "launcher/link.hpp"
#include "package/agent_release.hpp"
#include "trust/keys.hpp"

namespace picket::runtime {
class IoLoop;
}

namespace picket::selfupdate {

using AtStep = std::function<void(std::string_view step)>;  // test hook

// Copies the programs of `set` that the list names into SLOTS/<slot>/, replacing what lies there. Their digests are checked as they are
// copied; they are synced and then renamed into place as a whole. Code::untrusted names the program that is not what was signed.
[[nodiscard]] Result<> install_release(const std::filesystem::path& set, const package::AgentRelease& release, const std::filesystem::path& slots,
                                       launcher::Slot slot, const AtStep& at_step = {});
// Reads what lies in a slot again.
[[nodiscard]] Result<> verify_slot(const package::AgentRelease& release, const std::filesystem::path& slots, launcher::Slot slot);
// Starts PROGRAM --version: it can be started here, and is what it says. Code::conflict.
[[nodiscard]] Result<> check_version(runtime::IoLoop& io, const std::filesystem::path& program, const std::string& version, std::chrono::milliseconds limit);

// What is to be tried when the update run has ended.
struct Wish {
  launcher::Slot slot = launcher::Slot::a;
  std::string set, version;
};
struct AgentAnswer {
  std::string text;
  std::optional<Wish> wish{};  // it is installed, and not confirmed yet
};

class AgentSlots {
 public:
  AgentSlots(launcher::Link& link, runtime::IoLoop& io, std::span<const trust::PublicKey> keys, std::string version)
      : link_(link), io_(io), keys_(keys), version_(std::move(version)) {}
  // Blocks. An error refuses the set: it was taken back (Code::expired, also of one that was confirmed), or is not what was signed, or cannot be
  // started here.
  [[nodiscard]] Result<AgentAnswer> activate(const std::filesystem::path& set, std::chrono::steady_clock::time_point until, const core::CancelToken& cancel);

 private:
  launcher::Link& link_;
  runtime::IoLoop& io_;
  std::span<const trust::PublicKey> keys_;
  std::string version_;  // of this picketd
};

}  // namespace picket::selfupdate
