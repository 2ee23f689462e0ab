#include "selfupdate/slots.hpp"

#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "package/manifest.hpp"
#include "runtime/child_process.hpp"
#include "storage/space.hpp"

namespace picket::selfupdate {

namespace fs = std::filesystem;
using launcher::Slot;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kVersionLimit{15'000}, kLookAtState{50};

// The digest of what was read; `out` < 0: only that.
Result<std::string> copy_through(const fs::path& from, std::uint64_t size, int out) {
  const UniqueFd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!in) return fail_errno(cat("open ", from.native()));
  struct stat info {};
  if (::fstat(in.get(), &info) != 0) return fail_errno(cat("stat ", from.native()));
  if (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) != size) return fail(Code::untrusted, cat(from.native(), ": holds ", std::to_string(info.st_size), " bytes, the signed list says ", std::to_string(size)));
  constexpr std::size_t kBuffer = 128 * 1024;
  const auto buffer = std::make_unique<char[]>(kBuffer);
  Digest digest;
  for (;;) {
    const auto got = ::read(in.get(), buffer.get(), kBuffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(cat("read ", from.native()));
    if (got == 0) break;
    const std::string_view chunk(buffer.get(), static_cast<std::size_t>(got));
    digest.update(chunk);
    if (out >= 0) PICKET_TRY(write_all(out, chunk));
  }
  return digest.finish_hex();
}

Result<> place(const fs::path& from, const package::AgentRelease::File& file, const fs::path& to) {
  const UniqueFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700));
  if (!out) return fail_errno(cat("create ", to.native()));
  auto digest = copy_through(from, file.size, out.get());
  if (!digest) return fail(std::move(digest).error());
  if (*digest != file.sha256) return fail(Code::untrusted, cat(file.path, ": sha256 is ", *digest, ", the signed list says ", file.sha256));
  if (::fchmod(out.get(), 0555) != 0) return fail_errno(cat("set mode of ", to.native()));
  if (::fsync(out.get()) != 0) return fail_errno(cat("fsync ", to.native()));
  return {};
}

void clear_away(const fs::path& folder) {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

}  // namespace

Result<> install_release(const fs::path& set, const package::AgentRelease& release, const fs::path& slots, Slot slot, const AtStep& at_step) {
  const auto step = [&](std::string_view name) {
    if (at_step) at_step(name);
  };
  if (slot == Slot::package) return fail(Code::invalid, "the package's place is not ours");
  const auto folder = slots / to_string(slot), fresh = slots / cat(to_string(slot), ".new"), old = slots / cat(to_string(slot), ".old");
  PICKET_TRY(make_folders(slots, 0700));
  step("slot.clean");
  clear_away(fresh);
  clear_away(old);
  std::uint64_t bytes = 0;
  for (const auto& file : release.files) bytes += file.size;
  PICKET_TRY(storage::require_space(slots, bytes, cat("picketd ", release.version)));
  PICKET_TRY(make_folders(fresh / "bin", 0755));
  for (const auto& file : release.files) {
    step("slot.copy");
    if (auto placed = place(set / file.path, file, fresh / file.path); !placed) {
      clear_away(fresh);
      return placed;
    }
  }
  step("slot.sync");
  PICKET_TRY(sync_folder(fresh / "bin"));
  PICKET_TRY(sync_folder(fresh));
  step("slot.away");
  if (::rename(folder.c_str(), old.c_str()) != 0 && errno != ENOENT) return fail_errno(cat("rename ", folder.native()));
  step("slot.rename");
  if (::rename(fresh.c_str(), folder.c_str()) != 0) return fail_errno(cat("rename ", fresh.native()));
  PICKET_TRY(sync_folder(slots));
  step("slot.done");
  clear_away(old);
  return {};
}

Result<> verify_slot(const package::AgentRelease& release, const fs::path& slots, Slot slot) {
  for (const auto& file : release.files) {
    PICKET_LET(digest, copy_through(slots / to_string(slot) / file.path, file.size, -1));
    if (digest != file.sha256) return fail(Code::untrusted, cat(file.path, ": is damaged in ", shown(slot)));
  }
  return {};
}

Result<> check_version(runtime::IoLoop& io, const fs::path& program, const std::string& version, milliseconds limit) {
  struct Said {
    std::mutex mutex;
    std::condition_variable changed;
    std::string line;
    std::optional<runtime::ExitStatus> status;
  };
  const auto said = std::make_shared<Said>();
  runtime::ChildOptions child;
  child.argv = {program.native(), "--version"};
  child.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  child.on_line = [said](bool is_stderr, std::string_view line) {
    const std::lock_guard lock(said->mutex);
    if (said->line.empty() || !is_stderr) said->line = plain_line(line, 200);
  };
  child.on_exit = [said](const runtime::ExitStatus& status) {
    const std::lock_guard lock(said->mutex);
    said->status = status;
    said->changed.notify_all();
  };
  PICKET_LET(process, runtime::ChildProcess::start(io, std::move(child)));
  static_cast<void>(process);  // is ended with it
  std::unique_lock lock(said->mutex);
  if (!said->changed.wait_for(lock, limit, [&] { return said->status.has_value(); })) return fail(Code::conflict, "it does not answer --version");
  if (!said->status->is_success()) return fail(Code::conflict, cat("it does not run here: ", said->status->text(), said->line.empty() ? "" : cat(" (", said->line, ")")));
  if (said->line != cat("picketd ", version)) return fail(Code::conflict, cat("it says that it is '", said->line, "', the signed list says picketd ", version));
  return {};
}

Result<AgentAnswer> AgentSlots::activate(const fs::path& set, std::chrono::steady_clock::time_point until, const core::CancelToken& cancel) {
  const auto name = set.filename().native();
  const auto here = link_.slot();
  PICKET_LET(state, link_.state());
  // While one is tried, be it this one, the launcher says soon which one counts.
  while (state.trial) {
    if (cancel.is_cancelled() || std::chrono::steady_clock::now() > until) return fail(Code::cancelled, cat(shown(state.trial->slot), " is on trial: it is not known yet whether it stays"));
    std::this_thread::sleep_for(kLookAtState);
    PICKET_LET(again, link_.state());
    state = std::move(again);
  }
  if (here != Slot::package && here == state.confirmed && state.of(here).set == name) return AgentAnswer{cat("picketd ", version_, " of ", shown(here), " is confirmed")};
  if (const auto& back = state.taken_back; back && back->set == name)
    return fail(Code::expired, cat("picketd ", back->version, " was taken back from ", shown(back->slot), ": ", back->why));
  PICKET_LET(release, package::read_release(set, keys_));
  if (here == Slot::package && package::compare_versions(version_, release.version) > 0)
    return AgentAnswer{cat("picketd ", version_, " of the installed package is newer than ", release.version, ", and stays")};
  const auto slot = state.free();
  const bool is_there = state.of(slot).set == name && verify_slot(release, link_.folder(), slot);
  if (!is_there) PICKET_TRY(install_release(set, release, link_.folder(), slot));
  if (auto runs = check_version(io_, program_of(link_.folder(), slot), release.version, kVersionLimit); !runs)
    return fail(std::move(runs).error(), cat("picketd ", release.version));
  return AgentAnswer{cat("picketd ", release.version, " is installed in ", shown(slot), ", and takes over when this update has ended"), Wish{slot, name, release.version}};
}

}  // namespace picket::selfupdate
