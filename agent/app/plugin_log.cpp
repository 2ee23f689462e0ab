#include "app/plugin_log.hpp"

#include <utility>

#include "base/result.hpp"

namespace picket::app {

PluginLog::Change PluginLog::change_of(const plugin_host::Status& status) {
  using plugin_host::State;
  Change out;
  if (status.state == State::failed || status.state == State::refused) out.level = runtime::Level::error;
  if (status.state == State::backing_off) out.level = runtime::Level::warning;
  // The version is known once the package is verified.
  auto line = cat(status.id, status.version.empty() ? "" : " ", status.version, ": ", to_string(status.state));
  if (status.state == State::running) line += cat(", ", to_string(status.health));
  if (!status.text.empty()) line += cat(": ", status.text);

  const std::lock_guard lock(mutex_);
  const auto before = seen_.find(status.id);
  out.came_up = status.state == State::running && (before == seen_.end() || before->second.state != State::running);
  if (before == seen_.end() || before->second.line != line) out.line = line;
  seen_.insert_or_assign(status.id, Seen{status.state, std::move(line)});
  return out;
}

}  // namespace picket::app
