#include "app/unknown_names.hpp"

#include <algorithm>

#include "base/result.hpp"
#include "runtime/log_text.hpp"

namespace picket::app {

std::vector<std::string> unknown_names(const Config& config, const std::vector<std::string>& ids, const std::vector<std::string>& silent_parts) {
  std::vector<std::string> out;
  const auto is_known = [&](const std::string& id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); };

  std::error_code error;  // no folder: no local settings
  for (std::filesystem::directory_iterator it(config.settings_dir, error), end; !error && it != end; it.increment(error)) {
    const auto& path = it->path();
    if (path.extension() == ".json" && !path.filename().native().starts_with('.') && !is_known(path.stem().native()))
      out.push_back(cat(path.native(), " is used by nobody: no plugin '", path.stem().native(), "' is installed"));
  }
  std::sort(out.begin(), out.end());

  for (const auto& [name, list] : {std::pair("in-process", &config.in_process), std::pair("stand-in", &config.stand_in), std::pair("disabled", &config.disabled)})
    for (const auto& id : *list)
      if (!is_known(id)) out.push_back(cat(name, ": no plugin '", id, "' is installed"));
  for (const auto& part : silent_parts) out.push_back(cat("log-level: nothing writes into the log as '", part, "'"));
  for (auto& line : out) line = runtime::printable(line);
  return out;
}

}  // namespace picket::app
