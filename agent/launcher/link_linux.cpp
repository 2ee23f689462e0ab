#include <charconv>
#include <cstdlib>
#include <string>

#include <fcntl.h>

#include "launcher/link.hpp"

namespace picket::launcher {

std::filesystem::path program_of(const std::filesystem::path& folder, Slot slot) { return folder / to_string(slot) / "bin" / "picketd"; }

Result<SlotState> read_slots(const std::filesystem::path& folder) {
  auto text = read_file(folder / "state", kMaxSlotFile);
  if (!text && text.error().code == Code::not_found) return SlotState{};
  if (!text) return fail(std::move(text).error());
  auto state = parse_slots(*text);
  if (!state) return fail(std::move(state).error(), (folder / "state").native());
  return state;
}

std::optional<Link> Link::take() {
  const auto taken = [](const char* name) {
    const char* value = std::getenv(name);
    std::string out = value == nullptr ? "" : value;
    ::unsetenv(name);
    return out;
  };
  const auto pipe = taken(kPipeVariable), folder = taken(kFolderVariable), slot = taken(kSlotVariable), settle = taken(kSettleVariable);
  int fd = -1, settle_ms = 0;
  const auto number = [](const std::string& text, int& into) { return std::from_chars(text.data(), text.data() + text.size(), into).ec == std::errc(); };
  const auto which = slot_of(slot);
  if (!number(pipe, fd) || fd < 3 || !number(settle, settle_ms) || settle_ms < 0 || folder.empty() || !which) return std::nullopt;
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return std::nullopt;  // there is no such descriptor
  Link link;
  link.pipe_ = UniqueFd(fd);
  link.slot_ = *which;
  link.folder_ = folder;
  link.settle_ = std::chrono::milliseconds(settle_ms);
  return link;
}

Result<SlotState> Link::state() const { return read_slots(folder_); }

Result<> Link::say_try(Slot slot, std::string_view set, std::string_view version) { return say(cat("try ", to_string(slot), " ", set, " ", version, "\n")); }

Result<> Link::say(std::string_view line) {
  auto said = write_all(pipe_.get(), line);  // shorter than PIPE_BUF: whole or not at all
  if (!said) return fail(std::move(said).error(), "speak with the launcher");
  return {};
}

}  // namespace picket::launcher
