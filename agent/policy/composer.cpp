#include "policy/composer.hpp"

#include <boost/json/serialize.hpp>

namespace picket::policy {

const PluginPolicy* section(const Document* document, std::string_view id) {
  if (document == nullptr) return nullptr;
  const auto found = document->plugins.find(id);
  return found == document->plugins.end() ? nullptr : &found->second;
}

const Check& Composer::check_of(std::string_view id) const {
  static const Check none;
  const auto found = options_.host_parts.find(id);
  return found == options_.host_parts.end() ? none : found->second;
}

Result<Composer::Made> Composer::make(const std::string& id, const CompiledSchema& schema, const PluginPolicy* says, const LocalFile& local) const {
  PICKET_LET(composed, compose(id, schema, says, local, check_of(id)));
  Made out;
  out.settings.json = json::serialize(composed.settings);
  if (says != nullptr) out.settings.topics = says->topics;
  out.local_problem = std::move(composed.local_problem);
  if (!out.local_problem.empty()) out.settings.warnings.push_back(cat("local settings of ", id, " are ignored: ", out.local_problem));
  return out;
}

Result<Composer::Made> Composer::with_candidate(const std::string& id, const CompiledSchema& schema, const PluginPolicy* says, const LocalFile& local) const {
  if (says != nullptr) PICKET_TRY(check_alone(id, schema, *says));
  return make(id, schema, says, local);
}

Result<Composer::Made> Composer::in_force(const std::string& id, const CompiledSchema& schema, const PluginPolicy* says, const LocalFile& local) const {
  if (says == nullptr || !is_host_part(id)) return make(id, schema, says, local);
  const auto fitting = what_fits(id, schema, *says, local, check_of(id));
  PICKET_LET(out, make(id, schema, &fitting.policy, local));
  auto& warnings = out.settings.warnings;
  warnings.insert(warnings.begin(), fitting.problems.begin(), fitting.problems.end());
  return std::move(out);
}

Result<std::vector<Explained>> Composer::explain(const std::string& id, const CompiledSchema& schema, const PluginPolicy* says, const LocalFile& local,
                                                 std::string_view setting) const {
  if (says == nullptr || !is_host_part(id)) return explain_settings(id, schema, says, local, setting, check_of(id));
  const auto fitting = what_fits(id, schema, *says, local, check_of(id));
  return explain_settings(id, schema, &fitting.policy, local, setting, check_of(id));
}

}  // namespace picket::policy
