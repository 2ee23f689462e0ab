// Which version of a plugin runs, and where: the newest of what lies there that is genuine and that this agent can run.
#include <algorithm>
#include <utility>

#include "base/bytes.hpp"
#include "plugin_host/host_tables.hpp"
#include "plugin_host/plugin.hpp"
#include "plugin_host/plugin_events.hpp"

namespace picket::plugin_host {
namespace {

constexpr std::size_t kMostPassedOver = 300;  // bytes: all plugins are told of in one message

}  // namespace

void Plugin::look() {
  again_ = false;
  change([](Status& status) { status.state = State::verifying, status.text.clear(), status.passed_over.clear(); });
  std::string passed_over;
  auto found = verify_newest(passed_over, all_.chosen(id_));
  if (!found) return take(Event::refused, found.error().message);
  const auto& manifest = found->manifest;
  const bool in_process = home_of(manifest) == Home::in_process;
  const auto needs = check_needs(manifest);
  if (needs && !passed_over.empty()) all_.parts.log.part("plugin." + id_).warning("runs as version ", manifest.version, ", because ", passed_over);
  {
    const std::lock_guard lock(mutex_);
    status_.version = manifest.version;
    status_.vendor = manifest.vendor;
    status_.home = in_process ? Home::in_process : Home::isolated;
    status_.pending.clear();
    if (needs) status_.passed_over = shortened(passed_over, kMostPassedOver);
    package_ = std::make_shared<VerifiedPackage>(std::move(*found));
  }
  if (!needs) return take(Event::refused, needs.error().message);
  // What was loaded once went through its trial; an isolated child is its own.
  if (!in_process || package_->manifest.sha256 == loaded_sha256_) return take(Event::accepted, "");
  try_out();
}

Home Plugin::home_of(const package::Manifest& manifest) const {
  const auto& granted = all_.options.in_process;
  const bool may = manifest.preferred == package::Isolation::in_process && manifest.minimum == package::Isolation::in_process;
  return may && std::find(granted.begin(), granted.end(), id_) != granted.end() ? Home::in_process : Home::isolated;
}

Standing Plugin::standing() const {
  const auto& granted = all_.options.stand_in;
  return is_own_plugin(id_) || std::find(granted.begin(), granted.end(), id_) != granted.end() ? Standing::own : Standing::stranger;
}

Result<VerifiedPackage> Plugin::verify_newest(std::string& passed_over, const std::optional<Place>& chosen) const {
  struct Candidate {
    const std::filesystem::path* root;
    std::string version;
  };
  std::vector<Candidate> candidates;
  std::string first_error;
  for (const auto& root : all_.options.folders) {
    auto versions = find_versions(root, id_);
    if (!versions) {
      if (versions.error().code != Code::not_found && first_error.empty()) first_error = versions.error().message;
      continue;
    }
    for (auto& version : *versions) candidates.push_back({&root, std::move(version)});
  }
  if (chosen) candidates.push_back({&chosen->root, chosen->version});
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return package::compare_versions(a.version, b.version) > 0; });
  std::optional<VerifiedPackage> wants_more;  // than this agent has: shown when there is nothing that runs
  for (const auto& candidate : candidates) {
    auto verified = verify(*candidate.root, id_, candidate.version, {all_.options.keys, all_.options.require_root_owner});
    const auto usable = verified ? check_needs(verified->manifest) : fail(verified.error());
    if (usable) return verified;
    if (verified && !wants_more) wants_more = std::move(*verified);
    const auto text = cat("version ", candidate.version, " is refused: ", usable.error().message);
    if (first_error.empty()) first_error = text;
    passed_over += passed_over.empty() ? text : cat("; ", text);
  }
  if (wants_more) return std::move(*wants_more);
  if (first_error.empty()) first_error = cat("no version of it is installed: a package lies in ", id_, "/MAJOR.MINOR.PATCH");
  return fail(Code::untrusted, first_error);
}

Result<> Plugin::check_needs(const package::Manifest& manifest) const {
  if (manifest.abi_major != PICKET_ABI_MAJOR || manifest.abi_minor_needed > PICKET_ABI_MINOR)
    return fail(Code::unsupported, cat("needs version ", std::to_string(manifest.abi_major), ".", std::to_string(manifest.abi_minor_needed),
                                       " of the contract, this agent has ", std::to_string(PICKET_ABI_MAJOR), ".", std::to_string(PICKET_ABI_MINOR)));
  for (const auto& extension : manifest.requires_extensions)
    if (const auto& known = known_extensions(); std::find(known.begin(), known.end(), extension) == known.end())
      return fail(Code::unsupported, cat("needs the extension ", extension, ", which this agent does not have"));
  if (!manifest.minimum_agent.empty() && package::compare_versions(PICKET_VERSION, manifest.minimum_agent) < 0)
    return fail(Code::unsupported, cat("needs agent ", manifest.minimum_agent, ", this is ", PICKET_VERSION));
  return manifest.check_topics(standing());
}

void Plugin::try_out() {
  events_ = std::make_shared<Events>(*this, all_.parts.log.part("plugin." + id_));
  arm(all_.options.trial_deadline, Event::deadline, "hangs while it is loaded on trial");
  auto trial = Trial::start(all_.parts.io, {all_.options.child_program, package_->library.get(), id_, true},
                            [events = events_](Result<> result) { events->tried(std::move(result)); });
  if (!trial) return take(Event::refused, trial.error().message);
  trial_ = std::move(*trial);
}

}  // namespace picket::plugin_host
